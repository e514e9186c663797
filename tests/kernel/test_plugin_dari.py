"""Type `dari` on the real kernel: a whole chain's work in one call, done and undone together."""

from __future__ import annotations

import io
import json
import os
from pathlib import Path
from typing import Any

import pytest

from dari.cni.dispatch import respond
from dari.errors import BadConfig, CheckFailed, DariError, TryAgain
from dari.nft import hostports, table
from dari.nft.library import Nft
from dari.paths import Paths
from dari.result import decode_result
from dari.wiring.host import Host
from dari.wiring.names import shaper
from tests.support.calling import add, check, collect, delete, status
from tests.support.calls import call
from tests.support.isolation import add_namespace
from tests.support.kernel import ip, links, reaches, run
from tests.support.nft import named
from tests.support.pages import describes, examples
from tests.support.talk import ask, serving

PLAIN: dict[str, object] = {
    "cniVersion": "1.1.0",
    "name": "dari",
    "type": "dari",
    "bridge": "cni0",
    "ipMasq": True,
    "hairpinMode": True,
    "mtu": 1400,
    "ipam": {
        "type": "host-local",
        "ranges": [[{"subnet": "10.44.0.0/24"}], [{"subnet": "fd44::/64"}]],
    },
}
WEB: dict[str, object] = {"hostPort": 8080, "containerPort": 80, "protocol": "tcp"}
RATES: dict[str, object] = {
    "ingressRate": 8_000_000,
    "ingressBurst": 800_000,
    "egressRate": 8_000_000,
    "egressBurst": 800_000,
}
EVERYTHING: dict[str, object] = {
    **PLAIN,
    "sysctl": {"net.ipv4.conf.IFNAME.arp_filter": "1"},
    "ingressPolicy": "same-bridge",
    "runtimeConfig": {"portMappings": [WEB], "bandwidth": RATES},
}


def nothing_left() -> bool:
    ruleset = run("nft", "list", "ruleset")
    kept = [
        each for each in files("attachments", "firewall", "hostports") if "/groups/" not in each
    ]
    leases = [each for each in files("leases/dari") if "10.44" in each or "fd44" in each]
    return not (links("dari") or kept or leases) and "10.44.0.2" not in ruleset


def files(*folders: str) -> list[str]:
    return [
        str(each)
        for folder in folders
        for each in Path("/run/dari", folder).rglob("*")
        if each.is_file()
    ]


def test_a_pod_gets_all_that_it_asked_for_in_one_call() -> None:
    result = add(EVERYTHING)
    owner = call("ADD", EVERYTHING).owner
    assert [each.name for each in result.interfaces][0::2] == ["cni0", "eth0"]
    assert result.interfaces[3].name == shaper(owner)
    [end] = ip("link", "show", "dev", "eth0", namespace="c1")
    assert end["mtu"] == 1400
    assert run("cat", "/proc/sys/net/ipv4/conf/eth0/arp_filter", namespace="c1").strip() == "1"
    assert "tbf" in run("tc", "qdisc", "show", "dev", result.interfaces[1].name)
    assert '"cni0"' in run("nft", "list", "set", "inet", "dari", "apart")
    with serving("c1", 80):
        assert ask("127.0.0.1", 8080) == "c1 10.44.0.1"
        assert ask("10.44.0.1", 8080, "c1") == "c1 10.44.0.1"
    check(EVERYTHING, result)
    delete(EVERYTHING)
    assert nothing_left()
    assert links("dari") == []


