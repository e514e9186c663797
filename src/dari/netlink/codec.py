"""Netlink messages and attributes as bytes; no socket, no kernel.

A message is a 16-byte header and a body; a body is a fixed structure of its
kind and then attributes, each a length, a kind and a payload padded to 4 bytes.
Whatever does not fit that is `Undecodable`, so that no parser built on this can
fail in another way, hang or read beyond the end.

Source: RFC 3549, section 2.3; linux/netlink.h.
May import: errors, record, constants.
"""

from __future__ import annotations

from struct import Struct
from struct import error as StructError

from dari.errors import BadConfig, Undecodable
from dari.netlink.constants import NLA_F_NESTED, NLA_TYPE_MASK, NLM_F_REQUEST
from dari.record import Record

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import Any

    Fields = tuple[int, int, int, int, bytes]
    """Of a message: kind, flags, sequence, port, body."""

_MESSAGE = Struct("=IHHII")
_ATTRIBUTE = Struct("=HH")
_U8, _U16, _U32, _S32 = Struct("=B"), Struct("=H"), Struct("=I"), Struct("=i")
_BE16, _BE32 = Struct(">H"), Struct(">I")
_PADDING = (b"", b"\0\0\0", b"\0\0", b"\0")
HEADER_SIZE = _MESSAGE.size


class Message(Record):
    """One received message; `port` is whom it answers (nlmsg_pid)."""

    kind: int
    flags: int
    sequence: int
    port: int
    body: bytes


class Request(Record):
    """One message to send, not yet numbered.

    `flags` holds what the kind needs beyond NLM_F_REQUEST, which is always set.
    `doing` is verb and object, such as ``add link cni0``: errors begin with it.
    """

    kind: int
    flags: int
    body: bytes
    doing: str


class Attributes(dict[int, bytes]):
    """Payloads by kind, with readers that give a default for what is absent.

    All readers raise `Undecodable` for a payload that is too short.
    """

    def u8(self, kind: int, default: int = 0) -> int:
        return self._number(_U8, kind, default)

    def u16(self, kind: int, default: int = 0) -> int:
        return self._number(_U16, kind, default)

    def u32(self, kind: int, default: int = 0) -> int:
        return self._number(_U32, kind, default)

    def s32(self, kind: int, default: int = 0) -> int:
        return self._number(_S32, kind, default)

    def be16(self, kind: int, default: int = 0) -> int:
        return self._number(_BE16, kind, default)

    def be32(self, kind: int, default: int = 0) -> int:
        return self._number(_BE32, kind, default)

    def text(self, kind: int) -> str:
        """Up to the first NUL; bytes that are no UTF-8 survive as surrogates."""
        return self.get(kind, b"").split(b"\0", 1)[0].decode("utf-8", "surrogateescape")

    def mac(self, kind: int) -> str:
        """A link layer address as ``aa:bb:cc:dd:ee:ff``, of whatever length."""
        return self[kind].hex(":") if kind in self else ""

    def nested(self, kind: int) -> Attributes:
        """The attributes inside of one; none where it is absent."""
        return parse_attributes(self.get(kind, b""))

    def _number(self, layout: Struct, kind: int, default: int) -> int:
        payload = self.get(kind)
        if payload is None:
            return default
        number: int = unpack(layout, payload, "attribute")[0]
        return number


def encode(request: Request, sequence: int, flags: int) -> bytes:
    """A request as bytes, numbered, with `flags` beside its own."""
    size = HEADER_SIZE + len(request.body)
    flags |= request.flags | NLM_F_REQUEST
    return _MESSAGE.pack(size, request.kind, flags, sequence, 0) + request.body + _pad(size)


def attribute(kind: int, payload: bytes) -> bytes:
    """One attribute with its padding."""
    size = 4 + len(payload)
    return pack(_ATTRIBUTE, size, kind) + payload + _pad(size)


def nested(kind: int, *attributes: bytes) -> bytes:
    """An attribute that holds attributes, marked NLA_F_NESTED."""
    return attribute(kind | NLA_F_NESTED, b"".join(attributes))


def u8(kind: int, value: int) -> bytes:
    """An attribute that holds one byte."""
    return attribute(kind, pack(_U8, value))


