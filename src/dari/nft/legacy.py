"""Looks at iptables-legacy, which nftables does not show: does it drop all that is forwarded?

Only read, and only where the kernel says that the table is in use, since asking for a
table makes it.

Source: linux/netfilter_ipv4/ip_tables.h, linux/netfilter_ipv6/ip6_tables.h
(IPT_SO_GET_INFO, IPT_SO_GET_ENTRIES); linux/netfilter/x_tables.h.
May import: record.
"""

from __future__ import annotations

import _socket
import ctypes
import struct

from dari.record import Record

_IPPROTO_RAW = 255
_GET_INFO, _GET_ENTRIES = 64, 65
_NAME = b"filter"
_FORWARD = 2  # NF_INET_FORWARD
_INFO = struct.Struct("=32sI5I5III")  # name, hooks, first rules, policies, number, size
_ENTRIES = struct.Struct("=32sI4x")  # name, size; the entries are aligned to 8
_DROP = -1  # a verdict is kept as -verdict - 1, and NF_DROP is 0
_TARGET_HEADER = 32  # struct xt_entry_target


class _Family(Record):
    """`offset` is that of target_offset in an entry (struct ipt_entry, ip6t_entry)."""

    program: str
    names: str
    family: int
    level: int
    offset: int


_FAMILIES = (
    _Family(program="iptables", names="ip_tables_names", family=2, level=0, offset=88),
    _Family(program="ip6tables", names="ip6_tables_names", family=10, level=41, offset=140),
)


def hopeless_legacy_filters() -> list[str]:
    """FORWARD chains of iptables-legacy with the policy DROP and no rule at all."""
    return [
        f"{each.program}-legacy filter FORWARD"
        for each in _FAMILIES
        if _is_in_use(each) and _drops_all(each)
    ]


def _is_in_use(family: _Family) -> bool:
    try:
        with open(f"/proc/thread-self/net/{family.names}", "rb") as stream:
            return _NAME in stream.read().split()
    except OSError:
        return False


def _drops_all(family: _Family) -> bool:
    try:
        sock = _socket.socket(family.family, _socket.SOCK_RAW, _IPPROTO_RAW)
    except OSError:
        return False
    try:
        info = _ask(sock, family, _GET_INFO, _INFO.pack(_NAME, *[0] * 13))
        _, _, *numbers = _INFO.unpack(info)
        first, policy, size = numbers[_FORWARD], numbers[5 + _FORWARD], numbers[-1]
        asked = _ENTRIES.pack(_NAME, size) + bytes(size)
        entries = _ask(sock, family, _GET_ENTRIES, asked)[_ENTRIES.size :]
        (target,) = struct.unpack_from("=H", entries, policy + family.offset)
        (verdict,) = struct.unpack_from("=i", entries, policy + target + _TARGET_HEADER)
        return bool(first == policy and verdict == _DROP)
    except (OSError, struct.error):
        return False  # changed meanwhile, or not as it is known
    finally:
        sock.close()


def _ask(sock: _socket.socket, family: _Family, option: int, question: bytes) -> bytes:
    """getsockopt(2) with a question in the buffer, which Python's own does not allow."""
    buffer = ctypes.create_string_buffer(question, len(question))
    length = ctypes.c_uint32(len(question))
    library = ctypes.CDLL(None, use_errno=True)
    status = library.getsockopt(sock.fileno(), family.level, option, buffer, ctypes.byref(length))
    if status != 0:
        raise OSError(ctypes.get_errno(), "getsockopt")
    return buffer.raw
