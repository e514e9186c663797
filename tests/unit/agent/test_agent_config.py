from __future__ import annotations

from argparse import ArgumentParser
from ipaddress import ip_address, ip_network
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dari.agent.config import AgentConfig, read_config
from dari.agent.options import OPTIONS, Given, declare, gather, parse_file
from dari.errors import BadConfig
from dari.paths import Paths


def configured(*words: str, file: str = "", folder: Path | None = None) -> AgentConfig:
    parser = ArgumentParser()
    declare(parser)
    if folder is not None:
        (folder / "agent.toml").write_text(file)
        words = (*words, "--config", str(folder / "agent.toml"))
    return read_config(gather(parser.parse_args(words)), Paths(), "Node_One.Example")


def test_with_nothing_said_it_serves_the_one_machine_it_is_on() -> None:
    config = read_config({}, Paths(), "Node_One.Example")
    assert config.node_name == "node-one.example"
    assert [str(each.network) for each in config.cluster_ranges] == ["10.244.0.0/16"]
    assert config.cluster_ranges[0].node_prefix == 24
    assert config.store_dir == "/var/lib/dari/store"
    assert config.role == "node"
    assert config.versions == (4,)


def test_the_command_line_wins_over_the_file(tmp_path: Path) -> None:
    file = 'node-name = "from-file"\ninterface = "eth7"\ncheck-every = 3\n'
    config = configured("--node-name", "from-flag", file=file, folder=tmp_path)
    assert (config.node_name, config.interface, config.check_every) == ("from-flag", "eth7", 3.0)


def test_everything_can_stand_in_the_file(tmp_path: Path) -> None:
    file = """
        node-name = "n"
        role = "node"
        node-address = ["192.168.0.1", "fd00::1"]
        interface = "eth0"
        pod-range = ["10.9.1.0/24", "fd09:1::/64"]
        cluster-range = ["10.9.0.0/16", "fd09::/32"]
        ipv6 = true
        range-size-v4 = 25
        range-size-v6 = 80
        store = "local"
        store-dir = "/srv/store/"
        store-grace = 30
        etcd-endpoint = ["https://10.0.0.1:2379", "https://10.0.0.2:2379"]
        etcd-prefix = "/clusters/blue/"
        etcd-ca = "/etc/dari/ca.pem"
        etcd-cert = "/etc/dari/node.pem"
        etcd-key = "/etc/dari/node.key"
        etcd-user = "dari"
        etcd-password-file = "/etc/dari/password"
        kubeconfig = "/etc/kubernetes/kubelet.conf"
        kube-context = "blue"
        backend = "vxlan"
        vxlan-vni = 7
        vxlan-port = 4790
        direct-routing = true
        vxlan-offload = "off"
        bgp-as = 65001
        bgp-peer = ["192.168.0.254", "fd00::fe@65000"]
        bgp-mesh = true
        bird-conf = "/etc/bird/dari.conf"
        bird-socket = "/srv/bird.ctl"
        write-subnet-env = "/run/flannel/subnet.env"
        conf-dir = "/srv/conf"
        bridge = "br7"
        mtu = 1400
        masquerade = false
        check-every = 0.5
        gc-grace = 5
        metrics-listen = "[::1]:9000"
        log-level = "debug"
    """
    assert {line.split("=")[0].strip() for line in file.split("\n") if "=" in line} == {
        option.name for option in OPTIONS
    }
    config = configured(file=file, folder=tmp_path)
    assert config.node_addresses == (ip_address("192.168.0.1"), ip_address("fd00::1"))
    assert config.pod_ranges == (ip_network("10.9.1.0/24"), ip_network("fd09:1::/64"))
    assert [each.node_prefix for each in config.cluster_ranges] == [25, 80]
    assert (config.store_dir, config.conf_dir) == ("/srv/store", "/srv/conf")
    assert (config.bridge, config.mtu, config.masquerade) == ("br7", 1400, False)
    assert config.log_level == "debug"
    assert config.store_grace == 30
    assert config.etcd_endpoints == ("https://10.0.0.1:2379", "https://10.0.0.2:2379")
    assert config.etcd_prefix == "/clusters/blue"
    assert (config.etcd_user, config.etcd_key) == ("dari", "/etc/dari/node.key")
    assert (config.kubeconfig, config.kube_context) == ("/etc/kubernetes/kubelet.conf", "blue")
    assert (config.gc_grace, config.metrics_listen) == (5, ("::1", 9000))
    assert config.backend.overlay.type == "auto"
    assert config.backend.bgp.as_number == 65001
    assert config.backend.bird_conf == "/etc/bird/dari.conf"


