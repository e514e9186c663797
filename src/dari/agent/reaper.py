"""Deletes the cables of pods that ended, many at a time.

To delete a link the kernel waits until nobody can still be reading of it: 20 ms
for one link, and as long for a group of a hundred. So a DEL only cuts its pod
off and condemns the cable, and the device that limits what the pod sends; here they are
gathered for a moment and deleted as one link group, and only then are leases given back. While pods
are being started, which need the same kernel lock, deleting waits its turn. What
fails is tried again, since nobody else comes back for it.

What is condemned is marked in the link's alias and in the attachment's record, so
that an agent that is started after a kill goes on where the other ended (`condemned`).

May import: errors, netlink, paths, record, wiring.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Collection, Iterable, Mapping
from typing import TYPE_CHECKING

from dari.errors import DariError, NotFound
from dari.netlink.link import get_link, list_links
from dari.netlink.linkchange import change_link, delete_group
from dari.netlink.sock import NetlinkSocket
from dari.record import Record
from dari.wiring.names import host_end, is_condemned, owner_of, shaper

if TYPE_CHECKING:
    from dari.model import Owner

GROUP = 0x64617269  # "dari"; link groups are numbers of 32 bits
_GATHER = 0.02  # seconds; a pod's end is answered before, so nobody waits for this
_LONGEST = 1.0  # seconds that starting pods may hold deletion up
_BATCH = 128  # links; the kernel's lock is held for half a millisecond for each
_PATIENCE = 10.0  # seconds that `hurry` waits
_KINDS = ("veth", "ifb")  # of links that are condemned
_AGAIN = 10.0  # seconds after which what failed is tried again

Settle = Callable[[], None]


class Expected(Record):
    """A link to be deleted: whose it is, and what is to be done then."""

    owner: Owner
    settle: Settle


class Reaper:
    """One thread that deletes what is expected.

    Args:
        is_busy: are pods being started now?
        failed: is told what could not be deleted or given back.
    """

    def __init__(self, is_busy: Callable[[], bool], failed: Callable[[Owner, str], None]) -> None:
        self._is_busy = is_busy
        self._failed = failed
        self._condemned: dict[str, Expected] = {}
        self._under_way: set[str] = set()
        self._postponed: dict[str, Expected] = {}
        self._again_at = 0.0
        self._changed = threading.Condition()
        self._hurried = False
        self._stopping = False

    def expect(self, link: str, owner: Owner, settle: Settle) -> None:
        """Delete a condemned link of an attachment soon, and call `settle` then."""
        with self._changed:
            self._condemned[link] = Expected(owner=owner, settle=settle)
            self._changed.notify_all()

    def hurry(self, owner: Owner | None = None) -> bool:
        """Wait until all of one attachment's links, or all, are cleared; False where one is not.

        What failed before is tried once more at once.
        """
        links = None if owner is None else (host_end(owner), shaper(owner))
        with self._changed:
            self._resume(links)
            if not self._is_pending(links):
                return True
            self._hurried = True
            self._changed.notify_all()
            ended = self._changed.wait_for(lambda: not self._is_pending(links), _PATIENCE)
            return ended and (links is None or self._postponed.keys().isdisjoint(links))

    def pending(self) -> int:
        """How many links are condemned and still there."""
        with self._changed:
            return len(self._condemned) + len(self._under_way) + len(self._postponed)

    def run(self) -> None:
        """Delete until `stop`; for a thread of its own."""
        with NetlinkSocket() as rtnl:
            while self._wait_for_work():
                self._wait_for_quiet()
                self._reap(rtnl, self._take())

    def stop(self) -> None:
        """Have `run` return once nothing is left to be deleted."""
        with self._changed:
            self._stopping = self._hurried = True
            self._changed.notify_all()

    def _is_pending(self, links: Collection[str] | None) -> bool:
        if links is None:
            return bool(self._condemned or self._under_way)
        return any(each in self._condemned or each in self._under_way for each in links)

    def _wait_for_work(self) -> bool:
        with self._changed:
            while True:
                if time.monotonic() >= self._again_at:
                    self._resume(None)
                if self._condemned or self._stopping:
                    return bool(self._condemned)
                self._changed.wait(_AGAIN if self._postponed else None)

    def _resume(self, links: Collection[str] | None) -> None:
        """Have what failed tried again: these links, or all."""
        for each in links if links is not None else list(self._postponed):
            if each in self._postponed:
                self._condemned.setdefault(each, self._postponed.pop(each))

    def _wait_for_quiet(self) -> None:
        deadline = time.monotonic() + _LONGEST
        with self._changed:
            self._changed.wait_for(lambda: self._hurried, _GATHER)
            while self._is_busy() and not self._hurried and time.monotonic() < deadline:
                self._changed.wait(_GATHER)

    def _take(self) -> Mapping[str, Expected]:
        with self._changed:
            links = list(self._condemned)[:_BATCH]
            taken = {link: self._condemned.pop(link) for link in links}
            self._under_way.update(taken)
            self._hurried = self._hurried and bool(self._condemned)
            return taken

    def _reap(self, rtnl: NetlinkSocket, batch: Mapping[str, Expected]) -> None:
        trouble = _attempt(lambda: _delete(rtnl, batch))
        failed = dict.fromkeys(batch, trouble) if trouble else {}
        for link, expected in batch.items():
            trouble = failed.get(link) or _attempt(expected.settle)
            if trouble:
                failed[link] = trouble
                self._failed(expected.owner, trouble)
        with self._changed:
            self._under_way.difference_update(batch)
            if failed and not self._postponed:
                self._again_at = time.monotonic() + _AGAIN
            self._postponed.update({link: batch[link] for link in failed})
            self._changed.notify_all()


def condemned() -> list[tuple[str, Owner]]:
    """Links that were condemned, by this agent or one before it, and whose they are."""
    with NetlinkSocket() as rtnl:
        links = [link for kind in _KINDS for link in list_links(rtnl, kind=kind)]
    marked = ((link.name, owner_of(link.alias)) for link in links if is_condemned(link.alias))
    return [(name, owner) for name, owner in marked if owner is not None]


def _attempt(step: Callable[[], None]) -> str:
    """Do one step; in words why it failed."""
    try:
        step()
    except DariError as error:
        return error.message
    except Exception as error:
        # A fault of ours in one pod's end must not end the thread that clears the others.
        return f"internal error: {error!r}"
    return ""


def _delete(rtnl: NetlinkSocket, names: Iterable[str]) -> None:
    """Delete condemned links together; those that are gone already do not matter.

    One that is not condemned is that of a pod that has come back meanwhile.

    Equivalent to: ``ip link set dev NAME group dari`` for each, ``ip link del group dari``.
    """
    for name in names:
        try:
            link = get_link(rtnl, name=name)
            if is_condemned(link.alias):
                rtnl.transact([change_link(index=link.index, group=GROUP)])
        except NotFound:
            continue  # its namespace took it along
    try:
        rtnl.transact([delete_group(GROUP)])
    except NotFound:
        return  # all were gone
