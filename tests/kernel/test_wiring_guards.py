"""Keys of type `bridge` that limit a pod: its MAC, its VLANs, an interface left down."""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dari.agent import mend
from dari.agent.desired import Desired
from dari.errors import BadConfig, CheckFailed, DariError, UnsupportedField
from dari.nft import spoofing
from dari.paths import Paths
from dari.wiring.conf import parse_bridge
from dari.wiring.names import host_end
from tests.support.calling import add, check, collect, delete
from tests.support.calls import NOTES_CONF, call
from tests.support.hostile import junk_for
from tests.support.isolation import add_namespace
from tests.support.kernel import ip, links, reaches, run

GUARDED: dict[str, object] = {**NOTES_CONF, "macspoofchk": True}
PLAIN = {key: NOTES_CONF[key] for key in ("cniVersion", "name", "type", "bridge")}
DOWN: dict[str, object] = {**PLAIN, "disableContainerInterface": True}
TABLE = ("nft", "list", "table", "bridge", "dari")


def end(container: str = "c1") -> str:
    return host_end(call("ADD", GUARDED, container).owner)


def nothing_left() -> bool:
    return "bridge dari" not in run("nft", "list", "tables") and not spoofing.ports(Paths())


def pretend(mac: str, container: str = "c1") -> None:
    run("ip", "link", "set", "eth0", "address", mac, namespace=container)
    run("ip", "neigh", "flush", "dev", "cni0")


def test_what_a_pod_sends_from_another_mac_is_dropped() -> None:
    result = add(GUARDED)
    add(NOTES_CONF, "free")
    own = result.interfaces[2].mac
    assert reaches("10.22.0.1", "c1")
    assert reaches("10.22.0.3", "c1")
    pretend("0a:00:00:00:00:99")
    count = ("ip", "netns", "exec", "c1", "ping", "-c", "1", "-W", "0.2", "10.22.0.1")
    with pytest.raises(AssertionError):
        run(*count)
    pretend("0a:00:00:00:00:98", "free")
    assert reaches("10.22.0.1", "free"), "a pod that is not guarded may send from where it will"
    pretend(own)
    assert reaches("10.22.0.1", "c1")


def test_the_table_holds_a_port_for_each_guarded_pod_and_goes_with_the_last() -> None:
    add(NOTES_CONF, "free")
    assert nothing_left()
    add(GUARDED, "a")
    add(GUARDED, "b")
    shown = run(*TABLE)
    assert f'"{end("a")}" . 0a:58:0a:16:00:03' in shown
    assert f'"{end("b")}" . 0a:58:0a:16:00:04' in shown
    assert spoofing.verify(Paths())
    delete(GUARDED, "a")
    assert end("a") not in run(*TABLE)
    assert spoofing.verify(Paths())
    delete(GUARDED, "b")
    assert nothing_left()


@pytest.mark.parametrize("netns", ["", "/run/netns/gone"])
def test_pain_3_del_without_a_namespace_leaves_nothing(netns: str) -> None:
    add(GUARDED)
    for _ in range(2):
        delete(GUARDED, netns=netns)
        assert nothing_left()


def test_del_without_the_key_leaves_nothing_either() -> None:
    add(GUARDED)
    delete(NOTES_CONF)
    assert nothing_left()


def test_pain_2_gc_lets_go_of_ports_that_are_gone() -> None:
    add(GUARDED, "keep")
    add(GUARDED, "lost")
    collect(GUARDED, ["keep"])
    assert [each.port for each in spoofing.read_all(Paths())] == [end("keep")]
    assert spoofing.verify(Paths())
    run("ip", "link", "delete", end("keep"))
    collect({**GUARDED, "name": "renamed"}, [])
    assert nothing_left()


HARM = {
    "table": "nft delete table bridge dari",
    "rule": "nft flush chain bridge dari spoofing",
    "element": 'nft delete element bridge dari allowed {{ "{end}" . 0a:58:0a:16:00:02 }}',
    "port": 'nft delete element bridge dari guarded {{ "{end}" }}',
    "file": "rm /run/dari/spoofing/{end}.json",
    "another rule": "nft insert rule bridge dari spoofing accept",
}


@pytest.mark.parametrize("kind", HARM)
def test_check_finds_each_kind_of_damage(kind: str) -> None:
    result = add(GUARDED)
    check(GUARDED, result)
    run(*HARM[kind].format(end=end()).split())
    with pytest.raises(CheckFailed):
        check(GUARDED, result)
    delete(GUARDED)
    assert not spoofing.ports(Paths())


@pytest.mark.parametrize("kind", ["table", "rule", "element", "port", "another rule"])
def test_the_next_pod_or_the_agent_builds_the_table_anew(kind: str) -> None:
    result = add(GUARDED)
    run(*HARM[kind].format(end=end()).split())
    done = mend.firewall(Paths(), Desired(routes=None), deep=True)
    assert done == ["built the nftables table of bridges anew"]
    check(GUARDED, result)


