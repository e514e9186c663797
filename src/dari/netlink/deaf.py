"""Makes a socket deaf to notifications that come with every pod and concern nobody.

A program that hears of all links and routes is woken a dozen times for each pod that
starts, to find that it was one of its own cables. The kernel can look before it queues the
message: with a classic BPF program on the socket, which may search netlink attributes.

Source: linux/filter.h, net/core/filter.c (`bpf_skb_get_nlattr`), linux/rtnetlink.h.
May import: constants.
"""

from __future__ import annotations

from struct import pack

from dari.netlink import constants as c

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence

# linux/bpf_common.h: what an instruction does, and with what.
_LOAD_WORD, _LOAD_HALF, _LOAD_BYTE = 0x20, 0x28, 0x30  # BPF_LD | BPF_ABS
_LOAD_HALF_AT, _LOAD_BYTE_AT = 0x48, 0x50  # BPF_LD | BPF_IND: from the index on
_SET, _SET_INDEX, _INDEX = 0x00, 0x01, 0x07  # BPF_LD | BPF_IMM, BPF_LDX | BPF_IMM, BPF_TAX
_IF_EQUAL, _RETURN = 0x15, 0x06
_FIND_ATTRIBUTE = 0xFFFFF000 + 12  # SKF_AD_OFF + SKF_AD_NLATTR: of kind X, from offset A on
_KIND = 4  # offset of nlmsg_type
_TABLE = 20  # offset of rtm_table, behind struct nlmsghdr
_ATTRIBUTES = 32  # offset behind struct nlmsghdr and struct ifinfomsg
_WHOLE, _NOTHING = 0xFFFFFFFF, 0  # bytes of the message to keep

_Step = tuple[int, int, int, int]
"""An instruction (struct sock_filter): code, steps to skip if true, if false, and a number."""


def deaf_to(links: Sequence[tuple[bytes, int]]) -> bytes:
    """A program that drops what is about links of certain names, or routes of table local. Pure.

    Args:
        links: how the names begin, and how many bytes they have.

    Returns:
        Its instructions, for `NetlinkSocket`.
    """
    named = [step for prefix, length in links for step in _dropping(prefix, length)]
    keep = (_RETURN, 0, 0, _WHOLE)
    steps = [
        (_LOAD_HALF, 0, 0, _KIND),
        (_IF_EQUAL, 7, 0, _as_loaded(c.RTM_NEWLINK)),
        (_IF_EQUAL, 6, 0, _as_loaded(c.RTM_DELLINK)),
        (_IF_EQUAL, 1, 0, _as_loaded(c.RTM_NEWROUTE)),
        (_IF_EQUAL, 0, 3, _as_loaded(c.RTM_DELROUTE)),
        (_LOAD_BYTE, 0, 0, _TABLE),
        (_IF_EQUAL, 0, 1, c.RT_TABLE_LOCAL),
        (_RETURN, 0, 0, _NOTHING),
        keep,
        (_SET, 0, 0, _ATTRIBUTES),
        (_SET_INDEX, 0, 0, c.IFLA_IFNAME),
        (_LOAD_WORD, 0, 0, _FIND_ATTRIBUTE),
        (_IF_EQUAL, 0, 1, 0),
        keep,  # it has no name
        (_INDEX, 0, 0, 0),
        *named,
        keep,
    ]
    return b"".join(pack("=HBBI", *step) for step in steps)


def _dropping(prefix: bytes, length: int) -> list[_Step]:
    """Drop a message whose attribute at the index is such a name; otherwise go on behind."""
    tests: list[tuple[_Step, int]] = [
        ((_LOAD_HALF_AT, 0, 0, 0), _as_loaded(4 + length + 1)),  # header, name, NUL
        *(((_LOAD_BYTE_AT, 0, 0, 4 + place), byte) for place, byte in enumerate(prefix)),
    ]
    size = 2 * len(tests) + 1
    steps: list[_Step] = []
    for load, wanted in tests:
        steps += [load, (_IF_EQUAL, 0, size - len(steps) - 2, wanted)]
    return [*steps, (_RETURN, 0, 0, _NOTHING)]


def _as_loaded(number: int) -> int:
    """A number of 16 bits in the machine's order, as BPF loads it: in the network's."""
    return int.from_bytes(pack("=H", number))
