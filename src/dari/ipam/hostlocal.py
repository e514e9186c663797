"""Leases addresses to pods as the reference host-local does, on the same folder.

What is better than there:

- An ADD that is repeated (the first was killed, or its answer got lost) gets the
  same addresses again, where the reference refuses.
- Leases of an earlier boot, and empty leases of killed writers, are taken back.
- Waiting for the lock is bounded, and under it one lease is read, not all.
- GC and STATUS are answered; errors name the network, the range, the holder.

A DEL asks nothing of the configuration but where the leases are, so that what
was leased before it was spoilt can still be released.

May import: errors, fields, ipam, model, paths.
"""

from __future__ import annotations

import os
from contextlib import contextmanager
from ipaddress import ip_interface

from dari.errors import (
    BadConfig,
    BadEnvironment,
    CheckFailed,
    DariError,
    NotAvailable,
    SeveralFailures,
)
from dari.fields import text
from dari.ipam.allocation import Allocation, assign, shortage
from dari.ipam.book import opened
from dari.ipam.boot import reclaim_earlier_boot
from dari.ipam.folder import LeaseFolder, format_owner, parse_owner
from dari.ipam.owners import FileIndex
from dari.ipam.ranges import parse_ranges
from dari.ipam.resolver import read_resolv_conf
from dari.ipam.routes import parse_routes
from dari.model import DNS, IPConfig

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterator, Sequence
    from typing import Protocol, TypeVar

    from dari.ipam.book import LeaseBook
    from dari.ipam.owners import OwnerIndex
    from dari.ipam.ranges import RangeSet
    from dari.model import IPAddress, NetConf, Owner, Route
    from dari.paths import Paths

    T = TypeVar("T")

    class Derive(Protocol):
        """Makes something, or remembers what it made by that name."""

        def __call__(self, what: str, make: Callable[[], T], /) -> T: ...


_ONE_OF_EACH_FAMILY = frozenset({"", "0.1.0", "0.2.0"})
"""CNI versions whose results hold no more than one address of a family."""


