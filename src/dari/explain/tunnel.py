"""Into a vxlan device, and out of one on the other side. Pure.

Source: drivers/net/vxlan/vxlan_core.c.
May import: causes.finding, netlink's records, record, tables.rows, and within explain:
judge, judge_links, messages, packet, source, stops, wire, world.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from dari.causes.finding import Finding
from dari.explain import judge, judge_links
from dari.explain.journey import UDP
from dari.explain.messages import _
from dari.explain.packet import Packet
from dari.explain.source import source_for
from dari.explain.stops import Teller
from dari.explain.wire import Frame
from dari.explain.world import Spot
from dari.netlink.link import Link
from dari.netlink.vxlan import OVERHEAD, Vxlan
from dari.record import Record
from dari.tables import rows

if TYPE_CHECKING:
    from dari.model import IPAddress

_ALL_ENTRIES = "00:00:00:00:00:00"  # a vxlan's entry for MACs that have none


class Wrapped(Record):
    """A frame in a packet of its own, on its way to the other end of a tunnel.

    Attributes:
        outer: the packet around it.
        tunnel: the device that it went into.
        frame: itself.
        suspect: what is wrong with the entry that led it; None: nothing is.
    """

    outer: Packet
    tunnel: Vxlan
    frame: Frame
    suspect: Finding | None


class Tunnels:
    """Wraps frames, and unwraps them."""

    def __init__(self, teller: Teller, judges: judge.Judges) -> None:
        self._teller = teller
        self._judges = judges

    def wrap(self, spot: Spot, link: Link, frame: Frame, packet: Packet) -> Wrapped:
        """What leaves a place instead of a frame that goes into a vxlan device.

        Raises:
            Stopped: it goes nowhere.
        """
        if not link.up:
            text = _("{link} is down").format(link=link.name)
            down = judge_links.link_down(spot, link)
            self._teller.stop(spot, "link", rows.link(link), text, down)
        entries = [
            *spot.forwarding.get((link.index, frame.dst), []),
            *spot.forwarding.get((link.index, _ALL_ENTRIES), []),
        ]
        entry = next((one for one in entries if one.address is not None), None)
        suspect = self._judges.of(spot).tunnel_entry(spot, link, packet.dst, entry)
        self._teller.suspect(suspect)
        if entry is None or entry.address is None:
            text = _("the tunnel has no entry for this MAC: dropped without a word")
            self._teller.stop(spot, "fdb", f"{frame.dst} dev {link.name}", text, suspect)
        row = rows.fdb(entry, spot.names)
        self._teller.note(spot, "fdb", row, _("the peer's end of the tunnel"))
        vxlan = spot.vxlans[link.index]
        outer = _outer(spot, packet, entry.address, vxlan)
        return Wrapped(outer=outer, tunnel=vxlan, frame=frame, suspect=suspect)

    def unwrap(self, spot: Spot, wrapped: Wrapped) -> Link:
        """The vxlan device of a place that takes a frame, whose packet was delivered there.

        Raises:
            Stopped: none does.
        """
        vni, port = wrapped.tunnel.vni, wrapped.tunnel.port
        ends = [one for one in spot.vxlans.values() if (one.vni, one.port) == (vni, port)]
        up = [one for one in ends if spot.links[one.link.index].up]
        if not up:
            text = _("no tunnel of VNI {vni} and port {port} is up here").format(vni=vni, port=port)
            gone = self._judges.of(spot).tunnel_gone(spot, vni, port)
            row = rows.link(spot.links[ends[0].link.index]) if ends else f"vxlan {vni}"
            self._teller.stop(spot, "tunnel", row, text, gone)
        link = spot.links[up[0].link.index]
        self._teller.note(spot, "tunnel", rows.link(link), _("out of the tunnel"))
        if link.mac != wrapped.frame.dst:
            mac = wrapped.frame.dst
            text = _("the frame is for {mac}, not for this end: dropped without a word").format(
                mac=mac
            )
            foreign = wrapped.suspect or judge_links.foreign_mac(spot, link, mac)
            self._teller.stop(spot, "link", rows.link(link), text, foreign)
        return link


def _outer(spot: Spot, packet: Packet, to: IPAddress, vxlan: Vxlan) -> Packet:
    return Packet(
        src=vxlan.local or source_for(spot, to) or to,
        dst=to,
        protocol=UDP,
        sport=vxlan.port,
        dport=vxlan.port,
        outer=True,
        size=packet.size + OVERHEAD[to.version],
    )
