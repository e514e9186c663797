"""A folder of leases, opened under its lock, with the index of owners kept in step.

May import: ipam.folder, ipam.owners, model.
"""

from __future__ import annotations

from contextlib import contextmanager, suppress
from ipaddress import ip_address

from dari.model import InterfaceName

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from dari.ipam.folder import Lease, LeaseFolder
    from dari.ipam.owners import OwnerIndex
    from dari.model import IPAddress, Owner


class LeaseBook:
    """What may be asked of a folder while its lock is held; see `opened`."""

    def __init__(self, folder: LeaseFolder, index: OwnerIndex) -> None:
        self._folder = folder
        self._index = index
        self._known = index.load(folder.stamp())
        self._changed = False

    def held_by(self, owner: Owner) -> list[str]:
        """The addresses that this very owner holds, by both names.

        Raises:
            IOFailure: the folder cannot be read.
        """
        if self._known:
            names = self._index.names_of(owner)
            if all(self._is_held(name, owner) for name in names):
                return names
        self.survey()
        return self._index.names_of(owner)

    def claim(self, names: Iterable[str], owner: Owner) -> str | None:
        """Lease the first address that is free; None where all are taken.

        Raises:
            IOFailure: it cannot be written.
        """
        name = self._folder.claim(names, owner)
        if name is not None:
            self._index.add(name, owner)
            self._changed = True
        return name

    def last_reserved(self, index: int) -> IPAddress | None:
        """The address last leased from a range set; None where that is not known."""
        known = self._index.last(index)
        return ip_address(known) if known else self._folder.last_reserved(index)

    def note_last_reserved(self, index: int, name: str) -> None:
        """Remember the address last leased from a range set.

        Raises:
            IOFailure: it cannot be written.
        """
        self._folder.note_last_reserved(index, name)
        self._index.note_last(index, name)

    def drop(self, name: str) -> None:
        """Take a lease away, if it is there.

        Raises:
            IOFailure: it cannot be removed.
        """
        self._folder.drop(name)
        self._index.remove(name)
        self._changed = True

    def release(self, owner: Owner) -> None:
        """Take away all that the owner holds.

        Where nothing has both its names, a lease of the container id alone is
        its own, as old releases of the reference wrote it. That nothing is held
        is believed only after every lease was read: nobody comes back for it.

        Raises:
            IOFailure: a lease cannot be removed.
        """
        names = self.held_by(owner)
        if not names:
            self.survey()
            unnamed = owner.replace(ifname=InterfaceName(""))
            names = self._index.names_of(owner) or self._index.names_of(unnamed)
        for name in names:
            self.drop(name)

    def survey(self) -> list[Lease]:
        """Read every lease, and take away the empty ones, which are nobody's.

        Returns:
            The leases that remain.

        Raises:
            IOFailure: the folder cannot be read, or an empty lease not removed.
        """
        leases = []
        for lease in self._folder.leases():
            if lease.empty:
                self._folder.drop(lease.name)
            else:
                leases.append(lease)
        self._index.fill(leases)
        self._known = self._changed = True
        return leases

    def close(self) -> None:
        """Keep the index, if there is anything new in it."""
        if self._known and self._changed:
            # Where it cannot be kept, the next caller reads the leases themselves.
            with suppress(OSError):
                self._folder.put_stamp(self._index.save())

    def _is_held(self, name: str, owner: Owner) -> bool:
        lease = self._folder.read(name)
        return lease is not None and lease.owner == owner


@contextmanager
def opened(folder: LeaseFolder, index: OwnerIndex) -> Iterator[LeaseBook]:
    """Open the book of a folder whose lock is held, and close it after use."""
    book = LeaseBook(folder, index)
    try:
        yield book
    finally:
        book.close()
