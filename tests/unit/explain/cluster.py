"""Small clusters made by hand: two nodes with a pod each, on one switch, and one outside."""

from __future__ import annotations

from collections.abc import Callable
from ipaddress import ip_address, ip_interface, ip_network
from typing import TYPE_CHECKING

from dari.addr import mac_of
from dari.model import NodeName
from dari.netlink.address import Address
from dari.netlink.link import Link
from dari.netlink.neighbour import Neighbour
from dari.netlink.route import KernelRoute
from dari.netlink.rule import Rule
from dari.record import Record
from dari.snapshot.model import (
    OUTSIDE,
    SWITCH,
    Attached,
    Lease,
    Machine,
    Orders,
    Place,
    Pod,
    Snapshot,
)
from dari.store.record import NodeRecord

if TYPE_CHECKING:
    from dari.model import IPNetwork

ETH0, BRIDGE, CABLE = 2, 3, 4
RULES = tuple(
    Rule(version=4, priority=priority, table=table)
    for priority, table in ((0, 255), (32766, 254), (32767, 253))
)
NETWORK = ip_network("10.0.1.0/24")


def pod_range(node: int) -> IPNetwork:
    return ip_network(f"10.244.{node}.0/24")


def snapshot() -> Snapshot:
    """node1 with pod-1, node2 with pod-2, outside, and the switch between them."""
    nodes = [_node(1), _node(2)]
    outside = Machine(name="outside", kind=OUTSIDE, place=_outside())
    return Snapshot(machines=(*nodes, outside, _switch()), lab="lab")


def changed(where: Snapshot, name: str, change: Callable[[Place], Place]) -> Snapshot:
    """The snapshot with the place of a machine or pod changed."""

    def of_pod(pod: Pod) -> Pod:
        return pod.replace(place=change(pod.place)) if pod.name == name and pod.place else pod

    def of_machine(one: Machine) -> Machine:
        place = change(one.place) if one.name == name else one.place
        return one.replace(place=place, pods=tuple(map(of_pod, one.pods)))

    return where.replace(machines=tuple(map(of_machine, where.machines)))


def with_link(name: str, **changes: object) -> Callable[[Place], Place]:
    """A change of the link of this name."""

    def change(place: Place) -> Place:
        links = [one.replace(**changes) if one.name == name else one for one in place.links]
        return place.replace(links=tuple(links))

    return change


def without_route(dst: str) -> Callable[[Place], Place]:
    """A change that takes a route away."""

    def change(place: Place) -> Place:
        kept = tuple(one for one in place.routes if str(one.dst) != dst)
        return place.replace(routes=kept)

    return change


def with_route(**fields: object) -> Callable[[Place], Place]:
    """A change that adds a route; the same destination's earlier one of its metric goes."""
    route = KernelRoute(**fields)  # type: ignore[arg-type]

    def change(place: Place) -> Place:
        kept = [
            one
            for one in place.routes
            if (one.dst, one.metric, one.table) != (route.dst, route.metric, route.table)
        ]
        return place.replace(routes=(*kept, route))

    return change


def plus(field: str, *values: Record) -> Callable[[Place], Place]:
    """A change that adds to a table."""
    return lambda place: place.replace(**{field: (*values, *getattr(place, field))})


def with_setting(name: str, value: str) -> Callable[[Place], Place]:
    """A change of a sysctl."""
    return lambda place: place.replace(sysctls={**place.sysctls, name: value})


def local(address: str, device: int) -> KernelRoute:
    return KernelRoute(
        dst=ip_network(address), device=device, table=255, kind=2, protocol=2, scope=254
    )


def _link(index: int, name: str, **fields: object) -> Link:
    usual: dict[str, object] = {"mtu": 1500, "up": True, "carrier": True, "running": True}
    return Link(index=index, name=name, **{**usual, **fields})  # type: ignore[arg-type]


LO = _link(1, "lo", mac="00:00:00:00:00:00", mtu=65536, flags=0x8)