def test_ipv6_adds_a_range_of_its_own() -> None:
    assert configured("--ipv6").versions == (4, 6)
    only = configured("--cluster-range", "fd77::/48", "--ipv6")
    assert [str(each.network) for each in only.cluster_ranges] == ["fd77::/48"]


def test_a_single_value_needs_no_list_in_the_file(tmp_path: Path) -> None:
    config = configured(file='pod-range = "10.244.9.0/24"', folder=tmp_path)
    assert config.pod_ranges == (ip_network("10.244.9.0/24"),)


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ("--node-name Node!", "--node-name: 'Node!'"),
        ("--role boss", "--role: 'boss' is none of node, router"),
        ("--node-address 10.0.0", "--node-address: '10.0.0'"),
        ("--node-address 127.0.0.1", "--node-address: 127.0.0.1"),
        ("--node-address 10.0.0.1 --node-address 10.0.0.2", "more than one address of a family"),
        ("--interface a/b", "--interface: 'a/b'"),
        ("--interface toolonganame12345", "--interface"),
        ("--pod-range 10.244.1.1/24", "--pod-range: '10.244.1.1/24' should be written"),
        ("--pod-range 10.1.0.0/16 --pod-range 10.1.2.0/24", "overlap"),
        ("--pod-range 10.244.1.0/24 --ipv6", "--pod-range: none of IPv6"),
        ("--cluster-range 0.0.0.0/0", "--cluster-range"),
        ("--cluster-range 10.1.0.0/25", "smaller than one node's range of /24"),
        ("--range-size-v4 31", "--range-size-v4: 31 is not within 8 and 30"),
        ("--range-size-v6 x", "--range-size-v6: 'x' is not a number"),
        ("--store tape", "--store: 'tape' is none of local, etcd, kubernetes"),
        ("--store-dir relative", "--store-dir: 'relative'"),
        ("--conf-dir etc", "--conf-dir"),
        ("--bridge ..", "--bridge"),
        ("--mtu 100", "--mtu: 100 is not within 576 and 65535"),
        ("--mtu nan", "--mtu"),
        ("--check-every 0", "--check-every"),
        ("--check-every inf", "--check-every"),
        ("--log-level loud", "--log-level"),
        ("--config /nonexistent/agent.toml", "--config: there is no file"),
    ],
)
def test_a_wrong_option_is_named(words: str, message: str) -> None:
    with pytest.raises(BadConfig) as caught:
        configured(*words.split())
    assert message in caught.value.message


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("node-name = 7", "node-name: 7"),
        ("pod-range = 7", "pod-range: 7 is not a list"),
        ("pod-range = [7]", "pod-range: 7"),
        ("ipv6 = 'yes'", "ipv6: 'yes' is neither true nor false"),
        ("mtu = true", "mtu: True is not a number"),
        ("mtu = [1]", "mtu"),
        ("store-dir = false", "store-dir"),
        ("nodename = 'x'", "nodename: no such option"),
        ("[node]\nname = 'x'", "node: no such option"),
        ("node-name", "not TOML"),
    ],
)
def test_a_wrong_line_of_the_file_is_named_with_the_file(
    tmp_path: Path, text: str, message: str
) -> None:
    with pytest.raises(BadConfig) as caught:
        configured(file=text, folder=tmp_path)
    assert caught.value.message.startswith(f"{tmp_path}/agent.toml: ")
    assert message in caught.value.message


def test_a_misspelt_key_gets_a_hint() -> None:
    with pytest.raises(BadConfig) as caught:
        parse_file(b"node-adress = '1.2.3.4'", "agent.toml")
    assert caught.value.details == "did you mean 'node-address'?"


@given(st.binary(max_size=100))
@settings(max_examples=100, deadline=None)
def test_any_file_is_settings_or_a_clear_error(content: bytes) -> None:
    try:
        parse_file(content, "agent.toml")
    except BadConfig as error:
        assert error.message.startswith("agent.toml: ")


VALUES = st.recursive(
    st.booleans() | st.integers() | st.floats() | st.text(max_size=12),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner),
    max_leaves=5,
)


@given(st.dictionaries(st.sampled_from([option.name for option in OPTIONS]), VALUES))
@settings(max_examples=200, deadline=None)
def test_any_values_are_a_configuration_or_a_clear_error(values: dict[str, object]) -> None:
    given_values = {key: Given(value=value, label=f"file: {key}") for key, value in values.items()}
    try:
        read_config(given_values, Paths(), "node1")
    except BadConfig as error:
        assert any(f"file: {key}" in error.message for key in values)
