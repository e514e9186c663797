"""What a kernel asks of a packet that came in, before it passes it on. Pure.

Source: net/ipv4/fib_frontend.c (`fib_validate_source`), ip_forward.c, net/ipv6/ip6_output.c.
May import: within explain: chance, judge_links, lookup, messages, packet, stops, world.
"""

from __future__ import annotations

from dari.explain import judge_links
from dari.explain.chance import Chances
from dari.explain.journey import REFUSED
from dari.explain.lookup import Choice, Question
from dari.explain.messages import _
from dari.explain.packet import Packet
from dari.explain.stops import Teller
from dari.explain.world import Spot
from dari.netlink.link import Link

_BRIM = 0.99  # of the connections that are tracked at most
_CONF = "net/ipv4/conf"


def check_source(teller: Teller, spot: Spot, link: Link, packet: Packet) -> None:
    """Reverse-path filtering, and sources that cannot be: IPv4 only.

    Raises:
        Stopped: the packet is dropped.
    """
    if packet.src.version != 4 or packet.src.is_unspecified:
        return
    local = spot.setting(f"{_CONF}/{link.name}/accept_local") != "0"
    if spot.holds(packet.src) and not local:
        text = _("its source {address} is an address of this machine: dropped").format(
            address=packet.src
        )
        finding = judge_links.martian(spot, packet.src)
        teller.stop(spot, "address", str(packet.src), text, finding)
    strict = max(int(spot.setting(f"{_CONF}/{name}/rp_filter")) for name in ("all", link.name))
    back = spot.tables.choose(Question(dst=packet.src, src=packet.dst)) if strict else None
    same = back is not None and _leaves_by(back, link.index)
    if strict and (back is None or (strict == 1 and not same)):
        name = "all" if spot.setting(f"{_CONF}/all/rp_filter") == str(strict) else link.name
        row = f"net.ipv4.conf.{name}.rp_filter = {strict}"
        text = _("the answer would leave by another link: dropped without a word")
        finding = judge_links.reverse_path(spot, name, row, link)
        teller.stop(spot, "setting", row, text, finding)


def check_room(teller: Teller, spot: Spot, packet: Packet, chances: Chances) -> None:
    """Is there room for one more connection? (nf_conntrack_core.c, `__nf_conntrack_alloc`)

    Where nearly none is left, it depends on how many come and go.

    Raises:
        Stopped: there is none, and the packet would begin one.
    """
    have, most = spot.place.connections, spot.place.most_connections
    if packet.reply or most <= 0 or have < most * _BRIM:
        return
    row = f"net.netfilter.nf_conntrack_count = {have}, nf_conntrack_max = {most}"
    finding = judge_links.connections_full(spot, row)
    teller.suspect(finding)
    reason = _("whether {name} has room for one more connection").format(name=spot.name)
    if have >= most or chances.pick(2, reason) == 1:
        text = _("it begins a connection, for which there is no room: dropped without a word")
        teller.stop(spot, "setting", row, text, finding)


def check_family(teller: Teller, spot: Spot, link: Link, packet: Packet) -> None:
    """Does a link take IPv6 in, and from this source? (ip6_input.c, `ip6_rcv_core`)

    Raises:
        Stopped: it does not.
    """
    if packet.src.version == 6 and packet.src.is_loopback:
        text = _("its source {address} is of another machine's own: dropped").format(
            address=packet.src
        )
        teller.stop(spot, "address", str(packet.src), text, None)
    name = f"ipv6/conf/{link.name}/disable_ipv6"
    if packet.dst.version == 6 and spot.setting(f"net/{name}") == "1":
        setting = f"net.{name.replace('/', '.')}"
        text = _("IPv6 is off for this link: dropped without a word")
        finding = judge_links.ipv6_off(spot, setting)
        teller.stop(spot, "setting", f"{setting} = 1", text, finding)


def check_forwarding(teller: Teller, spot: Spot, link: Link, packet: Packet, out: str) -> None:
    """Does the place pass on what is not for itself?

    Args:
        link: that it came in by.
        out: name of the link that it would leave by.

    Raises:
        Stopped: it does not.
    """
    version = packet.dst.version
    if packet.left <= 1:
        text = _("it goes round in circles, and no router may pass it on any more")
        teller.stop(spot, "route", "", text, None, REFUSED)
    if version == 6 and packet.src.is_link_local and out != link.name:
        text = _("its source {address} is of this link alone: not passed on").format(
            address=packet.src
        )
        teller.stop(spot, "address", str(packet.src), text, None, REFUSED)
    name = f"ipv4/conf/{link.name}" if version == 4 else "ipv6/conf/all"
    if spot.setting(f"net/{name}/forwarding", "1") != "0":
        return
    setting = "net.ipv4.ip_forward" if version == 4 else "net.ipv6.conf.all.forwarding"
    if version == 4 and spot.setting("net/ipv4/ip_forward") != "0":
        setting = f"net.ipv4.conf.{link.name}.forwarding"
    text = _("not its own address, and it passes nothing on: dropped without a word")
    finding = judge_links.forwarding(spot, setting, packet)
    teller.stop(spot, "setting", f"{setting} = 0", text, finding)


def _leaves_by(choice: Choice, index: int) -> bool:
    hops = choice.route.hops if choice.route else ()
    return choice.hop.device == index or any(hop.device == index for hop in hops)
