"""Fills a machine's table of connections to the brim: ``python -m dari.lab.faults.crowd fill``.

How many a table holds at most is the whole kernel's setting, which no namespace can
change, but each namespace counts its own. So the entries are really made, by netlink:
connections that seem to have been answered, of which the kernel drops none for a newcomer.

Source: linux/netfilter/nfnetlink_conntrack.h; net/netfilter/nf_conntrack_core.c
(`__nf_conntrack_alloc`, `early_drop`); RFC 2544 for the addresses, which are nobody's.
May import: lab.messages, netlink.codec, netlink.constants.
"""

from __future__ import annotations

import socket
import struct
import sys
from collections.abc import Iterator

from dari.lab.messages import _
from dari.netlink.codec import Request, attribute, be16, encode, nested, u8
from dari.netlink.constants import NETLINK_NETFILTER, NLM_F_ACK, NLM_F_CREATE, NLM_F_EXCL

FILL, FORGET = "fill", "forget"
_COUNT, _MOST = (f"/proc/sys/net/netfilter/nf_conntrack_{name}" for name in ("count", "max"))
_NEW, _DELETE = 1 << 8, 1 << 8 | 2  # NFNL_SUBSYS_CTNETLINK, IPCTNL_MSG_CT_NEW, _CT_DELETE
_IPV4 = struct.pack("=BBH", socket.AF_INET, 0, 0)  # nfgenmsg
_ALL = struct.pack("=BBH", socket.AF_UNSPEC, 0, 0)
_ORIGINAL, _REPLY, _STATUS, _TIMEOUT = 1, 2, 3, 7  # CTA_*
_ANSWERED = struct.pack("!I", 0x2 | 0x4 | 0x8)  # IPS_SEEN_REPLY, IPS_ASSURED, IPS_CONFIRMED
_HOUR = struct.pack("!I", 3600)
_UDP, _PORT = 17, 9
_TARGET = socket.inet_aton("198.19.0.1")
_AT_ONCE = 500  # messages in one datagram
_FILLABLE = 1 << 20  # connections, of about half a KiB each
_SECONDS = 30.0  # that the kernel may take to answer
_ROOM = 4 << 20  # bytes of such datagrams


def main() -> int:
    """Fill or empty this namespace's table; 1, and why, where it is not full then."""
    with socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, NETLINK_NETFILTER) as kernel:
        kernel.settimeout(_SECONDS)
        _forget(kernel)
        if sys.argv[1:] != [FILL]:
            return 0
        try:
            most = _number(_MOST)
        except OSError as error:
            print(f"{_MOST}: {error.strerror}", file=sys.stderr)
            return 1
        if most > _FILLABLE:
            text = f"{_MOST} is {most}: more than {_FILLABLE} would take too much memory; lower it"
            print(text, file=sys.stderr)
            return 1
        _fill(kernel, most)
        count = _number(_COUNT)
    if count < most:
        text = _("{count} of {most} connections; are these tracked here?")
        print(text.format(count=count, most=most), file=sys.stderr)
    return int(count < most)


def _forget(kernel: socket.socket) -> None:
    """Equivalent to: ``conntrack -F``."""
    request = Request(kind=_DELETE, flags=NLM_F_ACK, body=_ALL, doing="forget connections")
    kernel.send(encode(request, 0, 0))
    kernel.recv(_ROOM)


def _fill(kernel: socket.socket, most: int) -> None:
    """As many as fit. Nothing is answered but the kernel's refusals, which nobody reads."""
    kernel.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, _ROOM)
    for start in range(0, most + _AT_ONCE, _AT_ONCE):
        kernel.send(b"".join(_messages(start, start + _AT_ONCE)))


def _messages(start: int, end: int) -> Iterator[bytes]:
    for number in range(start, end):
        source = socket.inet_aton(f"198.18.{number >> 8 & 255}.{number & 255}")
        port = 1024 + (number >> 16)
        body = _IPV4 + _tuple(_ORIGINAL, source, _TARGET, port, _PORT)
        body += _tuple(_REPLY, _TARGET, source, _PORT, port)
        body += attribute(_STATUS, _ANSWERED) + attribute(_TIMEOUT, _HOUR)
        flags = NLM_F_CREATE | NLM_F_EXCL
        yield encode(Request(kind=_NEW, flags=flags, body=body, doing=""), 0, 0)


def _tuple(kind: int, source: bytes, target: bytes, sport: int, dport: int) -> bytes:
    ends = nested(1, attribute(1, source), attribute(2, target))
    return nested(kind, ends, nested(2, u8(1, _UDP), be16(2, sport), be16(3, dport)))


def _number(path: str) -> int:
    with open(path, encoding="ascii") as stream:
        return int(stream.read())


if __name__ == "__main__":
    sys.exit(main())
