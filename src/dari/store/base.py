"""What the agent asks of a store, whichever it is.

Asynchronous, since most stores are across a network; a store whose work blocks
does it in a thread. tests/unit/store/test_store_contract.py says what every
implementation must do.

May import: errors, model, record, store.ranges, store.record.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from typing import TYPE_CHECKING, Protocol

from dari.errors import TryAgain
from dari.model import NodeName
from dari.record import Record
from dari.store.ranges import ClusterRange
from dari.store.record import NodeRecord

if TYPE_CHECKING:
    from collections.abc import Set

    from dari.model import IPNetwork

    Names = Set[NodeName]


class Unreachable(TryAgain):
    """The store cannot be asked now: it is gone, slow, cut off, or refuses."""


class Listing(Record):
    """All nodes' records, by name.

    Attributes:
        damaged: in words, what could not be read.
        revision: the store's count of its changes, which only grows; 0: it has none.
        origin: which store it is that counts; empty: unknown. A store restored
            from a backup is another, or has counted less far.
        silent: nodes whose agents give no sign of life, where the store can tell.
            Their records and routes stay: a dead agent's data path works on.
    """

    records: tuple[NodeRecord, ...] = ()
    damaged: tuple[str, ...] = ()
    revision: int = 0
    origin: str = ""
    silent: tuple[NodeName, ...] = ()


class Store(Protocol):
    """The cluster's records. Every method raises a `DariError` where the store fails."""

    async def records(self) -> Listing:
        """Every node's record. A damaged one never hides the others.

        While a watch runs, a store across a network answers from its copy.

        Raises:
            Unreachable: it cannot be asked, or its watch has lost it.
        """

    async def some(self, names: Names) -> Listing:
        """The same of these nodes alone, in a time that does not grow with the others.

        Raises:
            Unreachable: it cannot be asked, or its watch has lost it.
        """

    async def get(self, name: NodeName) -> NodeRecord | None:
        """One node's record; None where it has none.

        Raises:
            Undecodable: it has one that cannot be read.
        """

    async def put(self, record: NodeRecord) -> None:
        """Write a node's own record in place of what it was.

        Raises:
            RangeTaken: one of its ranges overlaps another node's.
        """

    async def remove(self, name: NodeName) -> bool:
        """Take a node out of the cluster; its ranges are free again. False: it was not in it."""

    async def allot(
        self, name: NodeName, clusters: Sequence[ClusterRange], used: Sequence[IPNetwork] = ()
    ) -> tuple[IPNetwork, ...]:
        """Give a node one range of each cluster range, and record that it has them.

        Asked again, also after a restart, it gives the same ranges; no two nodes
        ever get the same, however many ask at once.

        Args:
            name: the node's.
            clusters: what to allot from.
            used: what the node's pods have addresses of; it gets that, if the store
                knows nothing of the node and nobody else holds it.

        Raises:
            RangesExhausted: none is left.
            RangeTaken: the node's earlier range is claimed by another as well.
            TryAgain: a damaged record may hold any range, so none can be given.
        """

    def watch(self) -> AsyncIterator[Names | None]:
        """Yield once at once, then whenever a record may have changed; never ends.

        Whose it is, where that is known; None: it may be anybody's, or all are gone.
        """

    async def announce(self, name: NodeName) -> None:
        """Tell the cluster that pods can start on a node; nothing where it was told already."""

    async def close(self) -> None:
        """Let go of connections. The store may be used again."""
