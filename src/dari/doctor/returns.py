"""The way back: what peers send to a node's address is answered by the link it came in on.

May import: causes, language, netlink, routing, doctor.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from dari.causes import paths
from dari.causes.finding import WARNING, Finding
from dari.doctor.commands import route
from dari.doctor.node import Node
from dari.language import Messages
from dari.netlink.constants import RTN_UNICAST, RTPROT_KERNEL
from dari.routing.way import RTPROT_DARI

if TYPE_CHECKING:
    from dari.model import IPAddress
    from dari.netlink.address import Address
    from dari.netlink.route import KernelRoute

_ = Messages("doctor")


def answers(node: Node) -> Iterator[Finding]:
    """Peers on the node's own network are answered there.

    Only of such peers it is sure by which link they come in; behind a router it may be
    any, and on purpose.
    """
    up = {each.index for each in node.place.links if each.up}
    for own in node.place.addresses if node.ours else ():
        if own.interface.ip not in node.location.addresses or own.index not in up:
            continue  # where the link is down, that alone is to be told
        for peer in node.machine.peers:
            for address in peer.addresses:
                taken = _taken(node, own, address)
                if taken is not None:
                    yield _finding(node, own, peer.name, address, taken)


def _taken(node: Node, own: Address, peer: IPAddress) -> KernelRoute | None:
    """The route that leads what is for a neighbour by another link, or nowhere."""
    network = own.interface.network
    if peer not in network or peer == own.interface.ip:
        return None
    fitting = [one for one in node.main if peer in one.dst and one.protocol != RTPROT_DARI]
    best = max(fitting, key=lambda one: (one.dst.prefixlen, -one.metric), default=None)
    if best is None or _leaves_by(best, own.index):
        return None
    return best


def _leaves_by(one: KernelRoute, device: int) -> bool:
    return one.kind == RTN_UNICAST and device in {one.device, *(hop.device for hop in one.hops)}


def _finding(
    node: Node, own: Address, peer: str, address: IPAddress, taken: KernelRoute
) -> Finding:
    names = {each.index: each.name for each in node.place.links}
    what = _("what {peer} sends comes in by {link}; the answer to {address} leaves by {other}")
    if taken.kind != RTN_UNICAST:
        what = _("what {peer} sends comes in by {link}; a route refuses the answer to {address}")
    return Finding(
        code=paths.ASYMMETRIC.code,
        where=node.name,
        what=what.format(
            peer=peer,
            link=names.get(own.index, own.index),
            address=address,
            other=names.get(taken.device, taken.device),
        ),
        # The kernel's own comes with an address, which nobody is told to take away.
        mend=() if taken.protocol == RTPROT_KERNEL else (route("del", node.place, taken),),
        severity=WARNING,
        subject=f"{peer} {address}",
    )
