"""Filters that see frames on the pods' bridge: nft's tables of the family ``bridge``.

A pod's packet meets them before any other: on its way to the gateway at the hook input, to
another pod of the node at the hook forward.

Source: nft(8), "Bridge address family".
May import: causes, language, model, tables.ruleset, doctor.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from dari.causes.finding import Finding
from dari.doctor.decisive import FORWARDED_PORT, decided, packet_of
from dari.doctor.filters import dropped
from dari.doctor.node import Node
from dari.explain.filters.match import Seen
from dari.language import Messages
from dari.netlink.constants import RT_SCOPE_UNIVERSE
from dari.nft.section import TABLE
from dari.snapshot.model import Attached, Pod

if TYPE_CHECKING:
    from dari.model import IPAddress

_ = Messages("doctor")
_HOOKS = ("prerouting", "input", "forward")


def frames(node: Node) -> Iterator[Finding]:
    """No such filter drops what pods send to their gateway, or to each other."""
    chains = {
        hook: [one for one in node.rules.bridge_chains(hook) if one.table != TABLE]
        for hook in _HOOKS
    }
    for hook, packet in _sent(node) if any(chains.values()) else ():
        event = decided(node.rules, [*chains["prerouting"], *chains[hook]], packet)
        if event is not None:
            what = _("{chain} drops on the bridge what {source} sends to {target}")
            yield dropped(node, event, packet, what)


def _sent(node: Node) -> Iterator[tuple[str, Seen]]:
    """Each pod's packet to its gateway, and to the next pod of the same family."""
    ends = [
        (address, one.host_end)
        for pod, one in node.wired()
        if one.bridge in ("", node.bridge)
        for address in _addresses(pod, one)
    ]
    for number, (source, link) in enumerate(ends):
        gateway = _gateway(node, source)
        if gateway is not None:
            yield "input", packet_of(source, gateway, "tcp", FORWARDED_PORT, link, "")
        for target, other in ends[number + 1 :]:
            if target.version == source.version and other != link:
                yield "forward", packet_of(source, target, "tcp", FORWARDED_PORT, link, other)
                break


def _addresses(pod: Pod, one: Attached) -> Iterator[IPAddress]:
    place = pod.place
    indexes = {each.index for each in place.links if each.name == one.ifname} if place else set()
    for each in place.addresses if place else ():
        if each.index in indexes and each.scope == RT_SCOPE_UNIVERSE:
            yield each.interface.ip


def _gateway(node: Node, source: IPAddress) -> IPAddress | None:
    """The bridge's address in the pod's network."""
    bridge = node.link(node.bridge)
    for each in node.place.addresses if bridge else ():
        if bridge and each.index == bridge.index and source in each.interface.network:
            return each.interface.ip
    return None
