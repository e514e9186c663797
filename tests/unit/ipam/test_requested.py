"""The three ways of asking for an address."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dari.errors import BadConfig, BadEnvironment
from dari.ipam.requested import requested_addresses
from dari.model import ContainerId, InterfaceName, NetConf, NetworkName, Request

if TYPE_CHECKING:
    from dari.model import Json


def request(
    environment: dict[str, str] | None = None,
    args: Json | None = None,
    runtime_config: Json | None = None,
) -> Request:
    conf = NetConf(
        cni_version="1.0.0",
        name=NetworkName("pods"),
        type="bridge",
        raw={},
        args=args or {},
        runtime_config=runtime_config or {},
    )
    return Request(
        command="ADD",
        container_id=ContainerId("c1"),
        ifname=InterfaceName("eth0"),
        netns="/run/netns/c1",
        args=environment or {},
        path=(),
        conf=conf,
    )


def texts(asked: Request) -> list[str]:
    return [str(address) for address in requested_addresses(asked)]


def test_nothing_is_asked_for() -> None:
    assert texts(request()) == []
    assert texts(request({"IP": ""}, {"cni": {"ips": None}}, {"ips": []})) == []


def test_all_three_ways_add_up() -> None:
    asked = request(
        {"IP": "10.1.0.9", "K8S_POD_NAME": "web"},
        {"cni": {"ips": ["10.2.0.9/24", "10.1.0.9"]}},
        {"ips": ["fd00::9/64", "::ffff:10.3.0.9/120"]},
    )
    assert texts(asked) == ["10.1.0.9", "10.2.0.9", "fd00::9", "10.3.0.9"]


@pytest.mark.parametrize("wrong", ["10.1.0.256", "10.1.0.9/33", "10.1.0.9/", "fe80::1%eth0"])
def test_a_wrong_one_is_named_with_where_it_stands(wrong: str) -> None:
    with pytest.raises(BadEnvironment, match="CNI_ARGS IP") as environment:
        requested_addresses(request({"IP": wrong}))
    assert environment.value.code == 4
    with pytest.raises(BadConfig, match=r"args\.cni\.ips"):
        requested_addresses(request(args={"cni": {"ips": [wrong]}}))
    with pytest.raises(BadConfig, match=r"runtimeConfig\.ips"):
        requested_addresses(request(runtime_config={"ips": [wrong]}))


_VALUE = st.one_of(
    st.none(),
    st.integers(),
    st.text(max_size=8),
    st.ip_addresses().map(str),
    st.lists(st.one_of(st.integers(), st.text(max_size=5), st.none()), max_size=3),
)


@settings(deadline=None)
@given(st.text(max_size=10), _VALUE, _VALUE)
def test_hostile_wishes_are_refused_with_a_code(text: str, cni: object, ips: object) -> None:
    for asked in (
        request({"IP": text}),
        request(args={"cni": cni}),
        request(args={"cni": {"ips": ips}}),
        request(runtime_config={"ips": ips}),
    ):
        try:
            requested_addresses(asked)
        except (BadConfig, BadEnvironment) as refused:
            assert refused.code in (4, 7)
