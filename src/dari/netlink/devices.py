"""Links of kinds that only some plugins make: macvlan, ifb.

Source: linux/if_link.h; net/core/rtnetlink.c for which namespace an index is of.
May import: record, codec, constants, and conversation for its type.
"""

from __future__ import annotations

from struct import Struct

from dari.netlink import constants as c
from dari.netlink.codec import Request, mac, nested, pack, parse_attributes, text, u32
from dari.record import Record

TYPE_CHECKING = False
if TYPE_CHECKING:
    from dari.netlink.conversation import Conversation

# linux/if_link.h
_IFLA_MACVLAN_MODE, _IFLA_MACVLAN_BC_QUEUE_LEN = 1, 7
MACVLAN_MODES = {"private": 1, "vepa": 2, "bridge": 4, "passthru": 8}

_IFINFO = Struct("=BxHiII")


class Macvlan(Record):
    """What is particular to a macvlan: its mode's name, and the queue for broadcasts."""

    mode: str
    queue: int


def add_macvlan(
    name: str,
    *,
    lower: int,
    mode: str,
    netns: int | None = None,
    mac: str = "",
    mtu: int = 0,
    queue: int = 0,
) -> Request:
    """Make a macvlan on a link, straight in a namespace.

    Equivalent to: `ip link add NAME link LOWER address MAC mtu MTU netns NETNS
    type macvlan mode MODE bcqueuelen QUEUE`.

    Args:
        name: its name in the namespace.
        lower: index of the link it is on, in the namespace of the socket.
        mode: one of `MACVLAN_MODES`.
        netns: descriptor of the namespace that it is made in; None: the socket's.
        mac: ``aa:bb:cc:dd:ee:ff``; empty leaves the choice to the kernel.
        mtu: bytes; 0 takes the lower link's.
        queue: packets that wait to be sent to many; 0 leaves it to the kernel.
    """
    data = u32(_IFLA_MACVLAN_MODE, MACVLAN_MODES[mode])
    if queue:
        data += u32(_IFLA_MACVLAN_BC_QUEUE_LEN, queue)
    return _add(
        name,
        "macvlan",
        nested(c.IFLA_INFO_DATA, data),
        u32(c.IFLA_LINK, lower)
        + _address(mac)
        + _mtu(mtu)
        + (b"" if netns is None else u32(c.IFLA_NET_NS_FD, netns)),
    )


def add_ifb(name: str, *, mtu: int = 0, up: bool = False) -> Request:
    """Make a link that sends back what is redirected to it.

    Equivalent to: `ip link add NAME mtu MTU up type ifb`.

    Args:
        name: its name.
        mtu: bytes; 0 leaves it to the kernel.
        up: whether it is set up.
    """
    return _add(name, "ifb", b"", _mtu(mtu), flags=c.IFF_UP if up else 0)


def get_macvlan(sock: Conversation, *, index: int) -> Macvlan | None:
    """What is particular to a macvlan; None for a link of another kind.

    Equivalent to: `ip -details link show dev NAME`.

    Raises:
        NotFound: there is no such link.
    """
    request = Request(
        kind=c.RTM_GETLINK,
        flags=0,
        body=pack(_IFINFO, 0, 0, index, 0, 0) + u32(c.IFLA_EXT_MASK, c.RTEXT_FILTER_SKIP_STATS),
        doing=f"get link {index}",
    )
    return parse_macvlan(sock.ask(request))


def parse_macvlan(body: bytes) -> Macvlan | None:
    """Read the body of RTM_NEWLINK; None for a link of another kind.

    Raises:
        Undecodable: it is none.
    """
    info = parse_attributes(body[_IFINFO.size :]).nested(c.IFLA_LINKINFO)
    if info.text(c.IFLA_INFO_KIND) != "macvlan":
        return None
    data = info.nested(c.IFLA_INFO_DATA)
    number = data.u32(_IFLA_MACVLAN_MODE)
    mode = next((name for name, known in MACVLAN_MODES.items() if known == number), str(number))
    return Macvlan(mode=mode, queue=data.u32(_IFLA_MACVLAN_BC_QUEUE_LEN))


def _add(name: str, kind: str, data: bytes, settings: bytes, flags: int = 0) -> Request:
    return Request(
        kind=c.RTM_NEWLINK,
        flags=c.NLM_F_CREATE | c.NLM_F_EXCL,
        body=pack(_IFINFO, 0, 0, 0, flags, flags)
        + text(c.IFLA_IFNAME, name)
        + settings
        + nested(c.IFLA_LINKINFO, text(c.IFLA_INFO_KIND, kind) + data),
        doing=f"add {kind} {name}",
    )


def _address(address: str) -> bytes:
    return mac(c.IFLA_ADDRESS, address) if address else b""


def _mtu(mtu: int) -> bytes:
    return u32(c.IFLA_MTU, mtu) if mtu else b""