def test_a_damaged_file_is_named_and_stops_no_del() -> None:
    add(GUARDED)
    Path(f"/run/dari/spoofing/{end()}.json").write_text("{")
    with pytest.raises(DariError, match="not a record of a guarded port"):
        spoofing.verify(Paths())
    delete(GUARDED)
    assert nothing_left()


def test_a_pod_whose_guard_fails_is_undone() -> None:
    Path("/run/dari").mkdir(exist_ok=True)
    Path("/run/dari/spoofing").write_text("in the way")
    add_namespace("c1")
    with pytest.raises(DariError):
        add(GUARDED)
    assert not links("dari")


def test_the_interface_may_be_left_down() -> None:
    result = add(DOWN)
    [pod] = ip("link", "show", "dev", "eth0", namespace="c1")
    assert "UP" not in pod["flags"]
    assert [each.name for each in result.interfaces][::2] == ["cni0", "eth0"]
    check(DOWN, result)
    run("ip", "link", "set", "eth0", "up", namespace="c1")
    with pytest.raises(CheckFailed, match="eth0 in the pod is up"):
        check(DOWN, result)
    delete(DOWN)
    assert not links("dari")


@pytest.mark.parametrize(
    "keys",
    [
        {"disableContainerInterface": True},
        {"vlan": -1},
        {"vlan": 4095},
        {"vlan": "7"},
        {"vlan": True},
        {"vlan": 7, "vlanTrunk": [{"id": 8}]},
        {"vlanTrunk": {}},
        {"vlanTrunk": [7]},
        {"vlanTrunk": [{"id": 0}]},
        {"vlanTrunk": [{"id": 4095}]},
        {"vlanTrunk": [{"minID": 5}]},
        {"vlanTrunk": [{"maxID": 5}]},
        {"vlanTrunk": [{"minID": 6, "maxID": 5}]},
        {"vlanTrunk": [{"minID": 0, "maxID": 5}]},
        {"vlanTrunk": [{"minID": 1, "maxID": 4095}]},
        {"preserveDefaultVlan": 1},
        {"macspoofchk": "yes"},
        {"ipMasqBackend": "pf"},
    ],
)
def test_a_wrong_configuration_changes_nothing(keys: dict[str, object]) -> None:
    with pytest.raises(BadConfig):
        add({**NOTES_CONF, **keys})
    assert links() == ["lo"]


@given(junk_for("vlan", "vlanTrunk", "preserveDefaultVlan", "macspoofchk"))
def test_a_hostile_configuration_is_bad_config(junk: dict[str, object]) -> None:
    with suppress(BadConfig):
        parse_bridge(call("ADD", {**PLAIN, **junk}))


@given(st.lists(st.integers(1, 4094)))
def test_a_trunk_holds_just_what_was_asked_for(vlans: list[int]) -> None:
    conf = parse_bridge(call("ADD", {**PLAIN, "vlanTrunk": [{"id": each} for each in vlans]}))
    assert conf.vlans is not None
    held = [each for first, last in conf.vlans.trunk for each in range(first, last + 1)]
    assert held == sorted({*vlans})


VLANS: list[dict[str, object]] = [
    {"vlan": 7},
    {"vlan": 7, "preserveDefaultVlan": False},
    {"vlanTrunk": [{"id": 3}, {"minID": 5, "maxID": 9}]},
    {"vlanTrunk": []},
]


@pytest.mark.parametrize("keys", VLANS)
def test_vlans_are_refused_where_the_kernel_does_not_filter_and_work_where_it_does(
    keys: dict[str, object],
) -> None:
    conf = {**NOTES_CONF, **keys}
    if kernel_filters():
        result = add(conf)
        check(conf, result)
        delete(conf)
    else:
        with pytest.raises(UnsupportedField, match="do not filter VLANs"):
            add(conf)
        assert "cni0" not in links()
    assert not links("dari")


def kernel_filters() -> bool:
    run("ip", "link", "add", "probe", "type", "bridge")
    there = Path("/sys/class/net/probe/bridge/vlan_filtering").exists()
    run("ip", "link", "delete", "probe")
    return there


def test_vlan_0_and_the_default_kept_ask_for_nothing() -> None:
    add({**NOTES_CONF, "vlan": 0, "preserveDefaultVlan": True})
    assert reaches("10.22.0.1", "c1")


def test_both_masquerade_backends_are_nftables() -> None:
    for backend in ("iptables", "nftables"):
        add({**NOTES_CONF, "ipMasqBackend": backend}, backend)
    assert run("nft", "list", "ruleset").count("table ip ") == 0
