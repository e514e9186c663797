"""What a plugin is given of the node it works on.

One `Host` serves one call. In the executable it opens what it needs and closes
it; in the agent, `Services` lends it what outlives a call.

May import: ipam, netlink, nft, paths, record.
"""

from __future__ import annotations

import os
from contextlib import contextmanager, nullcontext

from dari.netlink.namespace import Namespace
from dari.netlink.sock import NetlinkSocket
from dari.nft import masquerade
from dari.nft.tools import FRESH
from dari.paths import Paths
from dari.record import Record

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Hashable, Iterator, Mapping
    from contextlib import AbstractContextManager
    from types import TracebackType
    from typing import Protocol, Self, TypeVar

    from dari.ipam.owners import OwnerIndex
    from dari.model import NetConf, Owner
    from dari.netlink.link import Link
    from dari.netlink.namespace import Visitor
    from dari.nft.changes import Changes
    from dari.nft.entries import Masqueraded
    from dari.nft.tools import Tools

    T = TypeVar("T")

    class Bridges(Protocol):
        """Bridges that were found as they should be, until something changes."""

        def find(self, wanted: Hashable, /) -> tuple[Link | None, int]:
            """The bridge that is as wanted, or None; and the moment of this look."""

        def keep(self, wanted: Hashable, bridge: Link, moment: int, /) -> None:
            """Remember one that was as wanted, unless something changed since the moment."""

    class Services(Protocol):
        """What a process that lives on lends to each call."""

        rtnl: NetlinkSocket
        """A route netlink socket in the node's namespace, for this call alone."""
        visitor: Visitor
        """Who enters pods' namespaces, for this call alone."""

        @property
        def bridges(self) -> Bridges:
            """What is known of the node's bridges."""

        @property
        def tools(self) -> Tools:
            """What it takes to talk to nftables."""

        def lease_index(self, folder: str) -> OwnerIndex:
            """Who holds which leases of a folder, kept in memory."""

        def derive(self, conf: NetConf, what: str, make: Callable[[], T]) -> T:
            """What follows from a configuration alone, made once for many calls."""

        def masquerade(self, network: str, entry: Masqueraded) -> None:
            """Have it masqueraded, without asking the kernel each time."""

        def expect_end(self, link: str, owner: Owner, settle: Callable[[], None]) -> None:
            """Delete an attachment's condemned link soon, with others, and settle then."""

        def hurry(self, owner: Owner) -> None:
            """Return once nothing of this attachment is left to be deleted.

            Raises:
                TryAgain: it does not go.
            """

        def later(self, work: Callable[[], None]) -> None:
            """Do it once the call is answered; a `DariError` of it is nobody's loss."""

        def phase(self, name: str) -> AbstractContextManager[None]:
            """Measure a part of a call."""


_NO_PHASE = nullcontext()


class Laid(Record):
    """The cable that this call has laid, for the plugins behind.

    Attributes:
        end: the node's end, as it was then.
        device: the link by which the node reaches the pod; empty where its routes decide.
    """

    end: Link
    device: str


class Host:
    """The node's side of the kernel and of the file system.

    Args:
        paths: where dari's files are.
        environ: what a delegated plugin inherits.
        services: what outlives the call; None where the process serves one call.
        netns: descriptor of the pod's namespace where the caller passed one;
            it stays the caller's.
        pod: descriptor of a route netlink socket in there, which is this call's alone.
    """

    def __init__(
        self,
        paths: Paths,
        environ: Mapping[str, str],
        services: Services | None = None,
        netns: int | None = None,
        pod: int | None = None,
    ) -> None:
        self.paths = paths
        self.environ = environ
        self.services = services
        self._netns = netns
        self._pod = pod
        self._rtnl: NetlinkSocket | None = None
        self._inodes: dict[str, int] = {}
        self._changes: Changes | None = None
        self.laid: Laid | None = None

    @property
    def rtnl(self) -> NetlinkSocket:
        """A route netlink socket in the node's own namespace."""
        if self.services is not None:
            return self.services.rtnl
        if self._rtnl is None:
            self._rtnl = NetlinkSocket()
        return self._rtnl

    @property
    def tools(self) -> Tools:
        """What it takes to talk to nftables."""
        return FRESH if self.services is None else self.services.tools

    def namespace(self, path: str) -> Namespace:
        """Open the pod's namespace, by the descriptor that came with the call or by its path.

        Raises:
            BadNamespace: it is none, or not there.
        """
        visitor = None if self.services is None else self.services.visitor
        if self._netns is not None:
            pod, self._pod = self._pod, None
            found = Namespace.borrow(self._netns, path, visitor, pod)
        else:
            found = Namespace.open(path, visitor)
        self._inodes[path] = found.identity[1]
        return found

    def namespace_inode(self, path: str) -> int:
        """The inode of the pod's namespace, which is opened if this call did not yet.

        Raises:
            BadNamespace: it is none, or not there.
        """
        if path not in self._inodes:
            self.namespace(path).close()
        return self._inodes[path]

    def masquerade(self, network: str, entry: Masqueraded) -> None:
        """Have traffic masqueraded, besides what is masqueraded already.

        Raises:
            FirewallRefused: libnftables is missing or says no.
        """
        if self.services is not None:
            self.services.masquerade(network, entry)
        else:
            masquerade.extend(self.paths, network, entry)

    @contextmanager
    def changing_table(self) -> Iterator[Changes]:
        """Change dari's table and the files it is made from, as one with who does so already.

        Raises:
            DariError: as `nft.table.changing` does.
        """
        if self._changes is not None:
            yield self._changes
            return
        from dari.nft import table  # a plain pod changes nothing there

        with table.changing(self.paths, self.tools) as self._changes:
            try:
                yield self._changes
            finally:
                self._changes = None

    def when_table_is_changed(self, work: Callable[[], object]) -> None:
        """Do it now, or where the table is being changed, once the kernel has it so."""
        if self._changes is None:
            work()
        else:
            self._changes.afterwards.append(work)

    def derive(self, conf: NetConf, what: str, make: Callable[[], T]) -> T:
        """What follows from a configuration alone; `what` tells it from other such things."""
        return make() if self.services is None else self.services.derive(conf, what, make)

    def phase(self, name: str) -> AbstractContextManager[None]:
        """Measure a part of a call, where somebody wants to know."""
        return _NO_PHASE if self.services is None else self.services.phase(name)

    def close(self) -> None:
        """Close what was opened for this call; a second time does nothing."""
        if self._rtnl is not None:
            self._rtnl.close()
            self._rtnl = None
        if self._pod is not None:
            os.close(self._pod)
            self._pod = None

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()
