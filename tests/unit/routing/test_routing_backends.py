"""Each backend: from two nodes' records to a way, or to the reason why there is none."""

from __future__ import annotations

from ipaddress import ip_address, ip_network

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dari.netlink.route import KernelRoute
from dari.routing.desired import BACKENDS, Plan, plan_routes
from dari.routing.peer import Peer, Speech
from dari.routing.vxlan import mac_of_node
from dari.routing.way import RTPROT_DARI, Overlay
from tests.unit.routing.nodes import TABLE, node

MACS = {name: mac_of_node(name) for name in ("node1", "node2", "node3")}


def vxlan(name: str, addresses: str, ranges: str, type_: str = "vxlan") -> Peer:
    speech = Speech(type=type_, vni=79, port=4789, mac=MACS[name])
    return node(name, addresses, ranges).replace(speech=speech)


OWN = vxlan("node1", "192.168.0.1 fd00::1", "10.244.1.0/24 fd00:244:1::/64")
TWO = vxlan("node2", "192.168.0.2 fd00::2", "10.244.2.0/24 fd00:244:2::/64 10.99.0.0/24")
FAR = vxlan("node3", "192.168.1.3", "10.244.3.0/24")


def plan(*peers: Peer, own: Peer = OWN, **overlay: object) -> Plan:
    kind = str(overlay.pop("type", own.speech.type))
    return plan_routes(own, peers, TABLE, Overlay(type=kind, **overlay), 1500)  # type: ignore[arg-type]


def behind(found: Plan) -> dict[str, tuple[str, str, str]]:
    return {str(each.network): (each.tunnel, each.mac, str(each.address)) for each in found.remotes}


def test_every_range_of_a_peer_is_behind_its_end_of_the_tunnel() -> None:
    found = plan(TWO, FAR)
    assert found.routes == () and found.refused == ()
    assert behind(found) == {
        "10.99.0.0/24": ("dari.vxlan", MACS["node2"], "192.168.0.2"),
        "10.244.2.0/24": ("dari.vxlan", MACS["node2"], "192.168.0.2"),
        "10.244.3.0/24": ("dari.vxlan", MACS["node3"], "192.168.1.3"),
        "fd00:244:2::/64": ("dari.vxlan", MACS["node2"], "192.168.0.2"),
    }


def test_pain_8_13_the_device_has_the_nodes_mac_and_the_underlays_mtu_less_what_it_adds() -> None:
    (device,) = plan(TWO).tunnels
    assert (device.name, device.vni, device.port, device.mac) == (
        "dari.vxlan",
        79,
        4789,
        MACS["node1"],
    )
    assert (device.mtu, str(device.local)) == (1450, "192.168.0.1")
    assert [str(each) for each in device.addresses] == ["10.244.1.0/32", "fd00:244:1::/128"]
    (device,) = plan(TWO, own=OWN.replace(addresses=(ip_address("fd00::1"),))).tunnels
    assert (device.name, device.mtu, str(device.local)) == ("dari.vxlan6", 1430, "fd00::1")
    assert plan(TWO, mtu=8000).tunnels[0].mtu == 8000


def test_a_peer_that_has_ipv6_alone_gets_a_device_of_its_own() -> None:
    six = vxlan("node2", "fd00::2", "10.244.2.0/24")
    found = plan(six, FAR)
    assert [each.name for each in found.tunnels] == ["dari.vxlan", "dari.vxlan6"]
    assert behind(found)["10.244.2.0/24"] == ("dari.vxlan6", MACS["node2"], "fd00::2")
    assert behind(found)["10.244.3.0/24"][0] == "dari.vxlan"


@pytest.mark.parametrize(
    ("stranger", "reason"),
    [
        (TWO.replace(speech=TWO.speech.replace(vni=1)), "tunnel of VNI 79 and node2 of VNI 1:"),
        (TWO.replace(speech=TWO.speech.replace(port=8472)), "of port 4789 and node2 of port 8472:"),
        (TWO.replace(speech=TWO.speech.replace(mac="")), "node2 does not say its tunnel's MAC"),
        (TWO.replace(speech=TWO.speech.replace(mac=MACS["node1"])), "node1 and node2 have one MAC"),
        (TWO.replace(addresses=(ip_address("192.168.0.1"),)), "claims this node's address"),
        (TWO.replace(addresses=()), "no address of the same family"),
        (TWO.replace(trouble="vni: 'x' is not"), "node2: vni: 'x' is not"),
    ],
)
def test_a_peer_that_does_not_fit_gets_no_route_and_a_reason(stranger: Peer, reason: str) -> None:
    found = plan(stranger, FAR)
    assert set(behind(found)) == {"10.244.3.0/24"}
    assert any(reason in text for text in found.refused)


def test_two_peers_with_one_mac_are_both_named() -> None:
    twin = FAR.replace(speech=TWO.speech)
    found = plan(TWO, twin)
    assert found.remotes == ()
    assert found.refused == (
        f"the tunnels of node2 and node3 have one MAC, {MACS['node2']}: no route to their pods",
    )


