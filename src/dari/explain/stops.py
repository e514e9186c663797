"""Where a packet's way ends: delivered, or stopped; and how each hop of it is told. Pure.

May import: causes.finding, record, and within explain: journey, packet, world.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NoReturn

from dari.causes.finding import Finding
from dari.explain.journey import LOST, PASSES, Hop
from dari.explain.packet import Packet
from dari.explain.world import Spot
from dari.netlink.link import Link
from dari.record import Record

Say = Callable[[Hop], None]


class Delivered(Record):
    """Where a packet ended, and as what."""

    spot: Spot
    link: Link
    packet: Packet


class Stopped(Exception):
    """A packet goes no further.

    Args:
        hop: where and why; it has been said already.
        finding: the cause; None where it cannot be told.
        too_big: MTU that the sender is told of (ICMP); 0: it was something else.
    """

    def __init__(self, hop: Hop, finding: Finding | None = None, too_big: int = 0) -> None:
        super().__init__(hop.text)
        self.hop = hop
        self.finding = finding
        self.too_big = too_big


class Teller:
    """Tells the hops of one way.

    Args:
        say: is told each hop that decides.

    Attributes:
        suspects: what contradicts the records, though the packet went on.
    """

    def __init__(self, say: Say) -> None:
        self.say = say
        self.suspects: list[Finding] = []

    def suspect(self, finding: Finding | None) -> None:
        """Remember what contradicts the records; None: nothing does."""
        if finding is not None:
            self.suspects.append(finding)

    def note(
        self, spot: Spot, step: str, row: str, text: str, suspect: Finding | None = None
    ) -> None:
        """A row that the packet passes by."""
        code = suspect.code if suspect else ""
        self.say(Hop(where=spot.name, step=step, row=row, text=text, verdict=PASSES, code=code))

    def stop(
        self,
        spot: Spot,
        step: str,
        row: str,
        text: str,
        finding: Finding | None,
        verdict: str = LOST,
        too_big: int = 0,
    ) -> NoReturn:
        """A row where it ends.

        Raises:
            Stopped: always.
        """
        code = finding.code if finding else ""
        hop = Hop(where=spot.name, step=step, row=row, text=text, verdict=verdict, code=code)
        self.say(hop)
        raise Stopped(hop, finding, too_big)
