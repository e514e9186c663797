"""Type `static`, beside Debian's and alone."""

from __future__ import annotations

from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dari.errors import BadConfig, BadEnvironment, CheckFailed
from dari.ipam.static import static_result
from dari.model import Result
from dari.wiring.registry import plugin
from tests.support.calling import host
from tests.support.calls import call
from tests.support.hostile import JUNK, junk_for
from tests.support.isolation import add_namespace
from tests.support.kernel import addresses, ip
from tests.support.pages import describes, examples
from tests.support.twins import Side, both

IPAM: dict[str, object] = {
    "type": "static",
    "addresses": [
        {"address": "10.1.0.5/24", "gateway": "10.1.0.1"},
        {"address": "fd01::5/64", "gateway": "fd01::1"},
    ],
    "routes": [{"dst": "0.0.0.0/0"}, {"dst": "10.9.0.0/16", "gw": "10.1.0.7"}],
    "dns": {"nameservers": ["10.1.0.1"], "domain": "example.com", "search": ["example.com"]},
}
CONF: dict[str, object] = {"cniVersion": "1.0.0", "name": "mynet", "type": "static", "ipam": IPAM}


ALIKE: dict[str, tuple[dict[str, object], str]] = {
    "as configured": ({}, ""),
    "no gateway": ({"ipam": {"type": "static", "addresses": [{"address": "10.1.0.5/24"}]}}, ""),
    "nothing": ({"ipam": {"type": "static"}}, ""),
    "gateway elsewhere": (
        {
            "ipam": {
                "type": "static",
                "addresses": [{"address": "10.1.0.5/24", "gateway": "10.4.0.1"}],
            }
        },
        "",
    ),
    "IP": ({}, "IP=10.1.0.9/24"),
    "IP and GATEWAY": ({}, "IP=10.1.0.9/24, 10.2.0.9/16;GATEWAY=10.1.0.3,10.2.0.7"),
    "GATEWAY alone": ({}, "GATEWAY=10.1.0.3"),
    "GATEWAY of nobody": ({}, "GATEWAY=10.77.0.3"),
    "args": ({"args": {"cni": {"ips": ["10.9.0.1/24", "fd09::1/64"]}}}, "IP=10.1.0.9/24"),
    "runtime": (
        {"args": {"cni": {"ips": ["10.9.0.1/24"]}}, "runtimeConfig": {"ips": ["10.8.0.1/24"]}},
        "IP=10.1.0.9/24;GATEWAY=10.8.0.254",
    ),
    "empty lists": ({"args": {"cni": {"ips": []}}, "runtimeConfig": {"ips": []}}, ""),
    "version 0.2.0": ({"cniVersion": "0.2.0"}, ""),
    "version 0.3.1": ({"cniVersion": "0.3.1"}, ""),
    "version 0.4.0": ({"cniVersion": "0.4.0"}, ""),
}


@pytest.mark.parametrize("case", ALIKE)
def test_answers_as_the_reference_does(case: str) -> None:
    change, args = ALIKE[case]

    def story(side: Side) -> object:
        return side.result(side.add("static", {**CONF, **change}, args=args))

    theirs, ours = both(story)
    assert ours == theirs


