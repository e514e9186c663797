"""Leases one owner its addresses, one from each range set, or none at all.

May import: errors, ipam, model.
"""

from __future__ import annotations

from contextlib import ExitStack
from ipaddress import ip_address

from dari.errors import BadConfig, NoFreeAddress
from dari.ipam.ranges import (
    addresses_after,
    capacity,
    describe,
    is_full,
    is_usable,
    range_of,
)

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from dari.ipam.book import LeaseBook
    from dari.ipam.folder import Lease, LeaseFolder
    from dari.ipam.ranges import RangeSet
    from dari.model import IPAddress, Owner

_BLIND_TRIES = 16
"""Addresses tried one by one before the folder is listed: mostly the first is free."""


def assign(
    requested: Sequence[IPAddress], pools: Sequence[RangeSet], network: str
) -> dict[int, IPAddress]:
    """Find for each address that was asked for the range set that it is from.

    Args:
        requested: addresses asked for.
        pools: the configuration's range sets.
        network: its name, for messages.

    Returns:
        The address asked for by the set's index.

    Raises:
        BadConfig: it is in no range, or no pod may have it, or two are in one set.
    """
    found: dict[int, IPAddress] = {}
    for address in requested:
        index = _pool_of(address, pools, network)
        if found.setdefault(index, address) != address:
            raise BadConfig(
                f"network {network}: {found[index]} and {address} were both asked for,"
                f" but a pod gets one address from {describe(pools[index])}"
            )
    return found


def _pool_of(address: IPAddress, pools: Sequence[RangeSet], network: str) -> int:
    for index, pool in enumerate(pools):
        held_in = range_of(pool, address)
        if held_in is None:
            continue
        if is_usable(pool, address):
            return index
        what = "a gateway" if any(address == one.gateway for one in pool) else "no pod's address"
        raise BadConfig(
            f"network {network}: {address}, asked for, is {what} in {held_in.subnet}",
            f"ask for another address of {held_in}",
        )
    raise BadConfig(
        f"network {network}: {address}, asked for, is in none of its ranges",
        f"its ranges are {'; '.join(describe(pool) for pool in pools)}",
    )


def shortage(
    pool: RangeSet, folder: LeaseFolder, book: LeaseBook, network: str
) -> NoFreeAddress | None:
    """What is to be said where the range set has no free address; None where it has one.

    Empty lease files, which are nobody's, are taken away first.

    Raises:
        IOFailure: the folder cannot be read or written.
    """
    if not is_full(pool, folder.names()):
        return None
    leases = book.survey()
    if not is_full(pool, {lease.name for lease in leases}):
        return None
    return NoFreeAddress(
        f"network {network}: all {capacity(pool)} addresses of {describe(pool)}"
        f" are leased in {folder.path}",
        f"give the network a larger range, or release leases of pods that are gone"
        f"{_unreadable(leases)}",
    )


def _unreadable(leases: Sequence[Lease]) -> str:
    names = sorted(lease.name for lease in leases if lease.owner is None)
    if not names:
        return ""
    shown = ", ".join(names[:5]) + (" and more" if len(names) > 5 else "")
    return f"; held by unknown, since their files are not understood: {shown}"


class Allocation:
    """What one ADD leases, while the folder's lock is held.

    As a context manager it gives back what it leased, unless `keep` was called.

    Args:
        network: its name, for messages.
        folder: of the network's leases.
        book: of that folder.
        owner: who gets the leases.
    """

    def __init__(self, network: str, folder: LeaseFolder, book: LeaseBook, owner: Owner) -> None:
        self._network = network
        self._folder = folder
        self._book = book
        self._owner = owner
        self._held = [ip_address(name) for name in book.held_by(owner)]
        self._undo = ExitStack()

    def __enter__(self) -> Allocation:
        return self

    def __exit__(self, *_: object) -> None:
        self._undo.close()

    def keep(self) -> None:
        """What was leased so far stays leased."""
        self._undo.pop_all()

    def lease(self, index: int, pool: RangeSet, asked: IPAddress | None) -> IPAddress:
        """The owner's address from one range set; what it holds there already is kept.

        Args:
            index: of the set.
            pool: the set.
            asked: the address asked for, a usable one of the set; or None.

        Raises:
            NoFreeAddress: none is free, or the one asked for is another's.
            IOFailure: the folder cannot be read or written.
        """
        held = [address for address in self._held if is_usable(pool, address)]
        if asked is not None:
            address = asked if asked in held else self._claim_asked(index, asked)
        else:
            address = held[0] if held else self._claim_next(index, pool)
        for other in held:
            if other != address:
                self._book.drop(str(other))
        return address

    def _claim_asked(self, index: int, asked: IPAddress) -> IPAddress:
        name = str(asked)
        lease = self._folder.read(name)
        if lease is not None and lease.empty:
            self._book.drop(name)
        if self._claim(index, iter((name,))) is not None:
            return asked
        owner = lease.owner if lease is not None else None
        holder = (
            f"container {owner.container_id} ({owner.ifname or 'interface not noted'})"
            if owner is not None
            else "unknown: its lease is not understood"
        )
        raise NoFreeAddress(
            f"network {self._network}: {asked}, asked for, is held by {holder}",
            f"the lease is the file {self._folder.path}/{name}",
        )

    def _claim_next(self, index: int, pool: RangeSet) -> IPAddress:
        while True:
            name = self._claim(index, self._untaken(index, pool))
            if name is not None:
                return ip_address(name)
            # Under the lock nothing else changes: what is free now is free next time.
            problem = shortage(pool, self._folder, self._book, self._network)
            if problem is not None:
                raise problem

    def _claim(self, index: int, names: Iterator[str]) -> str | None:
        name = self._book.claim(names, self._owner)
        if name is not None:
            self._undo.callback(self._book.drop, name)
            self._book.note_last_reserved(index, name)
        return name

    def _untaken(self, index: int, pool: RangeSet) -> Iterator[str]:
        taken: set[str] = set()
        candidates = addresses_after(pool, self._book.last_reserved(index))
        for count, address in enumerate(candidates):
            if count == _BLIND_TRIES:
                taken = self._folder.names()
            name = str(address)
            if name not in taken:
                yield name
