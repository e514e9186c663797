"""Who takes a frame that was sent: the one that has its MAC. Pure.

May import: causes.finding, and within explain: chance, judge, judge_links, judge_silence,
messages, stops, wire, world.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, NoReturn

from dari.causes.finding import Finding
from dari.explain import judge, judge_links, judge_silence
from dari.explain.chance import Chances
from dari.explain.journey import UNREAD
from dari.explain.messages import _
from dari.explain.stops import Stopped, Teller
from dari.explain.wire import Arrival, Dropped, Frame, Outcome, Wire, names_of
from dari.explain.world import Spot, World
from dari.netlink.link import Link

if TYPE_CHECKING:
    from dari.model import IPAddress


class Landing:
    """Sends frames, and finds who takes them."""

    def __init__(
        self, teller: Teller, world: World, wire: Wire, judges: judge.Judges, chances: Chances
    ) -> None:
        self._teller = teller
        self._world = world
        self._wire = wire
        self._judges = judges
        self._chances = chances

    def send(self, spot: Spot, link: Link, next_hop: IPAddress, frame: Frame) -> Arrival:
        """Where a frame comes out.

        Raises:
            Stopped: nobody takes it.
        """
        outcomes = self._wire.send(spot, link, frame, self._teller.say)
        hearing = self._wire.endpoints(spot, link)
        twins = _each_once([one for one in hearing if one.link.mac == frame.dst])
        spots = [one.spot for one in twins if one.spot is not spot]
        spots += [spot] if frame.src == frame.dst else []
        twin = judge_links.twins(frame.dst, spots) if len(spots) > 1 else None
        self._teller.suspect(twin)
        takers = [one for one in outcomes if isinstance(one, Arrival) and one.link.mac == frame.dst]
        if not takers:
            self._lost(spot, link, next_hop, frame, outcomes, twin)
        taker = next((one for one in takers if one.spot.holds(next_hop)), takers[0])
        return taker if taker.sure or not twin else self._whichever(taker, twins, frame)

    def _whichever(self, taker: Arrival, twins: Sequence[Arrival], frame: Frame) -> Arrival:
        """Two with one MAC: a bridge sends to whichever it heard last."""
        ordered = [taker, *(one for one in twins if one.spot is not taker.spot)]
        reason = _("which of {names}, who have one MAC, was heard last").format(
            names=names_of([one.spot for one in ordered])
        )
        return ordered[self._chances.pick(len(ordered), reason)]

    def _lost(
        self,
        spot: Spot,
        link: Link,
        next_hop: IPAddress,
        frame: Frame,
        outcomes: Sequence[Outcome],
        twin: Finding | None,
    ) -> NoReturn:
        arrivals = [one for one in outcomes if isinstance(one, Arrival)]
        drops = [one for one in outcomes if isinstance(one, Dropped)]
        finding = twin or self._why(spot, link, next_hop, frame, drops, arrivals)
        if len(drops) == 1 and not arrivals:
            raise Stopped(drops[0].hop, finding)
        text = _("nobody takes frames for {mac}").format(mac=frame.dst)
        self._teller.stop(spot, "neighbour", frame.dst, text, finding)

    def _why(
        self,
        spot: Spot,
        link: Link,
        next_hop: IPAddress,
        frame: Frame,
        drops: Sequence[Dropped],
        arrivals: Sequence[Arrival],
    ) -> Finding | None:
        broken = any(one.why in ("down", "bridge-down", "size") for one in drops)
        outcomes: list[Outcome] = [*drops, *arrivals]
        entries = (one.entry for one in outcomes if one.entry)
        led = None if broken else next(entries, None)
        hearing = self._wire.endpoints(spot, link)
        if led and any(one.link.mac == frame.dst for one in hearing):
            return judge_links.wrong_entry(led.spot, led.row)
        if any(one.hop.verdict == UNREAD for one in drops):
            return None
        return judge_silence.lost_frame(
            self._judges, self._world, spot, link, next_hop, frame, drops, arrivals
        )


def _each_once(arrivals: Sequence[Arrival]) -> list[Arrival]:
    return list({id(one.spot): one for one in arrivals}.values())
