"""Bridges: their ports (`bridge link`), and which MAC is behind which (`bridge fdb`).

May import: agent.desired, causes, tables.facts, tables.index, netlink's records and constants.
"""

from __future__ import annotations

from collections.abc import Mapping

from dari.agent.desired import gateway_of
from dari.causes import links
from dari.causes.paths import FORWARDING_ENTRY_WRONG
from dari.language import N_
from dari.netlink.constants import NUD_PERMANENT
from dari.netlink.link import Link
from dari.netlink.neighbour import Neighbour
from dari.tables.facts import Facts
from dari.tables.index import Index
from dari.tables.messages import _
from dari.tables.table import Row, Table

PORTS = N_("bridges, which are switches in software, and the cables plugged into them")
FORWARDING = N_("behind which port of a bridge a MAC address is; any other is sent to all ports")


def bridges(facts: Facts) -> Table:
    """One row for each bridge, and below it one for each port."""
    index = Index(facts)
    rows = []
    for bridge in sorted((one for one in facts.place.links if one.kind == "bridge"), key=_name):
        rows.append(_bridge_row(facts, index, bridge))
        ports = [one for one in facts.place.links if one.master == bridge.index]
        rows += [_port_row(index, bridge, port) for port in sorted(ports, key=_name)]
    rows += _unplugged(facts, index)
    return Table(
        name="bridge",
        purpose=_(PORTS),
        columns=("LINK", "BRIDGE", "MAC", "STATE"),
        rows=tuple(rows),
    )


def forwarding(facts: Facts) -> Table:
    """One row for each unicast MAC that a bridge knows; multicast is left out."""
    index = Index(facts)
    entries = [one for one in facts.place.fdb if one.master and not _is_multicast(one.mac)]
    unique = {(one.index, one.master, one.mac): one for one in entries}
    places = _places(facts)
    ordered = sorted(unique.values(), key=lambda one: (one.master, one.index, one.mac))
    return Table(
        name="fdb",
        purpose=_(FORWARDING),
        columns=("MAC", "PORT", "BRIDGE", "STATE"),
        rows=(
            *(_entry_row(index, one, places) for one in ordered),
            *_tunnel_rows(facts, index),
        ),
    )


def _name(link: Link) -> str:
    return link.name


def _state(link: Link) -> str:
    return ("up" if link.running else "no cable") if link.up else "down"


def _unplugged(facts: Facts, index: Index) -> list[Row]:
    """Pods' cables that end in no bridge, though their configuration names one."""
    ends = {
        one.host_end: one
        for pod in facts.machine.pods
        for one in pod.attachments
        if one.type in ("dari", "bridge")
    }
    loose = [one for one in facts.place.links if one.name in ends and not one.master]
    if facts.pod is not None:
        return []
    return [
        Row(
            cells=(one.name, "-", one.mac, _state(one)),
            why=_("{cable}, not plugged into any bridge").format(cable=_cable(index, one)),
            code=links.CABLE_UNPLUGGED.code,
        )
        for one in sorted(loose, key=_name)
    ]


def _bridge_row(facts: Facts, index: Index, bridge: Link) -> Row:
    own = index.addresses_of(bridge)
    why = _("joins what is plugged into it")
    if own:
        text = _("joins this node's pods; its address is their gateway: {addresses}")
        why = text.format(addresses=", ".join(own))
    cells = (bridge.name, "-", bridge.mac, _state(bridge))
    return Row(cells=cells, why=why, code=_bridge_code(facts, own, bridge))


def _bridge_code(facts: Facts, own: list[str], bridge: Link) -> str:
    if not facts.is_node or bridge.name != facts.expected.bridge:
        return ""
    if not bridge.up:
        return links.BRIDGE_DOWN.code
    wanted = [str(gateway_of(each)) for each in facts.expected.own_ranges]
    return "" if set(wanted) <= set(own) else links.BRIDGE_ADDRESS_MISSING.code


def _cable(index: Index, port: Link) -> str:
    owner = index.owner_behind(port)
    name = index.name_of(owner) if owner else "-"
    return _("this end of the cable to {pod}").format(pod=name)


def _port_row(index: Index, bridge: Link, port: Link) -> Row:
    cells = (port.name, bridge.name, port.mac, _state(port))
    owner = index.owner_behind(port)
    if owner is None:
        return Row(cells=cells, why=_("a port that dari did not make"))
    code = "" if port.up else links.CABLE_DOWN.code
    return Row(cells=cells, why=_cable(index, port), code=code)


def _entry_row(index: Index, one: Neighbour, places: Mapping[str, int]) -> Row:
    permanent = bool(one.state & NUD_PERMANENT)
    port, bridge = index.link(one.index), index.link(one.master)
    cells = (one.mac, port.name, bridge.name, "permanent" if permanent else "learned")
    why = _entry_reason(index, one, permanent)
    right = places.get(one.mac)
    if right is None or right == one.index:
        return Row(cells=cells, why=why)
    why = _("{why}; it is behind {port}").format(why=why, port=index.link(right).name)
    return Row(cells=cells, why=why, code=FORWARDING_ENTRY_WRONG.code)


def _places(facts: Facts) -> dict[str, int]:
    """Behind which port the MAC of each of the machine's pods is."""
    ends = {link.name: link.index for link in facts.place.links}
    found = {}
    for pod in facts.machine.pods if facts.pod is None else ():
        macs = {link.name: link.mac for link in pod.place.links} if pod.place else {}
        for one in pod.attachments:
            if one.ifname in macs and one.host_end in ends:
                found[macs[one.ifname]] = ends[one.host_end]
    return found


def _entry_reason(index: Index, one: Neighbour, permanent: bool) -> str:
    port, bridge = index.link(one.index), index.link(one.master)
    owner = index.owner_behind(port)
    pod = index.name_of(owner) if owner else _("what is beyond {port}").format(port=port.name)
    if one.index == one.master or one.mac == bridge.mac:
        return _("the bridge itself: what this node's pods send out arrives here")
    if one.mac == port.mac:
        return _("this end of the cable to {pod}").format(pod=pod)
    if permanent:
        return _("{pod}: written down").format(pod=pod)
    return _("{pod}: it has sent something from there").format(pod=pod)


def _is_multicast(mac: str) -> bool:
    """The lowest bit of the first byte (IEEE 802)."""
    return bool(int(mac[:2] or "0", 16) & 1)


def _tunnel_rows(facts: Facts, index: Index) -> list[Row]:
    """A vxlan device's own entries: at which node's end of the tunnel a MAC is."""
    right = {(one.tunnel, one.mac): one.address for one in facts.expected.plan.remotes}
    found = []
    for one in facts.place.fdb:
        if one.address is None or one.master:
            continue
        name = index.link(one.index).name
        wrong = right.get((name, one.mac), one.address) != one.address
        why = _("the end of the tunnel of {node}").format(
            node=index.called(one.address) or one.address
        )
        code = FORWARDING_ENTRY_WRONG.code if wrong else ""
        cells = (one.mac, name, f"to {one.address}", "permanent")
        found.append(Row(cells=cells, why=why, code=code))
    return found