REFUSED: dict[str, tuple[dict[str, object], str, int]] = {
    "no section": ({"ipam": None}, "", 7),
    "no prefix length": (
        {"ipam": {"type": "static", "addresses": [{"address": "10.1.0.5"}]}},
        "",
        7,
    ),
    "a mask": (
        {"ipam": {"type": "static", "addresses": [{"address": "10.1.0.5/255.255.255.0"}]}},
        "",
        7,
    ),
    "a zone": ({"ipam": {"type": "static", "addresses": [{"address": "fe80::1%e/64"}]}}, "", 7),
    "no address": ({"ipam": {"type": "static", "addresses": [{}]}}, "", 7),
    "a wrong gateway": (
        {"ipam": {"type": "static", "addresses": [{"address": "10.1.0.5/24", "gateway": "x"}]}},
        "",
        7,
    ),
    "args without length": ({"args": {"cni": {"ips": ["10.9.0.1"]}}}, "", 7),
    "runtime without length": ({"runtimeConfig": {"ips": ["10.9.0.1"]}}, "", 7),
    "IP without length": ({}, "IP=10.1.0.9", 4),
    "a wrong GATEWAY": ({}, "GATEWAY=here", 4),
    "two of a family in 0.2.0": (
        {
            "cniVersion": "0.2.0",
            "ipam": {
                "type": "static",
                "addresses": [{"address": "10.1.0.5/24"}, {"address": "10.1.0.6/24"}],
            },
        },
        "",
        7,
    ),
}


@pytest.mark.parametrize("case", REFUSED)
def test_refuses_what_the_reference_refuses(case: str) -> None:
    change, args, code = REFUSED[case]

    def story(side: Side) -> tuple[int, object]:
        path = add_namespace("c1")
        status, answer = side.ask("static", "ADD", {**CONF, **change}, netns=path, args=args)
        return status, answer["code"]

    theirs, ours = both(story)
    assert theirs[0] == ours[0] == 1
    assert ours[1] == code


def test_check_finds_what_prevresult_lacks() -> None:
    with host() as node:
        result = plugin("static").add(call("ADD", CONF), node)
        check = call("CHECK", CONF, previous=result)
        plugin("static").check(check, node)
        moved = result.ips[0].replace(gateway=None)
        for ips, said in (
            (result.ips[1:], "lacks the address 10.1.0.5/24"),
            ((moved, result.ips[1]), "gateway of 10.1.0.5/24 is none"),
        ):
            with pytest.raises(CheckFailed) as caught:
                request = call("CHECK", CONF, previous=result.replace(ips=ips))
                plugin("static").check(request, node)
            assert said in caught.value.message


def test_del_gc_and_status_need_nothing() -> None:
    with host() as node:
        for _ in range(2):
            plugin("static").delete(call("DEL", {**CONF, "ipam": {"addresses": 5}}), node)
        plugin("static").collect(call("GC", CONF, valid=[]), node)
        plugin("static").status(call("STATUS", CONF), node)
        with pytest.raises(BadConfig):
            plugin("static").status(call("STATUS", {**CONF, "ipam": {"addresses": 5}}), node)


@given(
    junk_for("addresses", "routes", "dns"),
    st.lists(st.dictionaries(st.sampled_from(["address", "gateway"]), JUNK), max_size=2),
    junk_for("ips"),
    st.text(max_size=12),
)
def test_a_hostile_section_is_bad_config(
    ipam: dict[str, object],
    listed: list[dict[str, object]],
    runtime: dict[str, object],
    asked: str,
) -> None:
    section = {"type": "static", "addresses": listed, **ipam}
    conf = {**CONF, "ipam": section, "runtimeConfig": runtime}
    with suppress(BadConfig, BadEnvironment):
        assert isinstance(static_result(call("ADD", conf, args={"IP": asked})), Result)


def test_the_pages_example_wires_a_pod() -> None:
    [conf] = examples("static")
    with host() as node:
        request = call("ADD", conf, netns=add_namespace("c1"))
        result = plugin(conf["type"]).add(request, node)
    assert addresses("eth0", "c1") == {"10.10.0.5/24", "fd00:10::5/64"}
    assert result.dns.search == ("example.com",)
    [far] = ip("route", "show", "192.168.0.0/16", namespace="c1")
    assert far["gateway"] == "10.10.0.254"


@pytest.mark.parametrize(
    "key", ["addresses", "routes", "dns", "IP", "GATEWAY", "runtimeConfig.ips"]
)
def test_the_page_names_every_key(key: str) -> None:
    assert describes("static", key)
