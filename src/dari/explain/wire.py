"""Carries a frame from a link to whoever takes it: cables, bridges, the underlay. Pure.

Source: drivers/net/veth.c, net/bridge/br_input.c, br_forward.c (`should_deliver`) and
br_fdb.c; net/core/dev.c (`is_skb_forwardable`) for frames that are too long.
May import: netlink's records and constants, record, tables.rows, explain's
journey, messages, stops, world.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from dari.explain.journey import LOST, PASSES, UNREAD, Hop
from dari.explain.messages import _
from dari.explain.stops import Say
from dari.explain.world import Spot, World
from dari.netlink.constants import NUD_NOARP, NUD_PERMANENT
from dari.netlink.link import Link
from dari.netlink.neighbour import Neighbour
from dari.record import Record
from dari.tables import rows

BROADCAST = "ff:ff:ff:ff:ff:ff"
_BR_STATE_FORWARDING = 3
_LEARNT = 0x02  # NUD_REACHABLE
_MOST = 5000  # endpoints that one frame may be flooded to


class Frame(Record):
    """An Ethernet frame; `size` is that of the IP packet in it, in bytes.

    An empty `src` is nobody's: bridges learn nothing from it.
    """

    src: str
    dst: str
    size: int


class Entry(Record):
    """A forwarding entry, and the place whose bridge has it."""

    spot: Spot
    row: Neighbour


class Arrival:
    """A link that takes a frame for its own layer 3.

    Attributes:
        entry: a forwarding entry that led it there.
        crossed: bridges that it went through, from the last to the first.
        sure: what led it there cannot be overtaken by who speaks next: an entry that was set
            by hand, or that was learnt on this journey.
    """

    def __init__(self, spot: Spot, link: Link) -> None:
        self.spot = spot
        self.link = link
        self.entry: Entry | None = None
        self.crossed: list[tuple[Spot, Link]] = []
        self.sure = False


class Dropped:
    """A frame that goes no further.

    Args:
        why: `down`, `size`, `bridge-down`, `port`, `beyond`.

    Attributes:
        entry: a forwarding entry that led it there.
    """

    def __init__(self, why: str, spot: Spot, link: Link, hop: Hop) -> None:
        self.why = why
        self.spot = spot
        self.link = link
        self.hop = hop
        self.entry: Entry | None = None


Outcome = Arrival | Dropped


class Wire:
    """Carries frames over what connects places.

    Args:
        learnt: where bridges saw MACs on this journey; more is noted there.
    """

    def __init__(self, world: World, learnt: dict[tuple[int, int, str], int]) -> None:
        self._world = world
        self._learnt = learnt

    def send(self, spot: Spot, link: Link, frame: Frame, say: Say) -> list[Outcome]:
        """What becomes of a frame that a link sends.

        Args:
            say: is told each hop that decides.

        Returns:
            Every arrival, and every drop; more than one where a bridge floods.
        """
        return list(self._out(spot, link, frame, say, 0))

    def endpoints(self, spot: Spot, link: Link) -> list[Arrival]:
        """Every link that hears a broadcast sent by a link."""
        frame = Frame(src="", dst=BROADCAST, size=0)
        found = self._out(spot, link, frame, lambda _hop: None, 0)
        return [one for one in found if isinstance(one, Arrival)]

    def _out(self, spot: Spot, link: Link, frame: Frame, say: Say, depth: int) -> Iterator[Outcome]:
        if depth > 32:
            return
        if not link.up:
            yield self._drop("down", spot, link, say, _("{link} is down").format(link=link.name))
        elif link.kind == "bridge":
            yield from self._switch(spot, link, None, frame, say, depth + 1)
        elif link.kind == "veth" and (end := self._world.other_end(spot, link)):
            yield from self._in(*end, frame, say, depth + 1)
        else:
            yield from self._beyond(spot, link, frame, say)

    def _beyond(self, spot: Spot, link: Link, frame: Frame, say: Say) -> Iterator[Outcome]:
        """Onto a network that nobody read: whoever has the MAC is thought to get it."""
        ends = self._world.endpoints_beyond(spot, link)
        takers = [(s, one) for s, one in ends if frame.dst in (BROADCAST, one.mac)]
        for other, one in takers:
            yield from self._in(other, one, frame, say, 1)
        if not takers:
            text = _("nobody whose tables are here has the MAC {mac}").format(mac=frame.dst)
            yield self._drop("beyond", spot, link, say, text, UNREAD)

    def _in(self, spot: Spot, link: Link, frame: Frame, say: Say, depth: int) -> Iterator[Outcome]:
        if not link.up:
            text = _("this end of the cable is down")
            yield self._drop("down", spot, link, say, text, step="cable")
        elif frame.size > link.mtu:
            text = _("{size} bytes arrive, its MTU is {mtu}: dropped without a word").format(
                size=frame.size, mtu=link.mtu
            )
            yield self._drop("size", spot, link, say, text)
        elif link.master:
            bridge = spot.links.get(link.master)
            if bridge is not None:
                yield from self._switch(spot, bridge, link, frame, say, depth + 1)
        else:
            yield Arrival(spot, link)

    def _switch(
        self, spot: Spot, bridge: Link, port: Link | None, frame: Frame, say: Say, depth: int
    ) -> Iterator[Outcome]:
        """A bridge decides; `port` is where the frame came in, None from its own layer 3."""
        if not bridge.up:
            text = _("the bridge {bridge} is down").format(bridge=bridge.name)
            yield self._drop("bridge-down", spot, bridge, say, text)
            return
        self._learn(spot, bridge, port, frame.src)
        entry = self._entry(spot, bridge, frame.dst)
        if frame.dst == BROADCAST or entry is None:
            yield from self._flood(spot, bridge, port, frame, say, depth)
            return
        out = spot.links.get(entry.index)
        if entry.state & NUD_PERMANENT or out is None or out.index == bridge.index:
            if port is not None:
                self._note(spot, rows.fdb(entry, spot.names), _("the bridge's own MAC"), say)
                yield Arrival(spot, bridge)
            return
        self._note(spot, rows.fdb(entry, spot.names), _("this MAC is behind that port"), say)
        sure = bool(entry.state & NUD_NOARP) or (id(spot), bridge.index, entry.mac) in self._learnt
        for outcome in self._forward(spot, port, out, frame, say, depth):
            outcome.entry = outcome.entry or Entry(spot=spot, row=entry)
            if isinstance(outcome, Arrival):
                outcome.sure = outcome.sure or sure
            yield outcome

    def _learn(self, spot: Spot, bridge: Link, port: Link | None, mac: str) -> None:
        """A bridge notes by which port a MAC came in, unless its entry was set by hand."""
        known = _recorded(spot, bridge, mac)
        if port is not None and mac and not (known and known.state & (NUD_NOARP | NUD_PERMANENT)):
            self._learnt[id(spot), bridge.index, mac] = port.index

    def _entry(self, spot: Spot, bridge: Link, mac: str) -> Neighbour | None:
        """A bridge's entry for a MAC: as it learnt on this journey, or as it was read."""
        known = _recorded(spot, bridge, mac)
        port = self._learnt.get((id(spot), bridge.index, mac))
        if port is None or (known and known.index == port):
            return known
        return Neighbour(index=port, mac=mac, state=_LEARNT, master=bridge.index)

    def _flood(
        self, spot: Spot, bridge: Link, port: Link | None, frame: Frame, say: Say, depth: int
    ) -> Iterator[Outcome]:
        if frame.dst != BROADCAST:
            row = f"{frame.dst} dev {bridge.name}"
            self._note(spot, row, _("no entry for this MAC: sent to all ports"), say)
        if port is not None and frame.dst in (BROADCAST, bridge.mac):
            yield Arrival(spot, bridge)
        for out in spot.ports.get(bridge.index, [])[:_MOST]:
            if not (out.flood or frame.dst == BROADCAST):
                continue
            quiet: list[Hop] = []
            if _allowed(port, out):
                yield from self._forward(spot, port, out, frame, quiet.append, depth)

    def _forward(
        self,
        spot: Spot,
        port: Link | None,
        out: Link,
        frame: Frame,
        say: Say,
        depth: int,
    ) -> Iterator[Outcome]:
        if not _allowed(port, out):
            text = _("it came in by {port}, which it may not leave by").format(port=out.name)
            yield self._drop("port", spot, out, say, text)
        elif frame.size > out.mtu:
            text = _("{size} bytes, the port's MTU is {mtu}: dropped without a word").format(
                size=frame.size, mtu=out.mtu
            )
            yield self._drop("size", spot, out, say, text)
        else:
            bridge = spot.links.get(out.master)
            for outcome in self._out(spot, out, frame, say, depth + 1):
                if isinstance(outcome, Arrival) and port is not None and bridge is not None:
                    outcome.crossed.append((spot, bridge))
                yield outcome

    def _drop(
        self,
        why: str,
        spot: Spot,
        link: Link,
        say: Say,
        text: str,
        verdict: str = LOST,
        step: str = "link",
    ) -> Dropped:
        hop = Hop(where=spot.name, step=step, row=rows.link(link), text=text, verdict=verdict)
        say(hop)
        return Dropped(why, spot, link, hop)

    def _note(self, spot: Spot, row: str, text: str, say: Say) -> None:
        say(Hop(where=spot.name, step="fdb", row=row, text=text, verdict=PASSES))


def _allowed(port: Link | None, out: Link) -> bool:
    """May a frame that came in by `port` leave by `out`? (br_forward.c, `should_deliver`)"""
    if port is None:
        return True
    if port.index == out.index:
        return out.hairpin
    return not (port.isolated and out.isolated)


def names_of(spots: Iterable[Spot]) -> str:
    """Names of places, in order and each once."""
    return ", ".join(sorted({one.name for one in spots}))


def _recorded(spot: Spot, bridge: Link, mac: str) -> Neighbour | None:
    """A bridge's entry for a MAC; a bridge that filters no VLANs has one at most."""
    found = spot.forwarding.get((bridge.index, mac), [])
    return next((one for one in found if one.master == bridge.index), None)
