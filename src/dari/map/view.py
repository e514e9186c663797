"""From snapshots to the picture: which machine, pod and way there is, and what is not well.

May import: causes, language, netlink's records, snapshot, map.picture.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING

from dari.language import Messages
from dari.map.picture import NODE, ROUTE, ROUTER, TUNNEL, Machine, Picture, Pod, Way
from dari.netlink.constants import RT_SCOPE_UNIVERSE, RTN_UNICAST
from dari.netlink.link import Link
from dari.snapshot import model

if TYPE_CHECKING:
    from dari.model import IPInterface

_ = Messages("map")
_DRAWN = (model.NODE, model.ROUTER, model.OUTSIDE)


def picture_of(snapshot: model.Snapshot) -> Picture:
    """Everything that is drawn of a snapshot; a lab's switch is the segments' lines."""
    drawn = [one for one in snapshot.machines if one.kind in _DRAWN]
    drawn.sort(key=lambda one: _DRAWN.index(one.kind))
    return Picture(
        machines=tuple(map(_machine, drawn)),
        ways=tuple(way for one in snapshot.nodes for way in _ways(one, snapshot)),
    )


def _machine(one: model.Machine) -> Machine:
    bridge = _bridge(one)
    uplinks = _uplinks(one)
    return Machine(
        name=one.name,
        kind=one.kind,
        interface=uplinks[0].name if uplinks else "",
        addresses=_texts(str(each.ip) for link in uplinks for each in _on(one.place, link)),
        segments=_texts(str(each.network) for link in uplinks for each in _on(one.place, link)),
        bridge=bridge.name if bridge else "",
        gateways=_texts(map(str, _on(one.place, bridge))) if bridge else (),
        ranges=_texts(map(str, one.record.pod_ranges)) if one.record else (),
        pods=tuple(_pod(one, pod) for pod in sorted(one.pods, key=lambda pod: pod.name)),
        state=_state(one),
    )


def _state(one: model.Machine) -> str:
    if one.kind != NODE and not (one.kind == ROUTER and one.agent):
        return ""
    if not one.agent:
        return _("its agent does not answer")
    return "" if one.agent.get("ready") is True else _("its agent is not ready")


def _texts(texts: Iterable[str]) -> tuple[str, ...]:
    """Each once, IPv4 first."""
    return tuple(sorted(dict.fromkeys(texts), key=lambda text: ":" in text))


def _on(place: model.Place, link: Link) -> Iterator[IPInterface]:
    """A link's addresses, without the link-local ones."""
    for one in place.addresses:
        if one.index == link.index and one.scope == RT_SCOPE_UNIVERSE:
            yield one.interface


def _bridge(one: model.Machine) -> Link | None:
    """The pods' bridge: the agent's, or the one into which pods are plugged."""
    bridges = {link.name: link for link in one.place.links if link.kind == "bridge"}
    wanted = [one.orders.bridge] if one.orders else []
    wanted += [each.bridge for pod in one.pods for each in pod.attachments]
    return next((bridges[name] for name in wanted if name in bridges), None)


def _uplinks(one: model.Machine) -> list[Link]:
    """The interfaces that are on the nodes' network: those with the node's own addresses."""
    own = set(one.record.addresses) if one.record else set()
    links = [link for link in one.place.links if link.name != "lo" and link.kind != "bridge"]
    known = [link for link in links if own & {each.ip for each in _on(one.place, link)}]
    return known or [link for link in links if any(_on(one.place, link)) and not link.master]


def _pod(one: model.Machine, pod: model.Pod) -> Pod:
    ends = {link.name: link for link in one.place.links}
    cables = [ends.get(each.host_end) for each in pod.attachments if each.host_end]
    inside = [link for link in (pod.place.links if pod.place else ()) if link.name != "lo"]
    addresses = _texts(
        str(each.ip) for link in inside if pod.place for each in _on(pod.place, link)
    )
    whole = all(link is not None and link.up and link.master for link in cables)
    return Pod(
        name=pod.name,
        addresses=addresses,
        plugged=whole and bool(inside) and all(link.up for link in inside),
    )


def _ways(one: model.Machine, snapshot: model.Snapshot) -> Iterator[Way]:
    """To which other nodes there is a route, and of what kind."""
    holders = {
        prefix: node.name
        for node in snapshot.nodes
        if node.record and node.name != one.name
        for prefix in node.record.pod_ranges
    }
    tunnels = {link.index for link in one.place.links if link.kind == "vxlan"}
    seen: set[str] = set()
    for route in one.place.routes:
        target = holders.get(route.dst, "")
        if target and target not in seen and route.kind == RTN_UNICAST:
            seen.add(target)
            kind = TUNNEL if route.device in tunnels else ROUTE
            yield Way(source=one.name, target=target, kind=kind)
