"""A plugin's configuration: what every plugin shares, and what is wrong with it."""

from __future__ import annotations

from ipaddress import ip_interface

import pytest

from dari.cni.config import ATTACHMENTS, SINCE, read_config, read_version, require_verb
from dari.errors import BadConfig, DariError, IncompatibleVersion, Undecodable
from dari.model import DNS, ContainerId, InterfaceName, Owner
from dari.result import SUPPORTED, at_least, encode_result
from tests.unit.cni.fake_plugin import RESULT
from tests.unit.cni.node import NEWEST, config


def test_what_plugins_share() -> None:
    raw = config(
        ipam={"type": "host-local"},
        runtimeConfig={"mac": "0a:58:0a:16:00:05"},
        args={"cni": {"ips": ["10.22.0.9"]}},
        dns={"nameservers": ["10.96.0.10"]},
        prevResult={"ips": [{"address": "10.22.0.5/16"}]},
        keyOfMyOwn=[1],
    )
    conf = read_config(raw, "ADD")
    assert (conf.cni_version, conf.name, conf.type) == (NEWEST, "mynet", "fake")
    assert conf.ipam == {"type": "host-local"}
    assert conf.runtime_config == {"mac": "0a:58:0a:16:00:05"}
    assert conf.args == {"cni": {"ips": ["10.22.0.9"]}}
    assert conf.dns == DNS(nameservers=("10.96.0.10",))
    assert conf.prev_result is not None
    assert conf.prev_result.ips[0].address == ip_interface("10.22.0.5/16")
    assert conf.valid_attachments is None
    assert conf.raw is raw


def test_what_is_not_given_or_null_is_empty() -> None:
    conf = read_config({"name": "n", "ipam": None, "dns": None, "prevResult": None}, "ADD")
    assert (conf.cni_version, conf.type, conf.ipam, conf.dns) == ("0.1.0", "", {}, DNS())
    assert conf.prev_result is None


@pytest.mark.parametrize(("given", "read"), [({}, "0.1.0"), ({"cniVersion": ""}, "0.1.0")])
def test_no_version_is_the_first(given: dict[str, object], read: str) -> None:
    assert read_version(given) == read


@pytest.mark.parametrize("version", SUPPORTED)
def test_supported_versions(version: str) -> None:
    assert read_version({"cniVersion": version}) == version


@pytest.mark.parametrize("version", ["0.3", "1.0", "v1.0.0", "1.0.0 ", "0.5.0", "1.2.0", "x"])
def test_a_version_must_match_exactly(version: str) -> None:
    with pytest.raises(IncompatibleVersion, match="cniVersion"):
        read_version({"cniVersion": version})


@pytest.mark.parametrize("command", ["ADD", "DEL", "CHECK", "GC", "STATUS"])
@pytest.mark.parametrize("version", SUPPORTED)
def test_verbs_that_came_later(command: str, version: str) -> None:
    if at_least(version, SINCE.get(command, "0.1.0")):
        require_verb(command, version)
    else:
        with pytest.raises(IncompatibleVersion, match=f"has no {command}"):
            require_verb(command, version)


@pytest.mark.parametrize("name", ["-a", "a b", "a/b", "..", "é", "a\n"])
def test_network_names_that_are_none(name: str) -> None:
    with pytest.raises(BadConfig, match="name: "):
        read_config(config(name=name), "ADD")


@pytest.mark.parametrize("key", ["name", "type", "ipam", "runtimeConfig", "args", "dns"])
@pytest.mark.parametrize("value", [5, True, ["x"]])
def test_a_key_of_the_wrong_type_is_named(key: str, value: object) -> None:
    with pytest.raises(BadConfig, match=f"^{key}: "):
        read_config({**config(), key: value}, "ADD")


@pytest.mark.parametrize("version", SUPPORTED)
@pytest.mark.parametrize("said", SUPPORTED)
def test_prev_result_may_be_of_any_version(version: str, said: str) -> None:
    conf = read_config(config(version, prevResult=encode_result(RESULT, said)), "ADD")
    assert conf.prev_result is not None
    assert [ip.address for ip in conf.prev_result.ips] == [ip_interface("10.22.0.5/16")]


BROKEN: list[tuple[object, type[DariError], str]] = [
    ({"ips": [{"address": "x"}]}, Undecodable, r"^prevResult\.ips\[0\]\.address: "),
    ({"cniVersion": "7.0.0"}, IncompatibleVersion, r"^prevResult\.cniVersion: "),
    ("x", BadConfig, "^prevResult: "),
]


@pytest.mark.parametrize(("said", "kind", "why"), BROKEN)
@pytest.mark.parametrize("command", ["ADD", "CHECK"])
def test_a_broken_prev_result(command: str, said: object, kind: type[DariError], why: str) -> None:
    with pytest.raises(kind, match=why):
        read_config(config(prevResult=said), command)


@pytest.mark.parametrize(("said", "kind", "why"), BROKEN)
@pytest.mark.parametrize("command", ["DEL", "GC", "STATUS"])
def test_a_broken_prev_result_stops_no_removal(
    command: str, said: object, kind: type[DariError], why: str
) -> None:
    assert read_config(config(prevResult=said), command).prev_result is None


def owner(container: str, ifname: str) -> Owner:
    return Owner(container_id=ContainerId(container), ifname=InterfaceName(ifname))


ONE = [{"containerID": "a", "ifname": "eth0"}]


@pytest.mark.parametrize(
    ("given", "valid"),
    [
        ({ATTACHMENTS[0]: ONE}, (owner("a", "eth0"),)),
        ({ATTACHMENTS[1]: ONE}, (owner("a", "eth0"),)),
        ({ATTACHMENTS[0]: ONE, ATTACHMENTS[1]: []}, (owner("a", "eth0"),)),
        ({ATTACHMENTS[0]: []}, ()),
        ({ATTACHMENTS[0]: None}, ()),
    ],
)
def test_attachments_that_gc_must_keep(given: dict[str, object], valid: tuple[Owner, ...]) -> None:
    raw = {"cniVersion": NEWEST, "name": "mynet", **given}
    assert read_config(raw, "GC").valid_attachments == valid
    assert read_config(raw, "DEL").valid_attachments is None


@pytest.mark.parametrize(
    "given",
    [
        {},
        {ATTACHMENTS[0]: {}},
        {ATTACHMENTS[0]: ""},
        {ATTACHMENTS[0]: False},
        {ATTACHMENTS[0]: {"containerID": "a"}},
        {ATTACHMENTS[0]: ["a"]},
        {ATTACHMENTS[0]: [{"containerID": "a"}]},
        {ATTACHMENTS[0]: [{"ifname": "a"}]},
        {ATTACHMENTS[0]: [{"containerID": 5, "ifname": "eth0"}]},
    ],
)
def test_a_list_of_attachments_in_doubt_removes_nothing(given: dict[str, object]) -> None:
    with pytest.raises(BadConfig):
        read_config({"cniVersion": NEWEST, "name": "mynet", **given}, "GC")
