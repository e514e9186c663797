"""A node's part in the cluster: the pod ranges that it holds, and the record that says so.

May import: errors, model, record, store, agent.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from dari.agent.config import AgentConfig
from dari.agent.desired import own_record
from dari.agent.earlier import ranges_in_use
from dari.agent.location import Location
from dari.agent.memory import Memory
from dari.agent.namesake import Namesake
from dari.agent.observe import Observed
from dari.errors import DariError
from dari.record import Record
from dari.store.base import Store
from dari.store.ranges import RangeTaken
from dari.store.record import NodeRecord

if TYPE_CHECKING:
    from dari.model import IPNetwork


class Joined(Record):
    """What came of this node's record and range, in words.

    Attributes:
        done: what was done.
        waiting: what stands in the way of pods.
        problems: what else is wrong.
        untold: the record, where it is still to be written.
    """

    done: tuple[str, ...] = ()
    waiting: tuple[str, ...] = ()
    problems: tuple[str, ...] = ()
    untold: NodeRecord | None = None


class Membership:
    """What this node tells the others of itself.

    Args:
        config: what to do.
        store: the cluster's records.
        memory: what the store has said; told of what is written.
    """

    def __init__(self, config: AgentConfig, store: Store, memory: Memory) -> None:
        self._config = config
        self._store = store
        self._memory = memory
        self._namesake = Namesake()
        self.ranges: tuple[IPNetwork, ...] = ()
        """The pod ranges that it holds."""

    async def join(self, observed: Observed, location: Location) -> Joined:
        """Hold a range and have the own record say so.

        Where the record has the range already, what else it is to say is told when the node
        is so: peers that heard of a tunnel would send through it before it is there.

        Args:
            observed: what the kernel has; pods of an earlier network among it.
            location: where this node is.
        """
        config = self._config
        try:
            ranges = config.pod_ranges or self.ranges
            if not ranges:
                used = ranges_in_use(config, observed)
                ranges = await self._store.allot(config.node_name, config.cluster_ranges, used)
        except DariError as error:
            return self._refused(error)
        record, stored = own_record(config, location, ranges), self._stored()
        self._namesake.saw(stored, time.monotonic())
        if self._namesake.gives_way(stored):
            return Joined(waiting=(self._namesake.problem(time.monotonic()),))
        if record.says_the_same_as(stored) and self.ranges:
            return Joined(problems=self._namesakes())
        if stored is None or stored.pod_ranges != record.pod_ranges:
            return await self.tell(record)
        self.ranges = record.pod_ranges
        return Joined(untold=record)

    async def tell(self, record: NodeRecord) -> Joined:
        """Write this node's record; if it cannot be, the next pass tries again."""
        stored = self._stored()
        try:
            await self._store.put(record.replace(updated=time.time()))
        except DariError as error:
            return self._refused(error)
        self._memory.wrote(record)
        self._namesake.wrote(record, stored)
        self.ranges = record.pod_ranges
        known = record.says_the_same_as(stored)
        done = () if known else ("wrote this node's record",)
        return Joined(done=done, problems=self._namesakes())

    def _refused(self, error: DariError) -> Joined:
        """What comes of a store that does not take this node's record.

        A range that was held once is kept in use whatever happens to the record: pods have
        addresses of it. A store that fails then is a problem, but the node is as ready as it
        was; another node's claim to the range is not so harmless.
        """
        if self.ranges and not isinstance(error, RangeTaken):
            return Joined(problems=(error.message,))
        return Joined(waiting=(error.message,))

    def _stored(self) -> NodeRecord | None:
        """This node's record as the store has it."""
        name, records = self._config.node_name, self._memory.records or ()
        return next((each for each in records if each.name == name), None)

    def _namesakes(self) -> tuple[str, ...]:
        trouble = self._namesake.problem(time.monotonic())
        return (trouble,) if trouble else ()