def u16(kind: int, value: int) -> bytes:
    """An attribute that holds 16 bits."""
    return attribute(kind, pack(_U16, value))


def u32(kind: int, value: int) -> bytes:
    """An attribute that holds 32 bits."""
    return attribute(kind, pack(_U32, value))


def be16(kind: int, value: int) -> bytes:
    """An attribute that holds 16 bits in network order, as ports are."""
    return attribute(kind, pack(_BE16, value))


def text(kind: int, value: str) -> bytes:
    """An attribute that holds a string that ends with NUL."""
    return attribute(kind, value.encode("utf-8", "surrogateescape") + b"\0")


def mac(kind: int, value: str) -> bytes:
    """An attribute that holds a link layer address written ``aa:bb:cc:dd:ee:ff``.

    Raises:
        BadConfig: it is not written so.
    """
    try:
        return attribute(kind, bytes.fromhex(value.replace(":", "")))
    except ValueError:
        raise BadConfig(f"{value!r} is not a MAC address, such as 0a:58:0a:16:00:05") from None


def parse_attributes(buffer: bytes | memoryview) -> Attributes:
    """Attributes by kind, without the flag bits; of a kind that repeats, the last.

    Raises:
        Undecodable: a length is impossible, or bytes are left over.
    """
    return Attributes(_walk(bytes(buffer)))


def parse_list(buffer: bytes | memoryview) -> list[tuple[int, bytes]]:
    """Attributes in order, for lists whose elements share a kind.

    Raises:
        Undecodable: a length is impossible, or bytes are left over.
    """
    return _walk(bytes(buffer))


def parse_messages(datagram: bytes) -> list[Message]:
    """The messages of one datagram.

    Raises:
        Undecodable: a length is impossible, or bytes are left over.
    """
    return [
        Message(kind=kind, flags=flags, sequence=sequence, port=port, body=body)
        for kind, flags, sequence, port, body in split_messages(datagram)
    ]


def split_messages(datagram: bytes) -> Iterator[Fields]:
    """The same, each as a `Message`'s fields in order: a third of the time.

    Raises:
        Undecodable: on the way, once it is met.
    """
    offset, end = 0, len(datagram)
    while offset < end:
        if end - offset < HEADER_SIZE:
            raise Undecodable("netlink: a message's header is cut short")
        size, kind, flags, sequence, port = _MESSAGE.unpack_from(datagram, offset)
        if not HEADER_SIZE <= size <= end - offset:
            raise Undecodable(f"netlink: a message of {size} bytes in {end - offset}")
        yield kind, flags, sequence, port, datagram[offset + HEADER_SIZE : offset + size]
        offset += (size + 3) & ~3


def pack(layout: Struct, *values: int | bytes) -> bytes:
    """Pack a fixed structure.

    Raises:
        BadConfig: a number does not fit its field.
    """
    try:
        return layout.pack(*values)
    except StructError as error:
        raise BadConfig(f"netlink: {values} does not fit: {error}") from None


def unpack(layout: Struct, buffer: bytes, what: str) -> tuple[Any, ...]:
    """Unpack a fixed structure from the buffer's beginning; `what` names it.

    Raises:
        Undecodable: the buffer is too short.
    """
    if len(buffer) < layout.size:
        raise Undecodable(f"netlink: {what} of {len(buffer)} bytes, {layout.size} needed")
    return layout.unpack_from(buffer)


def _walk(buffer: bytes) -> list[tuple[int, bytes]]:
    """All attributes in order; no generator, since a link's description has a hundred."""
    found = []
    offset, end = 0, len(buffer)
    header = _ATTRIBUTE.unpack_from
    while end - offset >= 4:
        size, kind = header(buffer, offset)
        if not 4 <= size <= end - offset:
            raise Undecodable(f"netlink: an attribute of {size} bytes in {end - offset}")
        found.append((kind & NLA_TYPE_MASK, buffer[offset + 4 : offset + size]))
        offset += (size + 3) & ~3
    if offset < end:
        raise Undecodable("netlink: an attribute's header is cut short")
    return found


def _pad(size: int) -> bytes:
    return _PADDING[size & 3]
