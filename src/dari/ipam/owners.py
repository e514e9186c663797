"""An index from owners to their leases, so that an ADD need not read every lease.

host-local's folder is ordered by address. Whether a container has a lease
already (an ADD that was killed, a DEL) could only be told by reading every file:
4 ms for 1,000 leases, under the lock, with all other pods waiting. So the owners
are noted in one more file, under the run folder, out of the reference's sight.

The folder is the truth and the index never more than a memory of it. It is
believed only while the folder's time of change is the one that was put there
when the index was saved: an arbitrary moment, to the nanosecond. Whoever makes
or removes a lease, the reference or one of ours that is killed half-way, changes
that time unawares, and the index is made anew from the folder. No timestamp of
the kernel's can be mistaken for the arbitrary one, however coarse its clock is.

`OwnerIndex` is what the book of leases needs; an agent may keep one in memory.

May import: model, ipam.folder.
"""

from __future__ import annotations

import os
from errno import ENOSPC
from time import time_ns

from dari.errors import IOFailure
from dari.files import read_bounded
from dari.ipam.folder import Lease

_LIMIT = 1 << 24  # bytes; a line has about 100

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable
    from typing import Protocol

    from dari.model import Owner

    class OwnerIndex(Protocol):
        """Who holds which leases. Used only under the folder's lock."""

        def load(self, stamp: int) -> bool:
            """Whether all leases are known, given the folder's time of change."""

        def fill(self, leases: Iterable[Lease]) -> None:
            """Know these leases and no others."""

        def names_of(self, owner: Owner) -> list[str]:
            """The addresses that the owner holds."""

        def add(self, name: str, owner: Owner) -> None:
            """A lease was made."""

        def remove(self, name: str) -> None:
            """A lease was removed, or never was."""

        def last(self, index: int) -> str:
            """The address last leased from a range set, where `load` said yes; or empty."""

        def note_last(self, index: int, name: str) -> None:
            """An address was leased from a range set, and noted in the folder."""

        def save(self) -> int:
            """Keep what is known; the time of change to put on the folder then.

            Raises:
                OSError: it cannot be kept.
            """


class FileIndex:
    """The index in a file: its stamp, then a line for each lease.

    ``<address> <container id> <interface name>``. It is searched as one string
    and written whole: for 1,000 leases both take less time than one more file.

    Args:
        path: of the file; its folder is made when it is saved.
    """

    def __init__(self, path: str) -> None:
        self._path = path
        self._lines = b"\n"  # a line end before and after each line

    def load(self, stamp: int) -> bool:
        self._lines = b"\n"
        head = b"%d\n" % stamp
        try:
            content = read_bounded(self._path, _LIMIT)
        except IOFailure:
            return False
        if content is None or len(content) == _LIMIT or not content.startswith(head):
            return False
        self._lines = content[len(head) - 1 :]
        return True

    def fill(self, leases: Iterable[Lease]) -> None:
        lines = [_line(lease.name, lease.owner) for lease in leases if lease.owner is not None]
        self._lines = b"\n" + b"".join(lines)

    def names_of(self, owner: Owner) -> list[str]:
        names: list[str] = []
        rest = _line("", owner)
        found = self._lines.find(rest)
        while found >= 0:
            start = self._lines.rindex(b"\n", 0, found) + 1
            names.append(self._lines[start:found].decode())
            found = self._lines.find(rest, found + len(rest))
        return names

    def add(self, name: str, owner: Owner) -> None:
        self._lines += _line(name, owner)

    def remove(self, name: str) -> None:
        start = self._lines.find(b"\n%b " % name.encode())
        if start >= 0:
            end = self._lines.index(b"\n", start + 1)
            self._lines = self._lines[:start] + self._lines[end:]

    def last(self, index: int) -> str:
        return ""  # the folder knows

    def note_last(self, index: int, name: str) -> None:
        pass

    def save(self) -> int:
        stamp = _arbitrary_moment()
        temporary = f"{self._path}.new"
        os.makedirs(os.path.dirname(self._path), mode=0o755, exist_ok=True)
        content = b"%d" % stamp + self._lines
        with open(temporary, "wb", buffering=0) as file:
            written = file.write(content)
        if written != len(content):
            os.unlink(temporary)
            raise OSError(ENOSPC, os.strerror(ENOSPC), temporary)
        os.rename(temporary, self._path)
        return stamp


class MemoryIndex:
    """The index in this process's memory, which serves many calls.

    The folder's stamp tells as well as for `FileIndex` whether another process
    wrote there since; and so whether it leased another address last.
    """

    def __init__(self) -> None:
        self._stamp = -1
        self._names: dict[Owner, list[str]] = {}
        self._owners: dict[str, Owner] = {}
        self._last: dict[int, str] = {}

    def load(self, stamp: int) -> bool:
        if stamp != self._stamp:
            self._last.clear()
        return stamp == self._stamp

    def fill(self, leases: Iterable[Lease]) -> None:
        self._names, self._owners = {}, {}
        for lease in leases:
            if lease.owner is not None:
                self.add(lease.name, lease.owner)

    def names_of(self, owner: Owner) -> list[str]:
        return list(self._names.get(owner, ()))

    def add(self, name: str, owner: Owner) -> None:
        self._names.setdefault(owner, []).append(name)
        self._owners[name] = owner

    def remove(self, name: str) -> None:
        owner = self._owners.pop(name, None)
        if owner is not None:
            self._names[owner].remove(name)
            if not self._names[owner]:
                del self._names[owner]

    def last(self, index: int) -> str:
        return self._last.get(index, "")

    def note_last(self, index: int, name: str) -> None:
        self._last[index] = name

    def save(self) -> int:
        self._stamp = _arbitrary_moment()
        return self._stamp


def _line(name: str, owner: Owner) -> bytes:
    text = f"{name} {owner.container_id} {owner.ifname}\n"
    return text.encode(errors="surrogateescape")


def _arbitrary_moment() -> int:
    """Within the present second, so that nobody wonders at the folder's date."""
    return time_ns() // 10**9 * 10**9 + int.from_bytes(os.urandom(4)) % 10**9
