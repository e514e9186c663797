"""Judges why nobody answers: the neighbour, the cable, or a frame that was lost.

May import: causes, netlink's records, snapshot, and within explain: found, mend, messages,
packet, rows, wire, world, and the other judges.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from dari.agent.desired import gateway_of
from dari.causes import identity, links, paths
from dari.causes.finding import Finding
from dari.explain import mend
from dari.explain.found import found_in
from dari.explain.judge import Judge, Judges
from dari.explain.judge_links import (
    bridge_down,
    is_cable,
    link_down,
    pod_address,
    pod_interface,
    unplugged,
    wrong_entry,
)
from dari.explain.messages import _
from dari.explain.wire import Arrival, Dropped, Frame
from dari.explain.world import Spot, World
from dari.netlink.link import Link
from dari.snapshot.model import NODE

if TYPE_CHECKING:
    from dari.model import IPAddress


def silent(
    judges: Judges, world: World, spot: Spot, link: Link, address: IPAddress
) -> Finding | None:
    """Nobody answers for an address: the bridge's, a pod's, a next hop's."""
    judge = judges.of(spot)
    if spot.pod is not None and judge.expected.gateway(address) == address:
        return _no_gateway(judge, world, spot, address)
    holder = _leaseholder(world, spot, address)
    if holder is not None:
        return _silent_pod(judges, world, holder, address)
    text = _("{address} does not answer on {link}").format(address=address, link=link.name)
    for machine in world.snapshot.machines:
        if machine.record and address in machine.record.addresses:
            return _silent_node(world, machine.name, address) or found_in(
                paths.NEXT_HOP_SILENT, spot, str(address), text
            )
    return found_in(paths.NEXT_HOP_SILENT, spot, str(address), text)


def _silent_node(world: World, name: str, address: IPAddress) -> Finding | None:
    spot = world.spot(name)
    if spot is None or spot.holds(address):
        down = [one for one in spot.place.links if not one.up] if spot else []
        held = spot.addresses.get(address) if spot else None
        for link in down:
            if spot and link.index == held:
                return link_down(spot, link)
        return None
    text = _("{name} does not have {address}, which its record names").format(
        name=name, address=address
    )
    return found_in(
        identity.ADDRESS_NOT_RECORDED, spot, str(address), text, (mend.have_agent(spot.machine),)
    )


def _no_gateway(judge: Judge, world: World, spot: Spot, address: IPAddress) -> Finding:
    own = world.own_spot(spot)
    name = judge.expected.bridge
    bridge = own.by_name.get(name)
    if bridge is None:
        return found_in(links.BRIDGE_MISSING, own, name, lines=(mend.have_agent(own.machine),))
    if not bridge.up:
        return bridge_down(own, bridge)
    interface = next(
        gateway_of(each) for each in judge.expected.own_ranges if gateway_of(each).ip == address
    )
    text = _("{bridge} lacks {address}").format(bridge=name, address=interface)
    lines = (mend.add_address(own, name, interface),)
    if own.holds(address):
        return found_in(paths.NEXT_HOP_SILENT, spot, str(address), text)
    return found_in(links.BRIDGE_ADDRESS_MISSING, own, name, text, lines)


def _leaseholder(world: World, spot: Spot, address: IPAddress) -> Spot | None:
    """The pod, on the machine of a place, whose address it should be."""
    owners = {
        (one.container_id, one.ifname) for one in spot.machine.leases if one.address == address
    }
    for other in world.spots:
        if other.machine is not spot.machine or other.pod is None:
            continue
        if any((one.container_id, one.ifname) in owners for one in other.pod.attachments):
            return other
    return None


def _silent_pod(judges: Judges, world: World, holder: Spot, address: IPAddress) -> Finding | None:
    judge = judges.of(holder)
    pod = holder.pod
    assert pod is not None
    for one in pod.attachments:
        link = holder.by_name.get(one.ifname)
        if link is None or not link.up:
            return pod_interface(holder, one.ifname)
        finding = cable(world, holder, link, one.host_end, judge.expected.bridge)
        if finding is not None:
            return finding
        if not holder.holds(address):
            return pod_address(judge, holder, one.ifname, address)
    return None


def cable(world: World, pod: Spot, link: Link, host_end: str, bridge: str) -> Finding | None:
    """What is wrong with a pod's cable at the node's end."""
    own = world.own_spot(pod)
    end = own.by_name.get(host_end)
    if end is None:
        other = world.other_end(pod, link)
        end = other[1] if other else None
    if end is None:
        return None
    if not end.up:
        return link_down(own, end)
    if not end.master and bridge in own.by_name:
        return unplugged(own, end, bridge)
    return None


def lost_frame(
    judges: Judges,
    world: World,
    spot: Spot,
    link: Link,
    next_hop: IPAddress,
    frame: Frame,
    drops: Sequence[Dropped],
    arrivals: Sequence[Arrival],
) -> Finding | None:
    """A frame that nobody took: where it was dropped says why, else its MAC is wrong."""
    for drop in drops:
        finding = _dropped(judges, drop, frame)
        if finding is not None:
            return finding
    for arrival in arrivals:
        bridge = judges.of(arrival.spot).expected.bridge
        unplugged_end = arrival.spot.pod is None and is_cable(arrival.spot, arrival.link)
        if unplugged_end and not arrival.link.master and arrival.spot.machine is spot.machine:
            if bridge not in arrival.spot.by_name:
                return found_in(
                    links.BRIDGE_MISSING,
                    arrival.spot,
                    bridge,
                    lines=(mend.have_agent(arrival.spot.machine),),
                )
            return unplugged(arrival.spot, arrival.link, bridge)
    holder = _leaseholder(world, spot, next_hop)
    at_pod = _silent_pod(judges, world, holder, next_hop) if holder is not None else None
    if at_pod is not None:
        return at_pod
    entry = spot.neighbours.get((link.index, next_hop))
    if entry is None or entry.mac != frame.dst:
        return None
    text = _("{address} has not the MAC {mac}").format(address=next_hop, mac=frame.dst)
    line = mend.forget_neighbour(spot, link, next_hop)
    return found_in(paths.NEIGHBOUR_STALE, spot, str(next_hop), text, (line,))


def _dropped(judges: Judges, drop: Dropped, frame: Frame) -> Finding | None:
    if drop.why in ("down", "bridge-down"):
        return link_down(drop.spot, drop.link)
    if drop.why == "size":
        return too_small(judges, drop.spot, drop.link, frame.size)
    if drop.entry is not None and drop.why == "port":
        return wrong_entry(drop.entry.spot, drop.entry.row)
    return None


def too_small(judges: Judges, spot: Spot, link: Link, size: int) -> Finding:
    """A link's MTU drops what its neighbours send."""
    text = _("{link} of {name} takes {mtu} bytes; {size} are sent").format(
        link=link.name, name=spot.name, mtu=link.mtu, size=size
    )
    node = spot.machine.kind == NODE
    cause = links.MTU_MISMATCH if node else paths.LARGE_PACKETS_LOST
    line = mend.mtu(spot, link, size)
    return found_in(cause, spot, link.name, text, (line,))