def test_a_calls_host_ports_and_firewall_are_one_transaction(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    sent: list[str] = []
    real = Nft.run

    def noted(nft: Nft, commands: str) -> str:
        if " element " in commands and "list " not in commands:
            sent.append(commands)
        return real(nft, commands)

    add(EVERYTHING, "c0")
    delete(EVERYTHING, "c0")
    monkeypatch.setattr(Nft, "run", noted)
    result = add(EVERYTHING)
    check(EVERYTHING, result)
    delete(EVERYTHING)
    assert len(sent) == 2, sent
    assert all("pods4" in each and "anywhere4" in each for each in sent)


@pytest.mark.parametrize(
    "conf",
    [EVERYTHING, PLAIN, {**PLAIN, "runtimeConfig": {}}],
    ids=["as added", "without runtimeConfig", "empty"],
)
@pytest.mark.parametrize("netns", [None, "", "/run/netns/gone"])
def test_pain_3_del_leaves_nothing_and_may_come_twice(
    conf: dict[str, object], netns: str | None
) -> None:
    add(EVERYTHING)
    delete(conf, netns=netns)
    assert nothing_left()
    delete(conf, netns=netns)
    assert table.verify(Paths())


@pytest.mark.parametrize(
    ("change", "error"),
    [
        ({"ingressPolicy": "shut"}, BadConfig),
        ({"ingressPolicy": 1}, BadConfig),
        ({"sysctl": {"kernel.core_pattern": "x"}}, DariError),
        ({"sysctl": "no"}, BadConfig),
        ({"runtimeConfig": {"portMappings": [{"hostPort": 1}]}}, BadConfig),
        ({"runtimeConfig": {"portMappings": [WEB], "bandwidth": {"ingressRate": 5}}}, BadConfig),
        ({"conditionsV4": [1]}, BadConfig),
    ],
)
def test_a_part_that_fails_undoes_the_whole(
    change: dict[str, object], error: type[DariError]
) -> None:
    with pytest.raises(error):
        add({**EVERYTHING, **change})
    assert nothing_left()
    assert "eth0" not in links(namespace="c1")


def test_pain_6_a_host_port_that_is_held_undoes_the_whole() -> None:
    add({**PLAIN, "runtimeConfig": {"portMappings": [WEB]}}, "holder")
    before = run("nft", "list", "ruleset")
    with pytest.raises(TryAgain, match="held by container holder"):
        add(EVERYTHING, "second")
    assert "eth0" not in links(namespace="second")
    assert len(links("dari")) == 1
    assert {each.owner.container_id for each in hostports.read_claims(Paths())} == {"holder"}
    delete(EVERYTHING, "second")
    held = [line for line in before.splitlines() if "10.44.0.2" in line]
    assert held
    assert all(line in run("nft", "list", "ruleset") for line in held)


DAMAGE = {
    "address": ("ip -n c1 address del 10.44.0.2/24 dev eth0", "lacks its address"),
    "port": ("nft flush map inet dari {anywhere4_}", "host port 8080/tcp does not lead"),
    "policy": ("nft flush set inet dari within", "the set within of inet dari lacks"),
    "limit": ("tc qdisc del dev {end} root", ""),
    "setting": ("ip netns exec c1 sysctl -qw net.ipv4.conf.eth0.arp_filter=0", "arp_filter"),
}


@pytest.mark.parametrize("kind", DAMAGE)
def test_check_verifies_every_part(kind: str) -> None:
    result = add(EVERYTHING)
    command, expected = DAMAGE[kind]
    run(*named(command, end=result.interfaces[1].name).split())
    with pytest.raises(CheckFailed) as caught:
        check(EVERYTHING, result)
    assert expected in f"{caught.value.message}; {caught.value.details}"


def test_pain_2_gc_clears_every_part_and_keeps_what_is_valid() -> None:
    result = add(EVERYTHING, "keep")
    other = {**EVERYTHING, "runtimeConfig": {"portMappings": [{**WEB, "hostPort": 81}]}}
    add(other, "lost")
    collect(PLAIN, ["keep"])
    assert [each.port for each in hostports.read_claims(Paths())] == [8080, 8080]
    assert "10.44.0.3" not in run("nft", "list", "ruleset")
    check(EVERYTHING, result, "keep")
    collect(PLAIN, [])
    assert nothing_left()


def test_a_plain_pod_writes_no_files_for_what_it_does_not_have() -> None:
    add(PLAIN)
    before = run("nft", "list", "ruleset")
    add(PLAIN, "c2")
    delete(PLAIN, "c2")
    assert run("nft", "list", "ruleset") == before
    assert files("hostports", "firewall") == []
    assert [each for each in files("attachments") if each.count(".") > 1] == []


def test_status_asks_every_part() -> None:
    status({**EVERYTHING, "runtimeConfig": {}})
    with pytest.raises(BadConfig):
        status({**PLAIN, "ingressPolicy": "shut"})


def environ(verb: str, container: str) -> dict[str, str]:
    return {
        **os.environ,
        "CNI_COMMAND": verb,
        "CNI_CONTAINERID": container,
        "CNI_NETNS": f"/run/netns/{container}",
        "CNI_IFNAME": "eth0",
        "CNI_PATH": "/opt/cni/bin",
    }


def test_through_the_edge_the_runtime_gets_a_result_of_its_version() -> None:
    add_namespace("c1")
    config = json.dumps({**EVERYTHING, "cniVersion": "0.4.0"}).encode()
    status, said = respond("dari", environ("ADD", "c1"), config, io.StringIO(), _host)
    answer: dict[str, Any] = json.loads(said)
    assert status == 0, answer
    assert decode_result(answer, "0.4.0").ips[0].gateway is not None
    assert reaches("10.44.0.1", "c1")


def _host(given: Any) -> Host:
    return Host(Paths(), given)


def test_the_page_describes_every_key_and_its_examples_work() -> None:
    keys = (
        *("ingressPolicy", "sysctl", "portMappings", "bandwidth", "snat", "masqAll"),
        *("markMasqBit", "conditionsV4", "conditionsV6", "agent", "bridge", "ipMasq", "ipam"),
    )
    assert [key for key in keys if not describes("dari", key)] == []
    chain, asked = examples("dari")
    [single] = chain["plugins"]
    named = {"cniVersion": chain["cniVersion"], "name": chain["name"]}
    conf = {**single, **named, "runtimeConfig": asked}
    check(conf, add(conf))
