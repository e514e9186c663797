"""Which MAC a packet is sent to: as the table has it, or as the one asked would answer. Pure.

Source: net/core/neighbour.c; net/ipv4/arp.c (`arp_process`): who asks or answers last with
an address is believed.
May import: causes, netlink's records, tables.rows, and within explain: chance, crossing, judge,
judge_links, judge_silence, messages, packet, rules, stops, wire, world.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from dari.causes.finding import Finding
from dari.causes.paths import NEXT_HOP_SILENT
from dari.explain import judge, judge_links, judge_silence
from dari.explain.chance import Chances
from dari.explain.crossing import question_lost
from dari.explain.journey import REFUSED, UNREAD, Hop
from dari.explain.messages import _
from dari.explain.packet import Packet
from dari.explain.rules import Rules
from dari.explain.stops import Stopped, Teller
from dari.explain.wire import BROADCAST, Arrival, Dropped, Frame, Wire, names_of
from dari.explain.world import Spot, World
from dari.netlink.link import Link
from dari.netlink.neighbour import Neighbour
from dari.tables import rows

if TYPE_CHECKING:
    from dari.model import IPAddress

_FIXED = 0x40 | 0x80  # NUD_NOARP, NUD_PERMANENT
_REACHABLE = 0x02
_VALID = _REACHABLE | 0x04 | 0x08 | 0x10  # and NUD_STALE, NUD_DELAY, NUD_PROBE


class Asking:
    """Resolves next hops.

    Args:
        quiet: rules that tell nobody.
    """

    def __init__(
        self,
        teller: Teller,
        world: World,
        wire: Wire,
        judges: judge.Judges,
        chances: Chances,
        quiet: Rules,
    ) -> None:
        self._quiet = quiet
        self._teller = teller
        self._world = world
        self._wire = wire
        self._judges = judges
        self._chances = chances

    def resolve(self, spot: Spot, link: Link, address: IPAddress) -> str:
        """The MAC to send to.

        Raises:
            Stopped: there is none, and nobody who answers.
        """
        entry = spot.neighbours.get((link.index, address))
        if entry is not None and entry.mac and entry.state & _FIXED:
            return self._known(spot, entry)
        if link.index in spot.vxlans:
            return self._in_tunnel(spot, link, address, entry)
        answers = self._answers(spot, link, address)
        valid = entry if entry is not None and entry.mac and entry.state & _VALID else None
        if valid is not None and not answers:
            self._teller.suspect(self._why_silent(spot, link, address))
            return self._known(spot, valid)
        return self._ask(spot, link, address, valid, answers)

    def _known(self, spot: Spot, entry: Neighbour) -> str:
        row = rows.neighbour(entry, spot.names)
        self._teller.note(spot, "neighbour", row, _("this is the MAC to send to"))
        return entry.mac

    def _in_tunnel(
        self, spot: Spot, link: Link, address: IPAddress, entry: Neighbour | None
    ) -> str:
        if entry is not None and entry.mac and entry.state & _REACHABLE:
            return self._known(spot, entry)
        text = _("there is no MAC for it, and nobody in the tunnel is asked")
        finding = self._judges.of(spot).tunnel_neighbour(spot, link, address)
        row = f"{address} dev {link.name}"
        return self._teller.stop(spot, "neighbour", row, text, finding)

    def _answers(self, spot: Spot, link: Link, address: IPAddress) -> dict[str, Spot]:
        """The MACs of all who have the address and hear a question, and whose they are.

        With the MAC of who asks, an answer does not come back: bridges send nothing to where
        it came from.
        """
        hearing = [
            one
            for one in self._wire.endpoints(spot, link)
            if one.spot.holds(address) and self._hears(one, address)
        ]
        places = {id(one.spot): one for one in reversed(hearing)}.values()
        for one in places:
            if one.link.mac == link.mac and one.spot is not spot:
                self._teller.suspect(judge_links.twins(link.mac, [one.spot, spot]))
        if len(places) > 1:
            spots = [one.spot for one in places]
            self._teller.suspect(judge_links.same_address(address, spots))
        found = {one.link.mac: one.spot for one in places if one.link.mac != link.mac}
        return dict(reversed(found.items()))

    def _hears(self, one: Arrival, address: IPAddress) -> bool:
        packet = Packet(src=address, dst=address)
        lost, finding = question_lost(self._quiet, one, packet)
        self._teller.suspect(finding)
        return not lost

    def _ask(
        self,
        spot: Spot,
        link: Link,
        address: IPAddress,
        valid: Neighbour | None,
        answers: Mapping[str, Spot],
    ) -> str:
        """ARP, or neighbour discovery: a question to all, answered by who has the address.

        A valid entry is used without a question, and asked about only after some seconds.
        """
        row = rows.neighbour(valid, spot.names) if valid else f"{address} dev {link.name}"
        known = valid.mac if valid else ""
        macs = list(dict.fromkeys([known, *answers] if known else answers))
        if not macs:
            self._unanswered(spot, link, address, row)
        reason = _("who of {names} answers first for {address}").format(
            names=names_of(answers.values()), address=address
        )
        if len(answers) == 1:
            reason = _("whether {name} has found out that {address} has another MAC now").format(
                name=spot.name, address=address
            )
        mac = macs[self._chances.pick(len(macs), reason)]
        text = (
            _("this is the MAC to send to")
            if mac == known
            else _("it asks, and {name} answers: {mac}").format(name=answers[mac].name, mac=mac)
        )
        self._teller.note(spot, "neighbour", row, text)
        return mac

    def _why_silent(self, spot: Spot, link: Link, address: IPAddress) -> Finding | None:
        """A cause that is known for sure, not merely that nobody answers."""
        finding = judge_silence.silent(self._judges, self._world, spot, link, address)
        return finding if finding and finding.code != NEXT_HOP_SILENT.code else None

    def _unanswered(self, spot: Spot, link: Link, address: IPAddress, row: str) -> None:
        drops: list[Hop] = []
        frame = Frame(src=link.mac, dst=BROADCAST, size=0)
        outcomes = self._wire.send(spot, link, frame, drops.append)
        own = [one for one in outcomes if isinstance(one, Dropped)]
        unread = [one for one in own if one.hop.verdict == UNREAD]
        if unread and len(unread) == len(outcomes):
            text = _("whoever is beyond {link} was not read").format(link=link.name)
            self._teller.stop(spot, "neighbour", row, text, None, UNREAD)
        near = [one for one in own if one.spot is spot or len(own) == 1]
        if near and len(near) == len(outcomes):
            hop = near[0].hop.replace(step="cable")  # the question is lost: the packet waits
            self._teller.say(hop)
            finding = judge_silence.lost_frame(
                self._judges, self._world, spot, link, address, frame, near, []
            )
            raise Stopped(hop, finding)
        text = _("it asks who has {address}, and nobody answers").format(address=address)
        finding = judge_silence.silent(self._judges, self._world, spot, link, address)
        self._teller.stop(spot, "neighbour", row, text, finding, REFUSED)
