"""Speaks with a running BIRD over its control socket, as birdc does.

A command is a line. Each line of the answer has a code of four digits, then a
space on the last line and a hyphen on all others; a line that begins with a space
has the code of the one before. Codes from 8000 on are errors.

Source: BIRD 2.0 Programmer's Documentation, "Command line interface".
May import: errors, record.
"""

from __future__ import annotations

import re
import socket
from collections.abc import Iterator

from dari.errors import DariError, NotAvailable, Undecodable
from dari.record import Record

_PATIENCE = 3.0  # seconds
_LARGEST = 1 << 20
_LINE = re.compile(r"(\d{4})([ -])(.*)")
_FIRST_ERROR = 8000


class Line(Record):
    """One line of an answer."""

    code: int
    text: str
    last: bool


class BirdRefused(DariError):
    """BIRD did not do what it was told."""


def parse_line(text: str, before: int) -> Line:
    """Read a line of an answer.

    Args:
        before: the code of the line before it.

    Raises:
        Undecodable: it is none.
    """
    if text.startswith((" ", "+")):
        return Line(code=before, text=text[1:], last=False)
    found = _LINE.fullmatch(text)
    if found is None:
        raise Undecodable(f"BIRD answered {text[:60]!r}, which is no answer")
    return Line(code=int(found[1]), text=found[3], last=found[2] == " ")


class Birdc:
    """A conversation with BIRD; close it after use.

    Args:
        path: of the control socket.

    Raises:
        NotAvailable: no BIRD listens there.
    """

    def __init__(self, path: str) -> None:
        self._path = path
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self._socket.settimeout(_PATIENCE)
        self._unread = b""
        try:
            self._socket.connect(path)
            self._answer()  # it says what it is
        except OSError as error:
            self._socket.close()
            raise NotAvailable(
                f"no BIRD answers at {path}: {error.strerror or error}",
                "start it: systemctl start bird",
            ) from None
        except DariError:
            self._socket.close()
            raise

    def __enter__(self) -> Birdc:
        return self

    def __exit__(self, *_: object) -> None:
        self._socket.close()

    def ask(self, command: str) -> list[Line]:
        """Give one command and return the answer.

        Equivalent to: ``birdc -s SOCKET COMMAND``.

        Raises:
            BirdRefused: it says that it cannot.
            NotAvailable: it says nothing.
            Undecodable: it is no BIRD.
        """
        try:
            self._socket.sendall(command.encode() + b"\n")
            lines = self._answer()
        except OSError as error:
            raise NotAvailable(f"BIRD at {self._path}: {error.strerror or error}") from None
        refused = [line.text for line in lines if line.code >= _FIRST_ERROR]
        if refused:
            raise BirdRefused(f"BIRD: {command}: {'; '.join(refused)}")
        return lines

    def _answer(self) -> list[Line]:
        lines: list[Line] = []
        for text in self._lines():
            lines.append(parse_line(text, lines[-1].code if lines else 0))
            if lines[-1].last:
                return lines
        raise NotAvailable(f"BIRD at {self._path} hung up")

    def _lines(self) -> Iterator[str]:
        read = 0
        while read < _LARGEST:
            line, newline, rest = self._unread.partition(b"\n")
            if newline:
                self._unread = rest
                yield line.decode(errors="replace")
                continue
            chunk = self._socket.recv(65536)
            if not chunk:
                return
            read += len(chunk)
            self._unread += chunk
