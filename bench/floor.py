"""The kernel floor: what the kernel alone takes to wire a pod, in a tight loop.

A veth pair with its peer created in the pod's namespace and the host end on the bridge;
then address, link up and default route in one datagram; then the host end up. No link gets
a link-local address of the kernel's own, which each port of the bridge would be told of.
Namespaces and sockets are opened before. Runs on a node of its own, where no agent looks.

May import: harness, dari.netlink.
"""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import ExitStack
from ipaddress import IPv4Interface, ip_address, ip_network
from time import perf_counter

from bench.harness import Node, Pod
from dari.netlink.address import add_address
from dari.netlink.codec import Request
from dari.netlink.constants import IN6_ADDR_GEN_MODE_NONE
from dari.netlink.link import get_link
from dari.netlink.linkchange import add_bridge, add_veth, change_link
from dari.netlink.namespace import Namespace
from dari.netlink.route import KernelRoute, add_route
from dari.netlink.sock import NetlinkSocket

_BRIDGE = "floor0"
_GATEWAY = ip_address("10.22.0.1")
_EVERYWHERE = ip_network("0.0.0.0/0")


def floor(rounds: int) -> list[float]:
    """Milliseconds of each round, on a fresh node."""
    node = Node()
    try:
        return node.do(_wire_all, node.new_pods(rounds))
    finally:
        node.close()


def _wire_all(pods: Sequence[Pod]) -> list[float]:
    with ExitStack() as stack:
        rtnl = stack.enter_context(NetlinkSocket())
        rtnl.transact([add_bridge(_BRIDGE), _quiet(name=_BRIDGE, up=True)])
        bridge = get_link(rtnl, name=_BRIDGE).index
        spaces = [stack.enter_context(Namespace.open(pod.netns)) for pod in pods]
        sockets = [stack.enter_context(space.socket()) for space in spaces]
        took = []
        for number, (space, inside) in enumerate(zip(spaces, sockets, strict=True)):
            start = perf_counter()
            _wire(rtnl, bridge, f"floor-{number}", space, inside, _address(number))
            took.append((perf_counter() - start) * 1000)
    return took


def _wire(
    rtnl: NetlinkSocket,
    bridge: int,
    name: str,
    space: Namespace,
    inside: NetlinkSocket,
    address: IPv4Interface,
) -> None:
    pair = add_veth(name, peer="eth0", peer_netns=space.fd, master=bridge)
    rtnl.transact([pair, _quiet(name=name)])
    index = get_link(inside, name="eth0").index
    inside.transact(
        [
            _quiet(index=index),
            add_address(index, address),
            change_link(index=index, up=True),
            add_route(KernelRoute(dst=_EVERYWHERE, gateway=_GATEWAY, device=index)),
        ]
    )
    rtnl.transact([change_link(name=name, up=True)])


def _quiet(*, name: str = "", index: int = 0, up: bool | None = None) -> Request:
    return change_link(name=name, index=index, up=up, addr_gen_mode=IN6_ADDR_GEN_MODE_NONE)


def _address(number: int) -> IPv4Interface:
    return IPv4Interface((int(_GATEWAY) + 1 + number, 16))
