"""What a kernel does with a packet: sends it, takes it, passes it on. Pure.

Source: net/ipv4/route.c (`ip_route_input_slow`), ip_forward.c, ip_output.c;
net/ipv6/ip6_output.c.
May import: causes, netlink's records and constants, tables.rows, and within explain: all
but walk, show.
"""

from __future__ import annotations

from dari.causes.finding import Finding
from dari.explain import judge
from dari.explain.asking import Asking
from dari.explain.chance import Chances
from dari.explain.crossing import crossings, unheard
from dari.explain.gates import check_family, check_forwarding, check_room, check_source
from dari.explain.journey import LOST, REFUSED
from dari.explain.landing import Landing
from dari.explain.lookup import HERE, LOOPBACK, Choice, Question
from dari.explain.messages import _
from dari.explain.packet import Memory, Packet
from dari.explain.rules import FORWARD, INPUT, OUTPUT, POSTROUTING, PREROUTING, Rules
from dari.explain.stops import Delivered, Say, Stopped, Teller
from dari.explain.tunnel import Tunnels
from dari.explain.wire import Arrival, Frame, Wire
from dari.explain.world import Spot, World
from dari.language import N_
from dari.netlink.constants import RTN_UNICAST
from dari.netlink.link import Link
from dari.tables import rows

_MOST_HOPS = 200
_USUAL_RULES = (0, 32766, 32767)
_OTHER_KIND = N_("not for a packet to one address")
_ROUTE_KINDS = {6: N_("dropped without a word"), 7: N_("unreachable"), 8: N_("prohibited")}


