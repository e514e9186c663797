"""What `dari add`, `del` and `check` make of their words."""

from __future__ import annotations

from ipaddress import ip_address, ip_interface

import pytest

from dari.cli.attachment import describe, namespace_path, parse_pairs
from dari.cni.runtime.cache import Attachment
from dari.cni.runtime.conflist import read_single
from dari.errors import BadEnvironment
from dari.model import ContainerId, Interface, InterfaceName, IPConfig, Result

WEB = Attachment(
    container_id=ContainerId("web1"), ifname=InterfaceName("eth0"), netns="/run/netns/web"
)


@pytest.mark.parametrize(
    ("given", "path"),
    [
        ("web", "/run/netns/web"),
        ("/proc/1/ns/net", "/proc/1/ns/net"),
        ("./web", "./web"),
        ("", ""),
    ],
)
def test_names_and_paths_of_namespaces(given: str, path: str) -> None:
    assert namespace_path(given) == path


def test_pairs_may_be_passed_by_plugins_that_do_not_know_them() -> None:
    assert parse_pairs([]) == ()
    assert parse_pairs(["IP=10.22.0.9", "X="]) == (
        ("IgnoreUnknown", "1"),
        ("IP", "10.22.0.9"),
        ("X", ""),
    )


@pytest.mark.parametrize("word", ["IP", "=1", "IP=1;MAC=2", "IP=1=2", "a;b=1"])
def test_what_is_no_pair(word: str) -> None:
    with pytest.raises(BadEnvironment, match="--args"):
        parse_pairs([word])


def test_a_result_for_people() -> None:
    network = read_single({"name": "mynet", "type": "bridge"})
    result = Result(
        interfaces=(
            Interface(name="cni0"),
            Interface(name="veth1"),
            Interface(name="eth0", sandbox="/run/netns/web"),
        ),
        ips=(
            IPConfig(address=ip_interface("10.22.0.5/16"), gateway=ip_address("10.22.0.1")),
            IPConfig(address=ip_interface("fd00::5/64")),
        ),
    )
    assert describe(result, WEB, network).splitlines() == [
        "eth0 in web1: 10.22.0.5/16 by way of 10.22.0.1, fd00::5/64",
        "network mynet, on the host: cni0, veth1",
    ]
    assert describe(Result(), WEB, network).splitlines() == [
        "eth0 in web1: no address",
        "network mynet, on the host: nothing",
    ]
