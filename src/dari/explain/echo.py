"""ICMP echo as bytes, for whoever really sends packets: pure.

Source: RFC 792, RFC 4443; RFC 1071 for the checksum.
May import: nothing of dari.
"""

from __future__ import annotations

import socket
import struct

_ECHO = struct.Struct("!BBHHH")  # type, code, checksum, identifier, number
_REQUEST: dict[int, int] = {socket.AF_INET: 8, socket.AF_INET6: 128}
_REPLY: dict[int, int] = {socket.AF_INET: 0, socket.AF_INET6: 129}
PROTOCOL: dict[int, int] = {
    socket.AF_INET: socket.IPPROTO_ICMP,
    socket.AF_INET6: socket.IPPROTO_ICMPV6,
}
_ETHERNET, _UDP, _VXLAN = 14, 8, 8  # bytes of headers
_TUNNEL_PORTS = (struct.pack("!H", 4789), struct.pack("!H", 8472))  # IANA's; Linux', of old
_KINDS = {
    socket.IPPROTO_ICMP: {8: False, 0: True},
    socket.IPPROTO_ICMPV6: {128: False, 129: True},
}


def checksum(packet: bytes) -> int:
    """The Internet checksum (RFC 1071) of an even number of bytes."""
    total: int = sum(struct.unpack(f"!{len(packet) // 2}H", packet))
    total = (total & 0xFFFF) + (total >> 16)
    return ~(total + (total >> 16)) & 0xFFFF


def echo_request(family: int, identifier: int, number: int, payload: bytes = b"") -> bytes:
    """An ICMP or ICMPv6 echo request. The kernel fills in ICMPv6's checksum.

    Args:
        payload: an even number of bytes.
    """
    packet = _ECHO.pack(_REQUEST[family], 0, 0, identifier, number) + payload
    if family == socket.AF_INET:
        head = _ECHO.pack(_REQUEST[family], 0, checksum(packet), identifier, number)
        packet = head + payload
    return packet


def echo_reply(family: int, packet: bytes) -> tuple[int, int] | None:
    """Identifier and number of an echo reply; None for any other packet.

    Args:
        packet: as a raw socket gives it: IPv4's with its IP header, IPv6's without.
    """
    message = _without_header(family, packet)
    if len(message) < _ECHO.size:
        return None
    kind, _, _, identifier, number = _ECHO.unpack_from(message)
    return (identifier, number) if kind == _REPLY[family] else None


def replied(family: int, packet: bytes) -> bytes | None:
    """The payload of an echo reply, from a packet as `echo_reply` takes it; None: of any other."""
    found = echo_reply(family, packet)
    return _without_header(family, packet)[_ECHO.size :] if found else None


def _without_header(family: int, packet: bytes) -> bytes:
    return packet[(packet[0] & 15) * 4 :] if family == socket.AF_INET else packet


def echo_in(frame: bytes) -> tuple[bool, bytes] | None:
    """The echo in an Ethernet frame, also inside of a tunnel: is it a reply, and its payload.

    None for every other frame, an ICMP error that quotes an echo among them.
    Source: RFC 791, 8200 (without extension headers), 7348 (VXLAN).
    """
    protocol, start = _upper(frame)
    if protocol == socket.IPPROTO_UDP:
        inside = frame[start + 2 : start + 4] in _TUNNEL_PORTS
        return echo_in(frame[start + _UDP + _VXLAN :]) if inside else None
    kinds = _KINDS.get(protocol)
    if kinds is None or len(frame) < start + _ECHO.size or frame[start] not in kinds:
        return None
    return kinds[frame[start]], frame[start + _ECHO.size :]


def _upper(frame: bytes) -> tuple[int, int]:
    """What an Ethernet frame's IP packet carries, and where that begins; -1: no IP."""
    if frame[12:14] == b"\x08\x00" and len(frame) > 23:
        return frame[23], _ETHERNET + (frame[_ETHERNET] & 15) * 4
    if frame[12:14] == b"\x86\xdd" and len(frame) > 20:
        return frame[20], _ETHERNET + 40
    return -1, 0