class HostLocal:
    """The `ipam` section of one network's configuration, and its leases.

    Nothing is read before it is needed: neither the configuration nor the folder.

    Args:
        conf: the configuration that has the section.
        paths: the node's folders.
        default_dir: where leases are kept if the section has no `dataDir`;
            empty: where the reference keeps them.
        index: gives the index of a folder's owners, by the folder's path; None
            for one in a file, which the next process finds.
        derive: makes what follows from the configuration alone, or remembers it.
    """

    def __init__(
        self,
        conf: NetConf,
        paths: Paths,
        default_dir: str = "",
        index: Callable[[str], OwnerIndex] | None = None,
        derive: Derive | None = None,
    ) -> None:
        self._derive = derive or _make
        self._conf = conf
        self._index_of = index
        self._paths = paths
        self._default_dir = default_dir or paths.host_local

    def allocate(self, owner: Owner, requested: Sequence[IPAddress] = ()) -> tuple[IPConfig, ...]:
        """Lease the owner one address from each range set: all of them or none.

        What it holds already is answered again, and given up where another
        address is asked for.

        Args:
            owner: the attachment.
            requested: addresses it must have, each in one of the range sets.

        Returns:
            The addresses with their gateways, in the order of the range sets.

        Raises:
            BadConfig: the section is wrong, or an address is asked for that no
                pod of this network may have.
            BadEnvironment: the owner's names are none that a lease can hold.
            NoFreeAddress: a range set is used up, or an address is another's.
            IOFailure: the folder cannot be read or written, or resolvConf not read.
            TryAgain: the folder's lock was held too long.
        """
        pools = self._pools()
        asked = assign(requested, pools, self._conf.name)
        _refuse_unnamed(owner)
        folder = self._folder()
        with self._book(folder) as book, Allocation(self._conf.name, folder, book, owner) as leases:
            found = [leases.lease(i, pool, asked.get(i)) for i, pool in enumerate(pools)]
            leases.keep()
        return tuple(_configured(*pair) for pair in zip(pools, found, strict=True))

    def release(self, owner: Owner) -> None:
        """Give back all that the owner holds, if anything.

        Args:
            owner: the attachment.

        Raises:
            BadConfig: `dataDir` is wrong.
            IOFailure: a lease cannot be removed.
            TryAgain: the folder's lock was held too long.
        """
        folder = self._folder()
        if not folder.exists():
            return
        with folder.locked(), opened(folder, self._index(folder)) as book:
            book.release(owner)

    def check(self, owner: Owner, expected: Sequence[IPAddress]) -> None:
        """See whether the owner holds what it was given.

        Args:
            owner: the attachment.
            expected: the addresses in its result; empty: any lease will do.

        Raises:
            BadConfig: `dataDir` is wrong.
            CheckFailed: a lease is gone, or another's.
        """
        folder = self._folder()
        for address in expected:
            self._check_one(folder, owner, address)
        if not expected and not (
            folder.exists() and any(_holds(owner, lease.owner) for lease in folder.leases())
        ):
            raise CheckFailed(
                f"network {self._conf.name}: {_named(owner)} has no lease in {folder.path}"
            )

    def collect(self, valid: Collection[Owner]) -> list[Owner]:
        """Release what nobody in `valid` holds. Leases not understood are kept.

        Args:
            valid: every attachment that is still in use.

        Returns:
            Whose leases were released.

        Raises:
            BadConfig: `dataDir` is wrong.
            IOFailure: the folder cannot be read.
            SeveralFailures: leases could not be removed; the others were.
            TryAgain: the folder's lock was held too long.
        """
        folder = self._folder()
        if not folder.exists():
            return []
        with self._book(folder) as book:
            return self._collect(book, valid)

    def status(self) -> None:
        """See whether an ADD would get its addresses.

        Raises:
            NotAvailable: the section is wrong, the folder cannot be written, or
                a range set is used up.
        """
        try:
            pools, folder = self._pools(), self._folder()
            with self._book(folder) as book:
                folder.try_writing()
                problems = [shortage(pool, folder, book, self._conf.name) for pool in pools]
        except DariError as error:
            raise NotAvailable(error.message, error.details) from error
        for problem in problems:
            if problem is not None:
                raise NotAvailable(problem.message, problem.details)

    def routes(self) -> tuple[Route, ...]:
        """The section's routes.

        Raises:
            BadConfig: they are wrong.
        """
        return self._derive("routes", lambda: parse_routes(self._conf.ipam))

    def dns(self) -> DNS:
        """What the file named by `resolvConf` says; empty where none is named.

        Raises:
            BadConfig: it is no path.
            IOFailure: the file cannot be read.
        """
        path = self._path("resolvConf")
        return read_resolv_conf(path) if path else DNS()

    def _pools(self) -> tuple[RangeSet, ...]:
        """The range sets, after all else in the section that an ADD would stumble on later."""
        self.routes()
        self.dns()
        return self._derive("range sets", self._parse_pools)

    def _parse_pools(self) -> tuple[RangeSet, ...]:
        pools = parse_ranges(self._conf.ipam, self._conf.runtime_config)
        families = [pool[0].subnet.version for pool in pools]
        if self._conf.cni_version in _ONE_OF_EACH_FAMILY and len(families) > len(set(families)):
            raise BadConfig(
                f"cniVersion {self._conf.cni_version or '0.1.0'}: its results hold one address"
                " of each family, and there are more range sets",
                "set cniVersion to 0.3.0 or above",
            )
        return pools

    def _folder(self) -> LeaseFolder:
        return self._derive("folder", self._find_folder)

    def _find_folder(self) -> LeaseFolder:
        return LeaseFolder(f"{self._path('dataDir') or self._default_dir}/{self._conf.name}")

    def _path(self, key: str) -> str:
        path = text(self._conf.ipam, key)
        try:
            if b"\0" in os.fsencode(path):
                raise ValueError
        except ValueError:
            raise BadConfig(f"ipam.{key}: {path!r} cannot be a path") from None
        return path

    def _index(self, folder: LeaseFolder) -> OwnerIndex:
        if self._index_of is not None:
            return self._index_of(folder.path)
        return FileIndex(f"{self._paths.run}/owners/{folder.digest}")

    @contextmanager
    def _book(self, folder: LeaseFolder) -> Iterator[LeaseBook]:
        with folder.locked():
            self._derive("reclaimed", lambda: reclaim_earlier_boot(folder, self._paths))
            with opened(folder, self._index(folder)) as book:
                yield book

    def _check_one(self, folder: LeaseFolder, owner: Owner, address: IPAddress) -> None:
        lease = folder.read(str(address))
        if lease is None:
            found = "is not leased"
        elif lease.owner is None:
            found = "is leased to unknown: its lease is not understood"
        elif not _holds(owner, lease.owner):
            found = f"is leased to {_named(lease.owner)}"
        else:
            return
        raise CheckFailed(
            f"network {self._conf.name}: {address} of {_named(owner)} {found}",
            f"the lease is the file {folder.path}/{address}",
        )

    def _collect(self, book: LeaseBook, valid: Collection[Owner]) -> list[Owner]:
        kept = set(valid)
        containers = {owner.container_id for owner in kept}
        released: dict[Owner, None] = {}
        failures: list[DariError] = []
        for lease in book.survey():
            owner = lease.owner
            if owner is None or owner in kept or _is_any_of(owner, containers):
                continue
            try:
                book.drop(lease.name)
                released[owner] = None
            except DariError as error:
                failures.append(error)
        if failures:
            raise SeveralFailures(f"GC of network {self._conf.name}", failures)
        return list(released)


def _make(_what: str, make: Callable[[], T]) -> T:
    """Remember nothing: for a process that serves one call."""
    return make()


def _configured(pool: RangeSet, address: IPAddress) -> IPConfig:
    source = next(one for one in pool if address in one)
    return IPConfig(
        address=ip_interface((address, source.subnet.prefixlen)), gateway=source.gateway
    )


def _refuse_unnamed(owner: Owner) -> None:
    if parse_owner(format_owner(owner)) != owner:
        raise BadEnvironment(
            f"container id {owner.container_id!r} and interface name {owner.ifname!r}"
            " cannot be written into a lease"
        )


def _holds(owner: Owner, noted: Owner | None) -> bool:
    """Whether a lease of `noted` is the owner's; old ones name the container alone."""
    if noted is None or noted.container_id != owner.container_id:
        return False
    return noted.ifname in ("", owner.ifname)


def _is_any_of(owner: Owner, containers: Collection[str]) -> bool:
    return not owner.ifname and owner.container_id in containers


def _named(owner: Owner) -> str:
    return f"container {owner.container_id} ({owner.ifname or 'interface not noted'})"
