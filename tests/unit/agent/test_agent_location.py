from __future__ import annotations

from ipaddress import ip_address, ip_interface, ip_network

import pytest

from dari.agent.config import AgentConfig, read_config
from dari.agent.location import Location, locate
from dari.agent.observe import Observed
from dari.agent.options import Given
from dari.netlink.address import Address
from dari.netlink.link import Link
from dari.netlink.route import KernelRoute, NextHop
from dari.paths import Paths

LINKS = ("lo", "eth0", "eth1", "cni0", "dariabcdefghijk", "wlan0")


def config(**settings: object) -> AgentConfig:
    given = {
        key.replace("_", "-"): Given(value=value, label=key) for key, value in settings.items()
    }
    return read_config(given, Paths(), "node1")


def observed(*addresses: str, default: str = "", metric: int = 0) -> Observed:
    """Addresses as ``eth0 192.168.0.1/24 [flags]``; default: ``eth0``'s route."""
    found = []
    for row in addresses:
        link, interface, *flags = row.split()
        scope = 254 if link == "lo" else 0
        found.append(
            Address(
                index=LINKS.index(link) + 1,
                interface=ip_interface(interface),
                scope=scope,
                flags=int(flags[0], 16) if flags else 0x80,
            )
        )
    links = tuple(
        Link(
            index=index,
            name=name,
            mtu=1400 + index,
            mac=f"02:00:00:00:00:{index:02}",
            flags=0x8 if name == "lo" else 1,
        )
        for index, name in enumerate(LINKS, 1)
    )
    routes = tuple(
        KernelRoute(dst=ip_network(dst), device=LINKS.index(default) + 1, metric=metric)
        for dst in ("0.0.0.0/0", "::/0")
        if default
    )
    return Observed(links=links, addresses=tuple(found), routes=routes)


def chosen(location: Location) -> list[str]:
    return [str(address) for address in location.addresses]


ETH0, ETH1 = "eth0 192.168.0.1/24", "eth1 10.0.0.1/24"


def test_the_only_link_with_an_address_is_the_nodes() -> None:
    found = locate(config(), observed("lo 127.0.0.1/8", ETH0))
    assert chosen(found) == ["192.168.0.1"]
    assert (found.interface, found.device, found.mtu) == ("eth0", 2, 1402)
    assert found.mac == "02:00:00:00:00:02"


def test_pain_11_the_default_route_tells_which_of_several_links_it_is() -> None:
    assert chosen(locate(config(), observed(ETH0, ETH1, default="eth1"))) == ["10.0.0.1"]
    assert chosen(locate(config(), observed(ETH1, ETH0, default="eth0"))) == ["192.168.0.1"]


def test_pain_11_several_links_and_no_default_route_is_an_error_that_lists_them() -> None:
    found = locate(config(), observed(ETH0, ETH1))
    assert found.addresses == ()
    (problem,) = found.problems
    assert "eth0 192.168.0.1, eth1 10.0.0.1" in problem
    assert "--interface" in problem and "--node-address" in problem


def with_bridge(*addresses: str, port: str) -> Observed:
    """As `observed`, but eth1 is a bridge, with a port of this kind."""
    found = observed(*addresses)
    links = [each.replace(kind="bridge") if each.name == "eth1" else each for each in found.links]
    end = Link(index=99, name="port", kind=port, master=LINKS.index("eth1") + 1)
    return found.replace(links=(*links, *([end] if port != "none" else [])))


@pytest.mark.parametrize("port", ["none", "veth"])
def test_a_bridge_of_another_network_on_this_machine_is_not_taken_for_the_nodes(port: str) -> None:
    found = locate(config(), with_bridge(ETH0, ETH1, port=port))
    assert (chosen(found), found.problems) == (["192.168.0.1"], ())
    alone = locate(config(), with_bridge(ETH1, port=port))
    assert chosen(alone) == ["10.0.0.1"]


def test_a_bridge_that_has_the_nodes_address_keeps_it_while_its_uplink_is_away() -> None:
    here = [ip_address("10.0.0.1")]
    found = locate(config(), with_bridge(ETH0, ETH1, port="none"), here)
    assert found.addresses == () and len(found.problems) == 1


def test_no_family_is_taken_from_a_bridge_of_another_network_alone() -> None:
    both = config(cluster_range=["10.244.0.0/16", "fd00:244::/48"])
    found = locate(both, with_bridge(ETH0, "eth1 fd00::1/64", port="veth"))
    assert chosen(found) == ["192.168.0.1"]


def test_a_bridge_that_leads_out_is_as_good_as_any_link() -> None:
    found = locate(config(), with_bridge(ETH0, ETH1, port=""))
    assert found.addresses == () and len(found.problems) == 1


def test_the_better_of_two_default_routes_counts_and_two_equal_ones_do_not() -> None:
    both = observed(ETH0, ETH1, default="eth0")
    worse = KernelRoute(dst=ip_network("0.0.0.0/0"), device=3, metric=100)
    equal = worse.replace(metric=0)
    hops = (NextHop(device=2), NextHop(device=3))
    several = KernelRoute(dst=ip_network("0.0.0.0/0"), hops=hops)
    assert chosen(locate(config(), both.replace(routes=(worse, *both.routes)))) == ["192.168.0.1"]
    assert locate(config(), both.replace(routes=(*both.routes, equal))).problems
    assert locate(config(), both.replace(routes=(several,))).problems


def test_an_interface_that_was_given_wins_over_the_default_route() -> None:
    found = locate(config(interface="eth1"), observed(ETH0, ETH1, default="eth0"))
    assert chosen(found) == ["10.0.0.1"]


