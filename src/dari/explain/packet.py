"""A packet under way, and what places remember of its connection.

May import: model, record, explain's journey and world.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from dari.explain.journey import ICMP
from dari.explain.world import Spot
from dari.record import Record

if TYPE_CHECKING:
    from dari.model import IPAddress


class Packet(Record):
    """A packet under way; `size` in bytes, its IP header included.

    Attributes:
        reply: is it the answer to one that went before?
        outer: does it carry another, through a tunnel?
        bound: did its sender name the source address? Else the route chose it, and policy
            rules by source were asked without one.
        left: how many routers may still pass it on (TTL, hop limit).
        link: name of the link that it has to leave by, as an answer to an address that
            counts on one link alone; empty: any.
    """

    src: IPAddress
    dst: IPAddress
    protocol: str = ICMP
    sport: int = 0
    dport: int = 0
    size: int = 84
    mark: int = 0
    reply: bool = False
    outer: bool = False
    bound: bool = True
    left: int = 64
    link: str = ""


class Track(Record):
    """What connection tracking keeps of one packet's way through one place."""

    before: Packet
    after: Packet


class Memory:
    """Connections that places have seen, from the first packet to its answer.

    Attributes:
        learnt: by bridge and MAC, the port where a bridge last saw that MAC, on this journey.
    """

    def __init__(self) -> None:
        self._tracks: dict[int, Track] = {}
        self.learnt: dict[tuple[int, int, str], int] = {}

    def enter(self, spot: Spot, packet: Packet) -> None:
        """The first packet comes by, as it is before any rewriting."""
        if not packet.outer and not packet.reply:
            self._tracks.setdefault(id(spot), Track(before=packet, after=packet))

    def leave(self, spot: Spot, packet: Packet) -> None:
        """It leaves, rewritten or not."""
        track = self._tracks.get(id(spot))
        if track is not None and not packet.outer and not packet.reply:
            self._tracks[id(spot)] = track.replace(after=packet)

    def of(self, spot: Spot, packet: Packet) -> Track | None:
        """The connection that an answer belongs to; None where this place has not seen it."""
        track = self._tracks.get(id(spot))
        if track is None or packet.outer or not packet.reply:
            return None
        return track if packet.dst == track.after.src else None

    def seen(self, spot: Spot) -> bool:
        """Has the connection's first packet been here?"""
        return id(spot) in self._tracks

    def source(self, spot: Spot, packet: Packet) -> IPAddress | None:
        """What an answer's source was called before its destination was rewritten here."""
        track = self._tracks.get(id(spot))
        if track is None or packet.outer or not packet.reply:
            return None
        rewritten = track.before.dst != track.after.dst and packet.src == track.after.dst
        return track.before.dst if rewritten else None

    def translated(self, spot: Spot) -> bool:
        """Was the connection's destination rewritten here?"""
        track = self._tracks.get(id(spot))
        return track is not None and track.before.dst != track.after.dst
