"""What the kernel tells of files that are written into a folder, by name.

Only what happens on this machine is told, and nothing where the kernel has no room
for another watch: whoever listens has to look from time to time as well.

Source: inotify(7); linux/inotify.h.
May import: record.
"""

from __future__ import annotations

import asyncio
import ctypes
import os
import struct
from collections.abc import Iterator
from contextlib import suppress
from typing import Self

from dari.record import Record

_IN_MOVED_FROM, _IN_MOVED_TO, _IN_CREATE, _IN_DELETE = 0x40, 0x80, 0x100, 0x200
_IN_CLOSE_WRITE = 0x8
_WRITTEN = _IN_MOVED_TO | _IN_CREATE | _IN_CLOSE_WRITE
_REMOVED = _IN_MOVED_FROM | _IN_DELETE
_EVENT = struct.Struct("=iIII")  # struct inotify_event: watch, mask, cookie, length of the name
_BUFFER = 1 << 16
_NONE = -1


class News(Record):
    """What happened.

    Attributes:
        written: names of files.
        removed: names of files.
        lost: more than is known, since it was too much, or the folder itself is gone.
    """

    written: frozenset[str] = frozenset()
    removed: frozenset[str] = frozenset()
    lost: bool = False


class Notices:
    """Listens for as long as the context lasts.

    Args:
        folder: one that is not there yet is listened to once it is.
    """

    def __init__(self, folder: str) -> None:
        self._folder = folder
        self._libc = ctypes.CDLL(None, use_errno=True)
        self._descriptor = _NONE
        self._watch = _NONE

    def __enter__(self) -> Self:
        self._descriptor = self._libc.inotify_init1(os.O_NONBLOCK | os.O_CLOEXEC)
        self._begin()
        return self

    def __exit__(self, *_failure: object) -> None:
        if self._descriptor != _NONE:
            os.close(self._descriptor)

    async def within(self, seconds: float) -> News:
        """Wait for the first news, at most so long."""
        self._begin()
        with suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await self._readable()
        return self._read() if self._watch != _NONE else News()

    def _begin(self) -> None:
        """Listen, if that was not possible before."""
        if self._descriptor != _NONE and self._watch == _NONE:
            path = os.fsencode(self._folder)
            self._watch = self._libc.inotify_add_watch(self._descriptor, path, _WRITTEN | _REMOVED)

    async def _readable(self) -> None:
        if self._watch == _NONE:
            await asyncio.Event().wait()
        loop = asyncio.get_running_loop()
        ready = asyncio.Event()
        loop.add_reader(self._descriptor, ready.set)
        try:
            await ready.wait()
        finally:
            loop.remove_reader(self._descriptor)

    def _read(self) -> News:
        found: list[tuple[int, str]] = []
        with suppress(BlockingIOError):
            while True:
                found += events(os.read(self._descriptor, _BUFFER))
        lost = any(not mask & (_WRITTEN | _REMOVED) for mask, _ in found)
        if lost:
            self._watch = _NONE
        return News(
            written=frozenset(name for mask, name in found if mask & _WRITTEN),
            removed=frozenset(name for mask, name in found if mask & _REMOVED),
            lost=lost,
        )


def events(buffer: bytes) -> Iterator[tuple[int, str]]:
    """Masks and names of inotify's events. Pure."""
    offset = 0
    while offset + _EVENT.size <= len(buffer):
        _, mask, _, length = _EVENT.unpack_from(buffer, offset)
        offset += _EVENT.size
        yield mask, os.fsdecode(buffer[offset : offset + length].rstrip(b"\0"))
        offset += length
