from __future__ import annotations

from ipaddress import ip_interface

import pytest

from dari.agent.config import read_config
from dari.agent.earlier import ranges_in_use
from dari.agent.observe import Observed
from dari.agent.options import Given
from dari.netlink.address import Address
from dari.netlink.link import Link
from dari.paths import Paths


def seen(link: str, *addresses: str) -> Observed:
    return Observed(
        links=(Link(index=7, name=link, kind="bridge"),),
        addresses=tuple(Address(index=7, interface=ip_interface(each)) for each in addresses),
    )


def used(observed: Observed) -> list[str]:
    config = read_config({"ipv6": Given(value=True, label="--ipv6")}, Paths(), "node1")
    return [str(each) for each in ranges_in_use(config, observed)]


def test_what_the_bridge_is_the_gateway_of_is_in_use() -> None:
    observed = seen("cni0", "10.244.3.1/24", "fd00:10:244:3::1/64", "fe80::1/64")
    assert used(observed) == ["10.244.3.0/24", "fd00:10:244:3::/64"]


@pytest.mark.parametrize(
    ("link", "address"),
    [
        ("br7", "10.244.3.1/24"),
        ("cni0", "10.244.3.2/24"),
        ("cni0", "10.244.0.1/16"),
        ("cni0", "10.244.3.1/25"),
        ("cni0", "10.88.0.1/24"),
    ],
)
def test_another_bridge_another_address_or_another_size_tells_nothing(
    link: str, address: str
) -> None:
    assert used(seen(link, address)) == []
