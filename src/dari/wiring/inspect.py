"""CHECK: compares what is there with what ADD answered, and names every difference.

What later plugins of a chain may have changed (MTU, further addresses and
routes, sysctls) is not held against them.

May import: addr, errors, model, netlink, nft, wiring.
"""

from __future__ import annotations

from dari.errors import CheckFailed, DariError
from dari.model import Result
from dari.netlink.address import list_addresses
from dari.netlink.route import list_routes
from dari.nft import table
from dari.wiring import sysctl
from dari.wiring.bridge import find_bridge
from dari.wiring.cable import find_link
from dari.wiring.chained import previous_result
from dari.wiring.names import host_end
from dari.wiring.plan import kernel_routes, make_plan

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

    from dari.model import Interface, Request
    from dari.netlink.link import Link
    from dari.netlink.sock import NetlinkSocket
    from dari.wiring.conf import BridgeConf
    from dari.wiring.host import Host
    from dari.wiring.plan import Plan

_AFTER_THE_BRIDGE = 1


def check_pod(request: Request, host: Host, pod: NetlinkSocket, conf: BridgeConf) -> None:
    """Check a pod's wiring, from its own end to the node's masquerading.

    Raises:
        BadConfig: there is no prevResult to check against.
        CheckFailed: something is not as it was; the details list all of it.
    """
    previous = previous_result(request)
    own = own_part(previous, request)
    plan = make_plan(conf, own.ips, previous.routes)
    damage = [
        *pod_damage(pod, request, own, plan, "veth", up=conf.pod_up),
        *_node_damage(host, request, conf, plan),
        *masquerade_damage(host, conf.masquerade),
        *_guard_damage(host, request, conf, own),
    ]
    report_damage(request, damage)


def report_damage(request: Request, damage: list[str]) -> None:
    """Raise what CHECK found, if anything.

    Raises:
        CheckFailed: the first in the message, all in the details.
    """
    if damage:
        raise CheckFailed(
            f"{request.container_id} {request.ifname}: {damage[0]}", "; ".join(damage)
        )


def own_part(previous: Result, request: Request) -> Result:
    """The part of a chain's result that is about this attachment's container end.

    Raises:
        CheckFailed: there is none.
    """
    places = [
        place
        for place, interface in enumerate(previous.interfaces)
        if interface.sandbox and interface.name == request.ifname
    ]
    if not places:
        raise CheckFailed(f"prevResult has no interface {request.ifname} in a sandbox")
    ips = tuple(ip for ip in previous.ips if ip.interface in (None, places[0]))
    return Result(interfaces=(previous.interfaces[places[0]],), ips=ips)


def pod_damage(
    pod: NetlinkSocket,
    request: Request,
    own: Result,
    plan: Plan,
    kind: str,
    *,
    up: bool = True,
) -> Iterator[str]:
    """What is wrong inside the pod.

    Args:
        pod: the pod's.
        request: CHECK.
        own: `own_part` of the result.
        plan: the addresses and routes it should have.
        kind: what the link should be, such as ``veth``.
        up: whether it should be up.
    """
    end = find_link(pod, request.ifname)
    if end is None:
        yield f"{request.ifname} is missing in the pod"
        return
    yield from _end_damage(end, own.interfaces[0], kind, up)
    present = {each.interface for each in list_addresses(pod, index=end.index)}
    for ip in plan.ips:
        if ip.address not in present:
            yield f"the pod lacks its address {ip.address}"
    there = {(route.dst, route.gateway) for route in list_routes(pod, table=None)}
    for wanted in kernel_routes(plan, end.index):
        if (wanted.dst, wanted.gateway) not in there:
            yield f"the pod lacks its route {wanted.dst} via {wanted.gateway or end.name}"


def _end_damage(end: Link, expected: Interface, kind: str, up: bool) -> Iterator[str]:
    if end.kind != kind:
        yield f"{end.name} in the pod is no {kind} ({end.kind or 'a device'})"
    if end.up != up:
        yield f"{end.name} in the pod is {'up' if end.up else 'down'}"
    if expected.mac and end.mac != expected.mac.lower():
        yield f"{end.name} in the pod has MAC {end.mac}, not {expected.mac}"