class Walker:
    """Walks one packet after the other through a world.

    Args:
        say: is told each hop that decides.
        judges: what the records ask of each machine.
        memory: of connections, and of what bridges have learnt.
        chances: where it depends on who spoke last.
    """

    def __init__(
        self, world: World, say: Say, judges: judge.Judges, memory: Memory, chances: Chances
    ) -> None:
        wire = Wire(world, memory.learnt)
        self._teller = Teller(say)
        self._rules = Rules(say, memory, judges)
        self._judges = judges
        self._chances = chances
        self._asking = Asking(self._teller, world, wire, judges, chances, unheard(self._rules))
        self._landing = Landing(self._teller, world, wire, judges, chances)
        self._tunnels = Tunnels(self._teller, judges)
        self._hops = 0

    @property
    def suspects(self) -> list[Finding]:
        """What contradicts the records, though the packet went on."""
        return self._teller.suspects

    def send(self, spot: Spot, packet: Packet) -> Delivered:
        """A packet made in a place.

        Raises:
            Stopped: it does not arrive anywhere.
        """
        source = packet.src if packet.bound else None
        question = Question(dst=packet.dst, src=source, mark=packet.mark, outgoing=packet.link)
        choice = self._choose(spot, question, packet)
        passed = self._hook(OUTPUT, spot, packet, "", spot.links.get(choice.hop.device))
        if (passed.dst, passed.mark) != (packet.dst, packet.mark):
            question = Question(dst=passed.dst, src=passed.src, mark=passed.mark)
            choice = self._choose(spot, question, passed)
        if choice.kind in HERE:
            loopback = spot.by_name[LOOPBACK]
            passed = self._hook(POSTROUTING, spot, passed, "", loopback)
            return self._deliver(spot, loopback, passed)
        return self._transmit(spot, choice, passed, "")

    def _receive(self, spot: Spot, link: Link, packet: Packet) -> Delivered:
        """A packet that came in by a link."""
        self._hops += 1
        if self._hops > _MOST_HOPS:  # tunnels in tunnels: each packet around another is new
            self._teller.stop(spot, "route", "", _("it goes round in circles"), None)
        check_family(self._teller, spot, link, packet)
        packet = self._hook(PREROUTING, spot, packet, link.name)
        check_source(self._teller, spot, link, packet)
        question = Question(dst=packet.dst, src=packet.src, incoming=link.name, mark=packet.mark)
        choice = self._choose(spot, question, packet)
        if choice.kind in HERE:
            return self._deliver(spot, link, packet)
        out = spot.links.get(choice.hop.device)
        check_forwarding(self._teller, spot, link, packet, out.name if out else "")
        packet = packet.replace(left=packet.left - 1)
        packet = self._hook(FORWARD, spot, packet, link.name, out)
        return self._transmit(spot, choice, packet, link.name)

    def _hook(
        self, hook: str, spot: Spot, packet: Packet, incoming: str, outgoing: Link | None = None
    ) -> Packet:
        """What a hook's rules leave of a packet."""
        if hook in (PREROUTING, OUTPUT):
            check_room(self._teller, spot, packet, self._chances)
        passed = self._rules.at(hook, spot, packet, incoming, outgoing)
        if passed.stopped is not None:
            raise Stopped(passed.stopped, passed.finding)
        self._teller.suspect(passed.finding)
        return passed.packet

    def _deliver(self, spot: Spot, link: Link, packet: Packet) -> Delivered:
        packet = self._hook(INPUT, spot, packet, link.name)
        holder = spot.addresses.get(packet.dst)
        name = spot.names.get(holder, link.name) if holder is not None else link.name
        self._teller.note(
            spot, "deliver", f"{packet.dst} dev {name}", _("its own address: it is here")
        )
        return Delivered(spot=spot, link=link, packet=packet)

    def _choose(self, spot: Spot, question: Question, packet: Packet) -> Choice:
        choice = spot.tables.choose(question)
        suspect = self._judges.of(spot).route(spot, choice, packet.dst)
        self._teller.suspect(suspect)
        if choice is None:
            text = _("no route to {address}").format(address=packet.dst)
            self._teller.stop(spot, "route", "", text, suspect, REFUSED)
        row = rows.route(choice.route, spot.names) if choice.route else rows.rule(choice.rule)
        if choice.rule.priority not in _USUAL_RULES and choice.route:
            self._teller.note(spot, "rule", rows.rule(choice.rule), _("this rule names the table"))
        if choice.kind not in (RTN_UNICAST, *HERE):
            text = _(_ROUTE_KINDS.get(choice.kind, _OTHER_KIND))
            verdict = LOST if choice.kind == 6 else REFUSED
            self._teller.stop(spot, "route", row, text, suspect, verdict)
        if choice.kind == RTN_UNICAST:
            self._teller.note(spot, "route", row, _route_text(choice, spot), suspect)
        return choice

    def _transmit(self, spot: Spot, choice: Choice, packet: Packet, incoming: str) -> Delivered:
        link = spot.links[choice.hop.device]
        packet = self._hook(POSTROUTING, spot, packet, incoming, link)
        suspect = self._judges.of(spot).unmasked(spot, link, packet)
        self._teller.suspect(suspect)
        mtu = (choice.route.mtu if choice.route else 0) or link.mtu
        if packet.size > mtu:
            text = _("{size} bytes, {mtu} fit: the sender is told so").format(
                size=packet.size, mtu=mtu
            )
            self._teller.stop(spot, "link", rows.link(link), text, None, REFUSED, too_big=mtu)
        next_hop = choice.hop.gateway or packet.dst
        mac = self._asking.resolve(spot, link, next_hop)
        frame = Frame(src=link.mac, dst=mac, size=packet.size)
        if link.index in spot.vxlans:
            return self._tunnel(spot, link, frame, packet)
        taker = self._landing.send(spot, link, next_hop, frame)
        return self._receive(taker.spot, taker.link, self._cross(taker, packet))

    def _tunnel(self, spot: Spot, link: Link, frame: Frame, packet: Packet) -> Delivered:
        """Into a vxlan device: the frame inside a UDP packet to the peer's end."""
        wrapped = self._tunnels.wrap(spot, link, frame, packet)
        there = self.send(spot, wrapped.outer)
        end = self._tunnels.unwrap(there.spot, wrapped)
        return self._receive(there.spot, end, packet)

    def _cross(self, taker: Arrival, packet: Packet) -> Packet:
        """With br_netfilter what a bridge passes on meets the rules of layer 3 too."""
        for hook, spot, bridge, outgoing in crossings(taker, packet.dst.version):
            packet = self._hook(hook, spot, packet, bridge.name, outgoing)
        return packet


def _route_text(choice: Choice, spot: Spot) -> str:
    name = spot.names.get(choice.hop.device, "")
    if choice.hop.gateway:
        return _("on to {gateway} by {link}").format(gateway=choice.hop.gateway, link=name)
    return _("directly on {link}").format(link=name)
