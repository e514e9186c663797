from __future__ import annotations

import json
from collections.abc import Sequence
from ipaddress import ip_address, ip_network

import pytest

from dari.agent.backends import own_speech
from dari.agent.config import AgentConfig, read_config
from dari.agent.desired import Desired, decide, gateway_of, own_record
from dari.agent.location import Location
from dari.agent.observe import Observed
from dari.agent.options import Given
from dari.agent.planner import Planner
from dari.model import NodeName
from dari.netlink.route import KernelRoute
from dari.paths import Paths
from dari.store.record import NodeRecord

LOCATION = Location(
    addresses=(ip_address("192.168.0.1"),),
    device=2,
    interface="eth0",
    mac="02:00:00:00:00:01",
    mtu=1450,
)
OBSERVED = Observed(routes=(KernelRoute(dst=ip_network("192.168.0.0/24"), device=2, protocol=2),))
RANGES = [ip_network("10.244.1.0/24"), ip_network("fd00:10:244:1::/64")]
PEER = NodeRecord(
    name=NodeName("node2"),
    addresses=(ip_address("192.168.0.2"),),
    pod_ranges=(ip_network("10.244.2.0/24"), ip_network("172.20.0.0/24")),
)


def config(**settings: object) -> AgentConfig:
    given = {
        key.replace("_", "-"): Given(value=value, label=key) for key, value in settings.items()
    }
    return read_config(given, Paths(), "node1")


def decided(one: AgentConfig, *records: NodeRecord, ranges: list[object] | None = None) -> Desired:
    location = LOCATION.replace(speech=own_speech(one.backend, "node1", ()))
    own = own_record(one, location, RANGES if ranges is None else ())
    return of(one, own, records, location, "/run/dari/leases")


def of(
    one: AgentConfig,
    own: NodeRecord,
    records: Sequence[NodeRecord] | None,
    location: Location,
    leases: str = "",
) -> Desired:
    planned = Planner(one).plan(own, records, OBSERVED, location)
    return decide(one, own, planned, OBSERVED, location, leases)


def test_the_record_says_where_the_node_is_and_what_it_holds() -> None:
    record = own_record(config(), LOCATION, RANGES)
    assert record == NodeRecord(
        name=NodeName("node1"),
        addresses=LOCATION.addresses,
        pod_ranges=tuple(RANGES),
        mac=LOCATION.mac,
        backend={"type": "direct"},
    )


def test_a_node_has_routes_a_bridge_forwarding_masquerading_and_a_configuration() -> None:
    desired = decided(config(ipv6=True), PEER)
    assert desired.routes and [str(each.dst) for each in desired.routes.routes] == [
        "10.244.2.0/24",
        "172.20.0.0/24",
    ]
    assert [str(each) for each in desired.gateways] == ["10.244.1.1/24", "fd00:10:244:1::1/64"]
    assert desired.forwarding == (4, 6)
    assert json.loads(desired.conflist)["plugins"][0]["ipMasq"] is False


def test_what_stays_in_the_cluster_is_not_masqueraded_given_ranges_included() -> None:
    masqueraded = decided(config(), PEER).masqueraded
    assert masqueraded
    assert list(masqueraded.sources) == RANGES
    assert [str(each) for each in masqueraded.spared] == [
        "10.244.0.0/16",
        "172.20.0.0/24",
        "fd00:10:244:1::/64",
    ]
    assert decided(config(masquerade=False), PEER).masqueraded is None


def test_pain_13_the_mtu_is_the_underlays_unless_it_is_given() -> None:
    for one, mtu in ((config(), 1450), (config(mtu=1400), 1400)):
        desired = decided(one)
        assert desired.mtu == mtu
        assert json.loads(desired.conflist)["plugins"][0]["mtu"] == mtu


def test_without_a_range_there_are_routes_but_no_pods() -> None:
    desired = decided(config(), PEER, ranges=[])
    assert desired.routes and len(desired.routes.routes) == 2
    assert (desired.gateways, desired.masqueraded, desired.conflist) == ((), None, "")


def test_a_router_has_routes_to_all_even_to_a_node_of_its_own_name() -> None:
    one = config(role="router", node_name="node2")
    own = own_record(one, Location(), ())
    desired = of(one, own, [PEER], Location())
    assert desired.routes and len(desired.routes.routes) == 2
    assert desired.forwarding == (4,)
    assert (desired.gateways, desired.masqueraded, desired.conflist) == ((), None, "")


def test_while_the_store_has_never_answered_routes_are_left_alone() -> None:
    own = own_record(config(), LOCATION, RANGES)
    assert of(config(), own, None, LOCATION).routes is None


@pytest.mark.parametrize(
    ("network", "gateway"),
    [
        ("10.244.1.0/24", "10.244.1.1/24"),
        ("10.244.1.252/30", "10.244.1.253/30"),
        ("fd00::/64", "fd00::1/64"),
    ],
)
def test_the_gateway_is_the_first_address_of_a_range(network: str, gateway: str) -> None:
    assert str(gateway_of(ip_network(network))) == gateway


def node2(**backend: object) -> NodeRecord:
    return PEER.replace(backend=backend)


def test_pain_13_through_a_tunnel_pods_have_the_underlays_mtu_less_what_it_adds() -> None:
    one = config(backend="vxlan", ipv6=True)
    desired = decided(one, node2(type="vxlan", vni=79, port=4789, mac="02:00:00:00:00:02"))
    assert desired.routes
    assert len(desired.routes.remotes) == desired.routes.reached == 2
    assert desired.mtu == desired.routes.tunnels[0].mtu == 1400
    assert json.loads(desired.conflist)["plugins"][0]["mtu"] == 1400
    assert decided(config(backend="vxlan", mtu=9000)).mtu == 9000


def test_while_the_store_has_never_answered_pods_get_the_tunnels_mtu_all_the_same() -> None:
    own = own_record(config(backend="vxlan"), LOCATION, RANGES)
    desired = of(config(backend="vxlan"), own, None, LOCATION)
    assert (desired.routes, desired.mtu) == (None, 1400)


def test_a_backend_that_cannot_be_read_is_refused_and_its_node_named() -> None:
    desired = decided(config(), node2(type="vxlan", vni="x"))
    assert desired.routes and desired.routes.routes == ()
    assert "node2: its record's backend: vni: 'x'" in desired.routes.refused[0]


def test_bgp_has_a_part_for_bird_and_other_backends_and_routers_have_none() -> None:
    desired = decided(config(backend="bgp"), node2(**{"type": "bgp", "as": 64512}))
    assert "protocol bgp dari_node2_4 {" in desired.bird
    assert desired.routes and desired.routes.routes == ()
    assert desired.routes.reached == 2
    assert decided(config(), PEER).bird == ""
    one = config(backend="bgp", role="router")
    own = own_record(one, Location(), ())
    router = of(one, own, [node2(type="bgp")], Location())
    assert router.bird == "" and router.routes and len(router.routes.routes) == 2


def test_subnet_env_is_written_where_it_is_asked_for() -> None:
    assert decided(config()).subnet_env == ""
    asked = config(write_subnet_env="/run/flannel/subnet.env", ipv6=True, masquerade=False)
    assert decided(asked).subnet_env == (
        "FLANNEL_NETWORK=10.244.0.0/16\n"
        "FLANNEL_SUBNET=10.244.1.1/24\n"
        "FLANNEL_IPV6_NETWORK=fd00:10:244::/56\n"
        "FLANNEL_IPV6_SUBNET=fd00:10:244:1::1/64\n"
        "FLANNEL_MTU=1450\n"
        "FLANNEL_IPMASQ=false\n"
    )