def _node_damage(host: Host, request: Request, conf: BridgeConf, plan: Plan) -> Iterator[str]:
    bridge = find_bridge(host, conf.bridge)
    if bridge is None:
        yield f"the bridge {conf.bridge} is missing"
        return
    if not bridge.up:
        yield f"the bridge {conf.bridge} is down"
    holder = _gateway_link(host, conf, bridge)
    present = [each.interface for each in list_addresses(host.rtnl) if each.index == holder]
    for gateway in plan.gateways:
        if gateway not in present:
            yield f"the bridge {conf.bridge} lacks the gateway address {gateway}"
    yield from _host_end_damage(host, request, conf, bridge)
    if conf.is_gateway:
        yield from forwarding_damage(host, plan)


def _gateway_link(host: Host, conf: BridgeConf, bridge: Link) -> int:
    """Index of the link that should have the gateway's addresses; 0 where it is missing."""
    if conf.vlans is None:
        return bridge.index
    from dari.wiring.vlans import gateway_name  # rarely asked for

    found = find_link(host.rtnl, gateway_name(conf.bridge, conf.vlans))
    return 0 if found is None else found.index


def _host_end_damage(host: Host, request: Request, conf: BridgeConf, bridge: Link) -> Iterator[str]:
    end = find_link(host.rtnl, host_end_name(request, _AFTER_THE_BRIDGE))
    if end is None:
        yield "the cable's host end is missing"
        return
    if end.master != bridge.index:
        yield f"the cable's host end {end.name} is not on the bridge {conf.bridge}"
    if not end.up:
        yield f"the cable's host end {end.name} is down"
    if end.hairpin != conf.hairpin:
        yield f"hairpin mode of {end.name} is {'on' if end.hairpin else 'off'}"
    if conf.isolated and not end.isolated:  # that it is on may be a firewall's doing
        yield f"isolation of {end.name} is off"


def _guard_damage(host: Host, request: Request, conf: BridgeConf, own: Result) -> Iterator[str]:
    if not conf.guarded:
        return
    from dari.nft import spoofing  # rarely asked for

    mac = own.interfaces[0].mac.lower()
    try:
        if not spoofing.is_guarded(host.paths, host_end(request.owner), mac):
            yield f"the pod's port is not held to its MAC {mac}"
        if not spoofing.verify(host.paths):
            yield "the nftables table bridge dari is missing or was changed"
    except DariError as error:
        yield error.message


def host_end_name(request: Request, place: int) -> str:
    """The host end as the result names it, so that a cable laid by the reference is found too.

    Args:
        request: CHECK.
        place: which of the result's links on the host it is there, from 0.
    """
    previous = request.conf.prev_result or Result()
    ours = host_end(request.owner)
    on_host = [each.name for each in previous.interfaces if not each.sandbox]
    return ours if ours in on_host or len(on_host) <= place else on_host[place]


def forwarding_damage(host: Host, plan: Plan) -> Iterator[str]:
    """Which of the plan's families the node does not forward."""
    for version in sorted(plan.versions):
        name = sysctl.FORWARDING[version]
        if sysctl.read(host.paths, name) == "0":
            yield f"forwarding is off: {name.replace('/', '.')} is 0"


def masquerade_damage(host: Host, wanted: bool) -> Iterator[str]:
    """What is wrong with the node's masquerading, where it is wanted."""
    if wanted:
        yield from table_damage(host)


def table_damage(host: Host) -> Iterator[str]:
    """What is wrong with dari's table in nftables."""
    try:
        if not table.verify(host.paths):
            yield "the nftables table inet dari is missing or was changed"
    except DariError as error:
        yield error.message


def setting_damage(host: Host, name: str) -> Iterator[str]:
    """Is a setting of the kernel that should be 1 something else?"""
    if (value := sysctl.read(host.paths, name)) != "1":
        yield f"{name.replace('/', '.')} is {value}"