def _node(number: int) -> Machine:
    address, own = f"10.0.1.1{number}", pod_range(number)
    gateway = own[1]
    attached = Attached(container_id=f"pod-{number}", ifname="eth0", network="dari", type="dari")
    cable = f"dari{number}"
    place = Place(
        inode=number,
        links=(
            LO,
            _link(ETH0, "eth0", kind="veth", mac=_mac(address), peer_index=number, netns_id=0),
            _link(BRIDGE, "cni0", kind="bridge", mac=mac_of(gateway)),
            _link(
                CABLE,
                cable,
                kind="veth",
                mac=f"fe:00:00:00:00:0{number}",
                peer_index=2,
                netns_id=1,
                master=BRIDGE,
                flood=True,
                hairpin=True,
                alias=f"dari dari pod-{number} eth0",
            ),
        ),
        addresses=(
            Address(index=ETH0, interface=ip_interface(f"{address}/24")),
            Address(index=BRIDGE, interface=ip_interface((gateway, 24))),
        ),
        routes=(
            local(address, ETH0),
            local(str(gateway), BRIDGE),
            KernelRoute(dst=NETWORK, device=ETH0, protocol=2, source=ip_address(address)),
            KernelRoute(dst=own, device=BRIDGE, protocol=2, source=gateway),
            KernelRoute(
                dst=pod_range(3 - number),
                gateway=ip_address(f"10.0.1.1{3 - number}"),
                device=ETH0,
                protocol=79,
            ),
            KernelRoute(dst=ip_network("0.0.0.0/0"), gateway=ip_address("10.0.1.254"), device=ETH0),
        ),
        rules=RULES,
        fdb=(
            Neighbour(index=BRIDGE, mac=mac_of(gateway), master=BRIDGE),
            Neighbour(index=CABLE, mac=mac_of(own[2]), state=2, master=BRIDGE),
        ),
        sysctls={"net/ipv4/ip_forward": "1", "net/ipv4/conf/eth0/forwarding": "1"},
    )
    pod = Pod(
        name=f"pod-{number}",
        netns=f"/run/netns/pod-{number}",
        attachments=(attached.replace(bridge="cni0", host_end=cable),),
        place=_pod(own, CABLE),
    )
    return Machine(
        name=f"node{number}",
        place=place,
        pods=(pod,),
        record=_record(number),
        peers=(_record(3 - number),),
        orders=Orders(
            node_name=f"node{number}",
            bridge="cni0",
            backend="direct",
            cluster_ranges=(ip_network("10.244.0.0/16"),),
        ),
        leases=(
            Lease(
                path=f"/run/dari/leases/dari/{own[2]}",
                network="dari",
                address=own[2],
                container_id=f"pod-{number}",
                ifname="eth0",
            ),
        ),
    )


def _pod(own: IPNetwork, peer: int) -> Place:
    return Place(
        inode=100 + int(own.network_address),
        links=(LO, _link(2, "eth0", kind="veth", mac=mac_of(own[2]), peer_index=peer, netns_id=0)),
        addresses=(Address(index=2, interface=ip_interface((own[2], 24))),),
        routes=(
            local(str(own[2]), 2),
            KernelRoute(dst=own, device=2, protocol=2, source=own[2]),
            KernelRoute(dst=ip_network("0.0.0.0/0"), gateway=own[1], device=2),
        ),
        rules=RULES,
    )


def _record(number: int) -> NodeRecord:
    return NodeRecord(
        name=NodeName(f"node{number}"),
        addresses=(ip_address(f"10.0.1.1{number}"),),
        pod_ranges=(pod_range(number),),
        mac=_mac(f"10.0.1.1{number}"),
        backend={"type": "direct"},
    )


def _outside() -> Place:
    return Place(
        inode=9,
        links=(
            LO,
            _link(ETH0, "eth0", kind="veth", mac=_mac("10.0.1.254"), peer_index=3, netns_id=0),
        ),
        addresses=(Address(index=ETH0, interface=ip_interface("10.0.1.254/24")),),
        routes=(
            local("10.0.1.254", ETH0),
            KernelRoute(dst=NETWORK, device=ETH0, protocol=2, source=ip_address("10.0.1.254")),
            KernelRoute(dst=ip_network("0.0.0.0/0"), kind=7, protocol=4),
        ),
        rules=RULES,
    )


def _switch() -> Machine:
    ends = ("node1", "node2", "outside")
    cables = [
        _link(
            index,
            name,
            kind="veth",
            mac=f"fe:00:00:00:01:0{index}",
            peer_index=ETH0,
            netns_id=index,
            master=9,
            flood=True,
        )
        for index, name in enumerate(ends, 1)
    ]
    bridge = _link(9, "segment1", kind="bridge", mac="fe:00:00:00:01:09")
    return Machine(name="switch", kind=SWITCH, place=Place(links=(*cables, bridge), rules=RULES))


def _mac(address: str) -> str:
    return "02:1a" + mac_of(ip_address(address))[5:]
