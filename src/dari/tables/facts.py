"""What is known of one place when its tables are explained: a part of a snapshot.

May import: snapshot, store.record, netlink's records, tables.expected.
"""

from __future__ import annotations

from collections.abc import Mapping

from dari.netlink.constants import RT_TABLE_LOCAL, RT_TABLE_MAIN
from dari.netlink.route import KernelRoute
from dari.snapshot.model import Machine, Place, Pod
from dari.store.record import NodeRecord
from dari.tables.expected import Expected

MOST_ROWS = 100


class Facts:
    """One place of a machine, and what the machine knows.

    Args:
        machine: with its records.
        pod: whose tables they are; None: the machine's own.
        most: rows that a table without bounds may have; 0: any number.
    """

    def __init__(self, machine: Machine, pod: Pod | None = None, most: int = MOST_ROWS) -> None:
        self.machine = machine
        self.pod = pod
        self.most = most
        self.place: Place = (pod.place or Place()) if pod else machine.place
        self.expected = Expected(machine)

    @property
    def routes(self) -> tuple[KernelRoute, ...]:
        """Routes that a person means: of all tables but the kernel's own, ``local``."""
        return tuple(one for one in self.place.routes if one.table != RT_TABLE_LOCAL)

    @property
    def main(self) -> tuple[KernelRoute, ...]:
        """Of the main table."""
        return tuple(one for one in self.place.routes if one.table == RT_TABLE_MAIN)

    @property
    def nodes(self) -> tuple[NodeRecord, ...]:
        """The cluster's, as far as their records are known."""
        return self.machine.records

    @property
    def names(self) -> Mapping[str, str]:
        """What addresses are called."""
        return self.machine.names

    @property
    def is_node(self) -> bool:
        """Is it a node's own place, of which its record says something?"""
        return self.pod is None and self.machine.record is not None
