"""Neighbours (IP address to MAC) and a bridge's or vxlan's forwarding entries (MAC to port).

The kernel keeps both in one kind of message, and so does `Neighbour`; which of
the two tables is meant is said by the function's name, ``neighbour`` or ``fdb``.

Source: linux/neighbour.h; net/core/neighbour.c, net/core/rtnetlink.c for fdb.
May import: record, model, codec, constants, family, and conversation for its type.
"""

from __future__ import annotations

from struct import Struct

from dari.netlink import constants as c
from dari.netlink.codec import Request, attribute, mac, pack, parse_attributes, u16, u32, unpack
from dari.netlink.family import FAMILY, VERSION, unpack_optional
from dari.record import Record

TYPE_CHECKING = False
if TYPE_CHECKING:
    from dari.model import IPAddress
    from dari.netlink.conversation import Conversation

_NDMSG = Struct("=BxHiHBB")


class Neighbour(Record):
    """An entry of either table.

    Attributes:
        index: the link through which it is reached.
        address: the neighbour's; in a forwarding entry, the remote VTEP's.
        mac: ``aa:bb:cc:dd:ee:ff``; empty while it is not known.
        state: NUD_*: 0x80 permanent, 0x02 reachable, 0x40 needs no ARP.
        flags: NTF_*: 0x02 self (the link's own table), 0x04 master (its bridge's),
            0x10 learned by another program.
        vlan: forwarding entries of a bridge that filters VLANs; 0: none.
        master: index of the bridge that a forwarding entry is in; 0: none.
        vni: forwarding entries of vxlan; 0: the link's own.
        device: link by which a vxlan entry's packets leave; 0: by the route.
    """

    index: int
    address: IPAddress | None = None
    mac: str = ""
    state: int = c.NUD_PERMANENT
    flags: int = 0
    vlan: int = 0
    master: int = 0
    vni: int = 0
    device: int = 0


def add_neighbour(entry: Neighbour) -> Request:
    """Add a neighbour.

    Equivalent to: `ip neighbour add ADDRESS lladdr MAC dev LINK nud permanent`.
    """
    return _change("add", c.RTM_NEWNEIGH, c.NLM_F_CREATE | c.NLM_F_EXCL, entry)


def replace_neighbour(entry: Neighbour) -> Request:
    """Add a neighbour, or put it in the place of the one with its address.

    Equivalent to: `ip neighbour replace ADDRESS lladdr MAC dev LINK nud permanent`.
    """
    return _change("replace", c.RTM_NEWNEIGH, c.NLM_F_CREATE | c.NLM_F_REPLACE, entry)


def delete_neighbour(entry: Neighbour) -> Request:
    """Delete the neighbour with this address.

    Equivalent to: `ip neighbour delete ADDRESS dev LINK`.
    """
    return _change("delete", c.RTM_DELNEIGH, 0, entry)


def list_neighbours(sock: Conversation, *, index: int = 0) -> list[Neighbour]:
    """All neighbours of both families, or those of one link.

    Equivalent to: `ip neighbour show dev LINK nud all`.
    """
    request = Request(
        kind=c.RTM_GETNEIGH,
        flags=0,
        body=_header(c.AF_UNSPEC) + (u32(c.NDA_IFINDEX, index) if index else b""),
        doing="list neighbours",
    )
    bodies = [body for body in sock.dump(request) if body[:1] and body[0] in VERSION]
    # Checked again here: kernels without the strict check filter nothing.
    return [found for found in map(parse_neighbour, bodies) if index in (0, found.index)]


def append_fdb(entry: Neighbour) -> Request:
    """Add a forwarding entry beside others of its MAC, as for vxlan's flooding.

    Equivalent to: `bridge fdb append MAC dev LINK dst ADDRESS self permanent`.
    """
    return _change_fdb("append", c.RTM_NEWNEIGH, c.NLM_F_CREATE | c.NLM_F_APPEND, entry)