@pytest.mark.parametrize("kind", sorted(BACKENDS))
def test_towards_a_node_of_the_direct_backend_ranges_are_routed_directly(kind: str) -> None:
    plain = node("node2", "192.168.0.2", "10.244.2.0/24")
    found = plan(plain, type=kind)
    assert found.remotes == () and found.learnt == ()
    assert [str(each.gateway) for each in found.routes] == ["192.168.0.2"]


@pytest.mark.parametrize("kind", sorted(BACKENDS.keys() - {"vxlan", "auto"}))
def test_towards_a_node_that_has_a_tunnel_others_go_directly(kind: str) -> None:
    found = plan(TWO, type=kind, own=node("node1", "192.168.0.1 fd00::1"))
    assert found.remotes == ()
    assert {str(each.gateway) for each in found.routes} == {"192.168.0.2", "fd00::2"}


def test_auto_is_direct_on_a_segment_and_a_tunnel_beyond_it() -> None:
    own, two, far = (
        each.replace(speech=each.speech.replace(type="auto")) for each in (OWN, TWO, FAR)
    )
    found = plan(two, far, own=own)
    assert set(behind(found)) == {"10.244.3.0/24"}
    assert {str(each.gateway) for each in found.routes} == {"192.168.0.2", "fd00::2"}
    assert found.tunnels[0].mtu == 1450
    assert len(plan(TWO, own=own).remotes) == 3, "the other one would answer by the tunnel"


def flannel(name: str, addresses: str, ranges: str) -> Peer:
    speech = Speech(type="flannel", vni=1, port=8472, mac=MACS[name], mac6="02" + MACS[name][2:])
    return node(name, addresses, ranges).replace(speech=speech)


def test_flannel_has_a_device_for_each_family_of_pods() -> None:
    own = flannel("node1", "192.168.0.1 fd00::1", "10.244.1.0/24 fd00:244:1::/64")
    two = flannel("node2", "192.168.0.2 fd00::2", "10.244.2.0/24 fd00:244:2::/64")
    found = plan(two, own=own, vni=1, port=8472)
    assert behind(found) == {
        "10.244.2.0/24": ("flannel.1", MACS["node2"], "192.168.0.2"),
        "fd00:244:2::/64": ("flannel-v6.1", "02" + MACS["node2"][2:], "fd00::2"),
    }
    four, six = found.tunnels
    assert (four.name, four.mtu, [str(each) for each in four.addresses]) == (
        "flannel.1",
        1450,
        ["10.244.1.0/32"],
    )
    assert (six.name, six.mtu, [str(each) for each in six.addresses]) == (
        "flannel-v6.1",
        1430,
        ["fd00:244:1::/128"],
    )


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"vni": 2}, "VNI 1 and node2 of VNI 2"),
        ({"mac": ""}, "node2 has no tunnel for IPv4"),
    ],
)
def test_a_flannel_node_that_does_not_fit_is_refused(
    change: dict[str, object], reason: str
) -> None:
    own = flannel("node1", "192.168.0.1", "10.244.1.0/24")
    two = flannel("node2", "192.168.0.2", "10.244.2.0/24")
    found = plan(two.replace(speech=two.speech.replace(**change)), own=own, vni=1, port=8472)
    assert found.remotes == () and reason in found.refused[0]


def bgp(name: str, addresses: str, ranges: str) -> Peer:
    return node(name, addresses, ranges).replace(speech=Speech(type="bgp", as_number=64512))


def test_routes_between_nodes_that_speak_bgp_are_left_to_the_daemon() -> None:
    own, two = bgp("node1", "192.168.0.1", ""), bgp("node2", "192.168.0.2", "10.244.2.0/24")
    found = plan(two, own=own)
    assert found.routes == ()
    assert [str(claim.network) for claim in found.learnt] == ["10.244.2.0/24"]


def test_a_route_that_dari_has_stays_until_the_daemon_has_brought_its_own() -> None:
    own, two = bgp("node1", "192.168.0.1", ""), bgp("node2", "192.168.0.2", "10.244.2.0/24")
    ours = KernelRoute(
        dst=ip_network("10.244.2.0/24"),
        gateway=ip_address("192.168.0.2"),
        device=2,
        protocol=RTPROT_DARI,
    )
    theirs = ours.replace(protocol=12, metric=32)
    overlay = Overlay(type="bgp")
    assert len(plan_routes(own, [two], [*TABLE, ours], overlay).routes) == 1
    assert plan_routes(own, [two], [*TABLE, ours, theirs], overlay).routes == ()


@given(st.text(min_size=1))
def test_pain_8_a_nodes_mac_is_always_the_same_and_a_devices(name: str) -> None:
    mac = bytes.fromhex(mac_of_node(name).replace(":", ""))
    assert mac_of_node(name).replace(":", "") == mac.hex() and len(mac) == 6
    assert mac[0] & 3 == 2