def test_an_address_that_was_given_wins_over_all() -> None:
    found = locate(
        config(node_address=["10.0.0.1"], interface="eth0"), observed(ETH0, ETH1, default="eth0")
    )
    assert (chosen(found), found.interface) == (["10.0.0.1"], "eth1")


@pytest.mark.parametrize(
    ("settings", "complaint"),
    [
        ({"interface": "eth9"}, "interface eth9: it has no IPv4 address"),
        ({"interface": "wlan0"}, "interface wlan0: it has no IPv4 address"),
        ({"node_address": ["1.2.3.4"]}, "node-address 1.2.3.4: no link holds it"),
    ],
)
def test_what_was_given_and_is_not_there_is_not_replaced_by_a_guess(
    settings: dict[str, object], complaint: str
) -> None:
    found = locate(config(**settings), observed(ETH0))
    assert found.addresses == ()
    assert complaint in found.problems[0]
    assert "there are: eth0 192.168.0.1" in found.problems[0]


@pytest.mark.parametrize(
    "row",
    [
        "lo 10.9.9.9/32",
        "cni0 10.244.0.1/24",
        "dariabcdefghijk 10.244.0.1/24",
        "eth1 169.254.3.4/16",
        "eth1 10.0.0.1/24 0x01",
        "eth1 10.0.0.1/24 0x20",
    ],
)
def test_addresses_that_are_not_the_nodes_are_passed_over(row: str) -> None:
    found = locate(config(), observed(row, ETH0))
    assert (chosen(found), found.problems) == (["192.168.0.1"], ())


def test_an_ipv6_address_counts_once_it_is_settled() -> None:
    tentative = observed(ETH0, "eth0 fd00::1/64 0x40")
    assert chosen(locate(config(ipv6=True), tentative)) == ["192.168.0.1"]
    settled = observed(ETH0, "eth0 fd00::1/64", "eth0 fe80::1/64")
    assert chosen(locate(config(ipv6=True), settled)) == ["192.168.0.1", "fd00::1"]


def test_the_second_family_is_looked_for_on_the_same_link_first() -> None:
    seen = observed(ETH0, ETH1, "eth1 fd01::1/64", "eth0 fd00::1/64", default="eth0")
    assert chosen(locate(config(ipv6=True), seen)) == ["192.168.0.1", "fd00::1"]
    seen = observed(ETH0, "eth1 fd01::1/64", default="eth0")
    assert chosen(locate(config(ipv6=True), seen)) == ["192.168.0.1", "fd01::1"]


def test_pain_10_the_current_address_is_kept_while_it_is_there_and_then_followed() -> None:
    second = "eth0 192.168.0.77/24"
    assert chosen(locate(config(), observed(second, ETH0))) == ["192.168.0.77"]
    current = [ip_address("192.168.0.1")]
    assert chosen(locate(config(), observed(second, ETH0), current)) == ["192.168.0.1"]
    assert chosen(locate(config(), observed(second), current)) == ["192.168.0.77"]


def test_a_machine_with_no_network_has_no_place_and_no_problem() -> None:
    assert locate(config(), observed("lo 127.0.0.1/8")) == Location()


SIX = "eth0 fd00::1/64"
TUNNEL = Link(index=9, name="dari.vxlan", kind="vxlan", mac="02:00:00:00:00:99")


def test_a_tunnel_goes_over_whatever_addresses_the_node_has() -> None:
    both = observed(ETH0, SIX, default="eth0")
    assert chosen(locate(config(), both)) == ["192.168.0.1"]
    assert chosen(locate(config(backend="vxlan"), both)) == ["192.168.0.1", "fd00::1"]
    assert chosen(locate(config(backend="auto"), observed(SIX))) == ["fd00::1"]
    found = locate(config(backend="vxlan", interface="eth1"), observed(SIX, ETH1))
    assert (chosen(found), found.problems) == (["10.0.0.1"], ())
    given = locate(config(backend="vxlan", node_address=["fd00::1"]), both)
    assert chosen(given) == ["fd00::1"]


def test_an_address_of_the_second_family_on_another_link_is_not_the_nodes() -> None:
    found = locate(config(backend="vxlan"), observed(ETH0, "wlan0 fd00::9/64"))
    assert (chosen(found), found.problems) == (["192.168.0.1"], ())


def test_the_tunnels_own_addresses_are_not_the_nodes() -> None:
    seen = observed(ETH0)
    base = Address(index=9, interface=ip_interface("10.244.1.0/32"), scope=0, flags=0x80)
    seen = seen.replace(links=(*seen.links, TUNNEL), addresses=(*seen.addresses, base))
    assert chosen(locate(config(), seen)) == ["192.168.0.1"]


def test_pain_8_the_record_speaks_of_a_mac_that_never_drifts() -> None:
    first = locate(config(backend="vxlan"), observed(ETH0)).speech
    assert (first.type, first.vni, first.port) == ("vxlan", 79, 4789)
    drifted = observed(ETH0)
    drifted = drifted.replace(links=(*drifted.links, TUNNEL))
    assert locate(config(backend="vxlan"), drifted).speech == first
    assert locate(config(), observed(ETH0)).speech.mac == ""


def test_a_tunnel_that_flannel_left_keeps_the_mac_that_its_peers_know() -> None:
    left = TUNNEL.replace(name="flannel.1")
    seen = observed(ETH0)
    spoken = locate(config(backend="flannel"), seen.replace(links=(*seen.links, left))).speech
    fresh = locate(config(backend="flannel"), seen).speech
    assert spoken.mac == left.mac
    assert fresh.mac == spoken.mac6 == fresh.mac6 != left.mac
