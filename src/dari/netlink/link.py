"""Links as the kernel describes them: asked for one by one, and listed.

How they are made and changed: `linkchange`.

Source: linux/if_link.h.
May import: record, codec, constants, and conversation for its type.
"""

from __future__ import annotations

from struct import Struct

from dari.netlink import constants as c
from dari.netlink.codec import (
    Attributes,
    Request,
    nested,
    pack,
    parse_attributes,
    text,
    u32,
    unpack,
)
from dari.record import Record

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence

    from dari.netlink.conversation import Conversation

_IFINFO = Struct("=BxHiII")


class Link(Record):
    """A link as the kernel describes it; a number that is absent is 0.

    Attributes:
        kind: ``bridge``, ``veth``, ``vxlan``...; empty for a physical link or lo.
        running: IFF_RUNNING, able to carry packets.
        carrier: whether a cable is plugged in.
        operstate: IF_OPER_*, RFC 2863: 6 is up, 2 down, 0 unknown.
        master: index of the bridge that it is a port of.
        peer_index: a veth's other end, or the link that this one is on
            (IFLA_LINK), counted in namespace `netns_id`.
        netns_id: id of that namespace as seen from here; -1: this one.
        port_kind: what `master` is; the port's flags are false without one.
    """

    index: int
    name: str
    kind: str = ""
    mac: str = ""
    mtu: int = 0
    up: bool = False
    running: bool = False
    carrier: bool = False
    operstate: int = 0
    master: int = 0
    peer_index: int = 0
    netns_id: int = -1
    alias: str = ""
    group: int = 0
    txqlen: int = 0
    flags: int = 0
    promisc: bool = False
    allmulti: bool = False
    addr_gen_mode: int = 0
    port_kind: str = ""
    hairpin: bool = False
    isolated: bool = False
    learning: bool = False
    flood: bool = False


def get_link(
    sock: Conversation, *, index: int = 0, name: str = "", after: Sequence[Request] = ()
) -> Link:
    """The link with this index or, without one, this name.

    Equivalent to: `ip -details link show dev NAME`.

    Args:
        after: changes that are made before, in the same datagram.

    Raises:
        NotFound: there is none.
        KernelRefused: a change was refused.
    """
    return parse_link(sock.ask(_question(index, name), after=after))


def refresh_link(sock: Conversation, index: int, *, after: Sequence[Request] = ()) -> None:
    """Have the kernel bring its idea of a link's carrier up to date at once.

    It does so when it is asked for the link; otherwise its background work does, soon, and
    until then a bridge's new port, or a new carrier, passes nothing on.

    Args:
        index: the link's.
        after: changes that are made before, in the same datagram.

    Raises:
        NotFound: there is none.
        KernelRefused: a change was refused.
    """
    sock.ask(_question(index, ""), after=after)


def list_links(
    sock: Conversation, *, kind: str = "", master: int = 0, settled: bool = True
) -> list[Link]:
    """All links, or those of a kind, or the ports of a bridge.

    Equivalent to: `ip -details link show type KIND master MASTER`.

    Args:
        settled: see `Conversation.dump`. On a node of a thousand pods in a burst of others, all
            are hardly ever told of before one comes or goes.
    """
    request = Request(
        kind=c.RTM_GETLINK,
        flags=0,
        body=header()
        + _no_statistics()
        + (u32(c.IFLA_MASTER, master) if master else b"")
        + (nested(c.IFLA_LINKINFO, text(c.IFLA_INFO_KIND, kind)) if kind else b""),
        doing="list links",
    )
    # Checked again here: without the kind's module loaded the kernel filters nothing.
    return [
        link
        for link in map(parse_link, sock.dump(request, settled=settled))
        if kind in ("", link.kind) and master in (0, link.master)
    ]


def parse_link(body: bytes) -> Link:
    """Read the body of RTM_NEWLINK or RTM_DELLINK.

    Raises:
        Undecodable: it is none.
    """
    _, _, index, flags, _ = unpack(_IFINFO, body, "link")
    found = parse_attributes(body[_IFINFO.size :])
    info = found.nested(c.IFLA_LINKINFO)
    port_kind = info.text(c.IFLA_INFO_SLAVE_KIND)
    port = info.nested(c.IFLA_INFO_SLAVE_DATA) if port_kind == "bridge" else Attributes()
    return Link(
        index=index,
        name=found.text(c.IFLA_IFNAME),
        kind=info.text(c.IFLA_INFO_KIND),
        mac=found.mac(c.IFLA_ADDRESS),
        mtu=found.u32(c.IFLA_MTU),
        up=bool(flags & c.IFF_UP),
        running=bool(flags & c.IFF_RUNNING),
        carrier=bool(found.u8(c.IFLA_CARRIER)),
        operstate=found.u8(c.IFLA_OPERSTATE),
        master=found.u32(c.IFLA_MASTER),
        peer_index=found.u32(c.IFLA_LINK),
        netns_id=found.s32(c.IFLA_LINK_NETNSID, -1),
        alias=found.text(c.IFLA_IFALIAS),
        group=found.u32(c.IFLA_GROUP),
        txqlen=found.u32(c.IFLA_TXQLEN),
        flags=flags,
        promisc=bool(flags & c.IFF_PROMISC),
        allmulti=bool(flags & c.IFF_ALLMULTI),
        addr_gen_mode=_addr_gen_mode(found),
        port_kind=port_kind,
        hairpin=bool(port.u8(c.IFLA_BRPORT_MODE)),
        isolated=bool(port.u8(c.IFLA_BRPORT_ISOLATED)),
        learning=bool(port.u8(c.IFLA_BRPORT_LEARNING)),
        flood=bool(port.u8(c.IFLA_BRPORT_UNICAST_FLOOD)),
    )


def _question(index: int, name: str) -> Request:
    named = text(c.IFLA_IFNAME, name) if name and not index else b""
    return Request(
        kind=c.RTM_GETLINK,
        flags=0,
        body=header(index=index) + named + _no_statistics(),
        doing=f"get {called(index, name)}",
    )


def _addr_gen_mode(found: Attributes) -> int:
    settings = found.nested(c.IFLA_AF_SPEC).nested(c.AF_INET6)
    return settings.u8(c.IFLA_INET6_ADDR_GEN_MODE)


def header(*, family: int = 0, index: int = 0, flags: int = 0, change: int = 0) -> bytes:
    """What each message about links begins with (struct ifinfomsg)."""
    return pack(_IFINFO, family, 0, index, flags, change)


def _no_statistics() -> bytes:
    """Counters are a third of a link's description, and nobody here reads them."""
    return u32(c.IFLA_EXT_MASK, c.RTEXT_FILTER_SKIP_STATS)


def called(index: int, name: str) -> str:
    """A link as errors name it."""
    return f"link {name or index}"
