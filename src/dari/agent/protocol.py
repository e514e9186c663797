"""What travels over the agent's socket: bytes in, messages out. Knows no socket.

One request for each connection::

    request  "DARI", version (1), length (u32, big-endian), body:
             KEY=VALUE\\0 …, \\0, bytes for stdin
    answer   "DARI", version (1), exit status (u8), length (u32), bytes of stdout

The native executable speaks it too (shim/agent.c). ``DARI_COMMAND=status`` asks
for the agent's state as JSON.

May import: errors, record.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from struct import Struct

from dari.errors import Undecodable
from dari.record import Record

VERSION = 1
LARGEST = 2 << 20  # bytes of a body: a configuration of 1 MiB, and the environment
_MAGIC = b"DARI"
_REQUEST_HEAD = Struct(">4sBI")
_ANSWER_HEAD = Struct(">4sBBI")


class Call(Record):
    """What a client asks: an environment, and what it would give on stdin."""

    environ: Mapping[str, str]
    stdin: bytes = b""


class Answer(Record):
    """What the agent says: an exit status, and what goes to stdout."""

    status: int
    stdout: bytes = b""


def encode_call(call: Call) -> bytes:
    """A request as it is sent.

    Raises:
        Undecodable: it is larger than the agent takes.
    """
    entries = [os.fsencode(f"{key}={value}\0") for key, value in call.environ.items()]
    body = b"".join([*entries, b"\0", call.stdin])
    if len(body) > LARGEST:
        raise Undecodable(f"a request of {len(body)} bytes; the agent takes {LARGEST}")
    return _REQUEST_HEAD.pack(_MAGIC, VERSION, len(body)) + body


def encode_answer(answer: Answer) -> bytes:
    """An answer as it is sent."""
    return _ANSWER_HEAD.pack(_MAGIC, VERSION, answer.status, len(answer.stdout)) + answer.stdout


class CallReader:
    """Takes a request's bytes as they come."""

    def __init__(self) -> None:
        self._buffer = b""

    def feed(self, data: bytes) -> Call | None:
        """Take more bytes; the request once it is whole, until then None.

        Raises:
            Undecodable: it is none, too large, or there is more behind it.
        """
        self._buffer += data
        _check_start(self._buffer)
        if len(self._buffer) < _REQUEST_HEAD.size:
            return None
        _, _, length = _REQUEST_HEAD.unpack_from(self._buffer)
        body = _body(self._buffer, _REQUEST_HEAD.size, length)
        return None if body is None else _parse_call(body)


class AnswerReader:
    """Takes an answer's bytes as they come."""

    def __init__(self) -> None:
        self._buffer = b""

    def feed(self, data: bytes) -> Answer | None:
        """Take more bytes; the answer once it is whole, until then None.

        Raises:
            Undecodable: it is none, too large, or there is more behind it.
        """
        self._buffer += data
        _check_start(self._buffer)
        if len(self._buffer) < _ANSWER_HEAD.size:
            return None
        _, _, status, length = _ANSWER_HEAD.unpack_from(self._buffer)
        body = _body(self._buffer, _ANSWER_HEAD.size, length)
        return None if body is None else Answer(status=status, stdout=body)


def _check_start(buffer: bytes) -> None:
    """Refuse a stranger at its first wrong byte, rather than wait for more of them."""
    if not _MAGIC.startswith(buffer[: len(_MAGIC)]):
        raise Undecodable("agent's socket: not dari's protocol")
    if len(buffer) > len(_MAGIC) and buffer[len(_MAGIC)] != VERSION:
        raise Undecodable(
            f"agent's socket: version {buffer[len(_MAGIC)]} of the protocol; this is {VERSION}",
            "install the same dari for both sides and start the agent again",
        )


def _body(buffer: bytes, head: int, length: int) -> bytes | None:
    if length > LARGEST:
        raise Undecodable(f"agent's socket: {length} bytes announced, more than {LARGEST}")
    if len(buffer) > head + length:
        raise Undecodable("agent's socket: more bytes than announced")
    return buffer[head:] if len(buffer) == head + length else None


def _parse_call(body: bytes) -> Call:
    environ: dict[str, str] = {}
    while True:
        entry, found, body = body.partition(b"\0")
        if not found:
            raise Undecodable("agent's socket: a request's environment does not end")
        if not entry:
            return Call(environ=environ, stdin=body)
        key, equals, value = entry.partition(b"=")
        if not equals or not key:
            raise Undecodable("agent's socket: a request's environment lacks '='")
        # Bytes that are no UTF-8 come through as the executable's own environment has them.
        environ[os.fsdecode(key)] = os.fsdecode(value)
