"""What a place's rules do to a packet at a hook: drop it, rewrite it, let it by. Pure.

Source: https://wiki.nftables.org, "Netfilter hooks"; net/netfilter/nf_nat_core.c for
which packet of a connection is rewritten.
May import: causes, record, and within explain: filters, journey, judge, messages,
packet, world.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from dari.causes.finding import Finding
from dari.explain import judge
from dari.explain.filters.hooks import (
    DNAT,
    DROP,
    MASQUERADE,
    REDIRECT,
    REJECT,
    SNAT,
    Event,
    Run,
)
from dari.explain.filters.match import Seen
from dari.explain.journey import LOST, PASSES, REFUSED, REWRITTEN, UNREAD, Hop
from dari.explain.lookup import Question
from dari.explain.messages import _
from dari.explain.packet import Memory, Packet
from dari.explain.stops import Say
from dari.explain.world import Spot
from dari.netlink.link import Link
from dari.tables.ruleset import NAT

if TYPE_CHECKING:
    from dari.model import IPAddress

PREROUTING, INPUT, FORWARD = "prerouting", "input", "forward"
OUTPUT, POSTROUTING = "output", "postrouting"


class Passed:
    """What comes out of a hook.

    Attributes:
        packet: as it goes on.
        stopped: the hop where it was dropped or refused; None: it goes on.
        finding: why, if it was; or what is wrong with a rewriting.
    """

    def __init__(self, packet: Packet) -> None:
        self.packet = packet
        self.stopped: Hop | None = None
        self.finding: Finding | None = None


class Rules:
    """Runs hooks for one walk.

    Args:
        say: is told each hop that decides.
        memory: of connections, kept from the way there to the way back.
        judges: know what the records say.
    """

    def __init__(self, say: Say, memory: Memory, judges: judge.Judges) -> None:
        self._say = say
        self._memory = memory
        self._judges = judges

    def apart(self, say: Say, memory: Memory) -> Rules:
        """The same, told and remembered elsewhere."""
        return Rules(say, memory, self._judges)

    def at(
        self,
        hook: str,
        spot: Spot,
        packet: Packet,
        incoming: str = "",
        outgoing: Link | None = None,
    ) -> Passed:
        """Run a hook's chains, in the order of their priorities."""
        if hook in (PREROUTING, OUTPUT):
            self._memory.enter(spot, packet)
        passed = Passed(self._undo(hook, spot, packet))
        for chain in spot.ruleset.chains(hook, packet.dst.version):
            if chain.type == NAT and (packet.reply or packet.outer):
                continue  # only a connection's first packet meets these
            run = Run(spot.ruleset, self._seen(spot, passed.packet, incoming, outgoing))
            verdict = run.through(chain)
            for event in run.events:
                self._tell(hook, spot, event, passed, outgoing)
            if verdict in (DROP, REJECT):
                break
        if hook in (POSTROUTING, INPUT):
            self._memory.leave(spot, passed.packet)
        return passed

    def _seen(self, spot: Spot, packet: Packet, incoming: str, outgoing: Link | None) -> Seen:
        return Seen(
            src=packet.src,
            dst=packet.dst,
            protocol=packet.protocol,
            sport=packet.sport,
            dport=packet.dport,
            mark=packet.mark,
            reply=packet.reply,
            size=packet.size,
            incoming=incoming,
            outgoing=outgoing.name if outgoing else "",
            state=self._state(spot, packet),
            translated=self._memory.translated(spot),
            to_local=spot.holds(packet.dst),
            from_local=spot.holds(packet.src),
        )

    def _state(self, spot: Spot, packet: Packet) -> str:
        if not packet.reply:
            return "new"
        if self._memory.seen(spot):
            return "established"
        return "new" if packet.protocol == "udp" else "invalid"

    def _undo(self, hook: str, spot: Spot, packet: Packet) -> Packet:
        """An answer's addresses are put back to what its asker knows."""
        track = self._memory.of(spot, packet)
        if track is not None and hook in (PREROUTING, OUTPUT) and track.before.src != packet.dst:
            text = _("the answer goes back to {address}").format(address=track.before.src)
            row = f"{packet.dst} -> {track.before.src}"
            self._hop(spot, "nat", row, text, PASSES)
            return packet.replace(dst=track.before.src, dport=track.before.sport)
        source = self._memory.source(spot, packet)
        if source is not None and hook in (POSTROUTING, INPUT):
            text = _("the answer comes from {address} again").format(address=source)
            self._hop(spot, "nat", f"{packet.src} -> {source}", text, PASSES)
            return packet.replace(src=source)
        return packet

    def _tell(
        self, hook: str, spot: Spot, event: Event, passed: Passed, outgoing: Link | None
    ) -> None:
        if event.kind == "unread":
            text = _("a rule at {hook} that could not be read").format(hook=hook)
            self._hop(spot, "filter", event.row, text, UNREAD)
        elif event.kind == "mark":
            passed.packet = passed.packet.replace(mark=event.mark)
        elif event.kind in (DROP, REJECT):
            passed.finding = judge.filtered(self._judges, spot, hook, event, passed.packet)
            text = _("a rule at {hook} drops it").format(hook=hook)
            verdict = LOST if event.kind == DROP else REFUSED
            code = passed.finding.code
            passed.stopped = self._hop(spot, "filter", event.row, text, verdict, code)
        else:
            self._rewrite(spot, event, passed, outgoing)

    def _rewrite(self, spot: Spot, event: Event, passed: Passed, outgoing: Link | None) -> None:
        before = passed.packet
        if event.kind in (DNAT, REDIRECT):
            to = event.address or _first(spot, before.dst.version) or before.dst
            passed.packet = before.replace(dst=to, dport=event.port or before.dport)
            text = _("its destination becomes {address}").format(address=to)
            finding = self._judges.of(spot).redirected(spot, event, before.dst, to)
        elif event.kind in (SNAT, MASQUERADE):
            source = event.address or _masquerade_source(spot, before, outgoing) or before.src
            passed.packet = before.replace(src=source)
            text = _("its source becomes {address}").format(address=source)
            finding = self._judges.of(spot).sourced(spot, event, before.src, before.dst)
        else:
            return
        passed.finding = passed.finding or finding
        code = finding.code if finding else ""
        self._hop(spot, "nat", event.row, text, REWRITTEN, code)

    def _hop(self, spot: Spot, step: str, row: str, text: str, verdict: str, code: str = "") -> Hop:
        hop = Hop(where=spot.name, step=step, row=row, text=text, verdict=verdict, code=code)
        self._say(hop)
        return hop


def _first(spot: Spot, version: int) -> IPAddress | None:
    return next((one for one in spot.addresses if one.version == version), None)


def _masquerade_source(spot: Spot, packet: Packet, outgoing: Link | None) -> IPAddress | None:
    """The outgoing link's address, of the next hop's network if it has one of that."""
    if outgoing is None:
        return None
    choice = spot.tables.choose(Question(dst=packet.dst))
    next_hop = (choice.hop.gateway if choice else None) or packet.dst
    own = [
        one.interface
        for one in spot.place.addresses
        if one.index == outgoing.index and one.interface.version == packet.dst.version
        if one.scope == 0
    ]
    near = [one for one in own if next_hop in one.network]
    return next((one.ip for one in (*near, *own)), None)