def replace_fdb(entry: Neighbour) -> Request:
    """Add a forwarding entry, or put it in the place of the one with its MAC.

    Equivalent to: `bridge fdb replace MAC dev LINK dst ADDRESS self permanent`.
    """
    return _change_fdb("replace", c.RTM_NEWNEIGH, c.NLM_F_CREATE | c.NLM_F_REPLACE, entry)


def delete_fdb(entry: Neighbour) -> Request:
    """Delete the forwarding entry with this MAC and, if given, this address.

    Equivalent to: `bridge fdb delete MAC dev LINK dst ADDRESS self`.
    """
    return _change_fdb("delete", c.RTM_DELNEIGH, 0, entry)


def list_fdb(sock: Conversation, *, index: int = 0, master: int = 0) -> list[Neighbour]:
    """All forwarding entries, those of one link, or those of one bridge and its ports.

    Equivalent to: `bridge fdb show brport LINK` or `bridge fdb show br BRIDGE`.
    """
    request = Request(
        kind=c.RTM_GETNEIGH,
        flags=0,
        body=_header(c.AF_BRIDGE)
        + (u32(c.NDA_IFINDEX, index) if index else b"")
        + (u32(c.NDA_MASTER, master) if master else b""),
        doing="list forwarding entries",
    )
    # The index is checked again here: kernels without the strict check filter nothing.
    # The master is not: addresses that a port listens to are listed without it.
    return [
        entry for entry in map(parse_neighbour, sock.dump(request)) if index in (0, entry.index)
    ]


def parse_neighbour(body: bytes) -> Neighbour:
    """Read the body of RTM_NEWNEIGH or RTM_DELNEIGH, of either table.

    Raises:
        Undecodable: it is none.
    """
    _family, _, index, state, flags, _kind = unpack(_NDMSG, body, "neighbour")
    found = parse_attributes(body[_NDMSG.size :])
    return Neighbour(
        index=index,
        address=unpack_optional(found.get(c.NDA_DST)),
        mac=found.mac(c.NDA_LLADDR),
        state=state,
        flags=flags,
        vlan=found.u16(c.NDA_VLAN),
        master=found.u32(c.NDA_MASTER),
        vni=found.u32(c.NDA_VNI),
        device=found.u32(c.NDA_IFINDEX),
    )


def _header(family: int, index: int = 0, state: int = 0, flags: int = 0) -> bytes:
    return pack(_NDMSG, family, 0, index, state, flags, 0)


def _change(verb: str, kind: int, flags: int, entry: Neighbour) -> Request:
    if entry.address is None:
        raise ValueError("a neighbour is known by its address")
    header = _header(FAMILY[entry.address.version], entry.index, entry.state, entry.flags)
    doing = f"{verb} neighbour {entry.address} of link {entry.index}"
    return Request(kind=kind, flags=flags, body=header + _attributes(entry), doing=doing)


def _change_fdb(verb: str, kind: int, flags: int, entry: Neighbour) -> Request:
    # Without NTF_SELF or NTF_MASTER the kernel takes self; `bridge` says it too.
    own = entry.flags or c.NTF_SELF
    header = _header(c.AF_BRIDGE, entry.index, entry.state, own)
    doing = f"{verb} forwarding entry {entry.mac} of link {entry.index}"
    return Request(kind=kind, flags=flags, body=header + _attributes(entry), doing=doing)


def _attributes(entry: Neighbour) -> bytes:
    return (
        (attribute(c.NDA_DST, entry.address.packed) if entry.address else b"")
        + (mac(c.NDA_LLADDR, entry.mac) if entry.mac else b"")
        + (u16(c.NDA_VLAN, entry.vlan) if entry.vlan else b"")
        + (u32(c.NDA_VNI, entry.vni) if entry.vni else b"")
        + (u32(c.NDA_IFINDEX, entry.device) if entry.device else b"")
    )
