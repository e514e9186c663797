"""One pass: look, decide, put right. Asynchronous where the store is, threaded where the
kernel is; the decisions in between are pure (`location`, `desired`).

May import: errors, model, netlink.codec, routing, store, wiring.host, agent.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Iterator, Sequence, Set
from concurrent.futures import Executor
from typing import TYPE_CHECKING, TypeVar

from dari.agent import events
from dari.agent.config import ROUTER, AgentConfig
from dari.agent.desired import Desired, decide, own_record
from dari.agent.location import Location, locate
from dari.agent.membership import Joined, Membership
from dari.agent.memory import Memory
from dari.agent.mend import Mended, Mender, silent_damage
from dari.agent.observe import Observed, observe
from dari.agent.planner import Planner
from dari.agent.state import State, StoreState, Sync
from dari.agent.updates import Updates
from dari.errors import DariError
from dari.model import NodeName
from dari.netlink.codec import Message
from dari.routing.reconcile import Outcome
from dari.routing.tunnels import MARK
from dari.store.base import Store
from dari.store.record import NodeRecord
from dari.wiring.host import Host

if TYPE_CHECKING:
    from dari.model import IPAddress

T = TypeVar("T")


class Reconciler:
    """Keeps what outlives a pass: the records, the node's ranges and place.

    Args:
        config: what to do.
        store: the cluster's records.
        host: the node.
        worker: one thread, in which all kernel work is done.
    """

    def __init__(self, config: AgentConfig, store: Store, host: Host, worker: Executor) -> None:
        self._config = config
        self._store = store
        self._host = host
        self._worker = worker
        self._mender = Mender(host, config)
        self._memory = Memory(
            NodeName("") if config.role == ROUTER else config.node_name, config.store_grace
        )
        self._membership = Membership(config, store, self._memory)
        self._reachable = True
        self._silent: tuple[NodeName, ...] = ()
        self._location = Location()
        self._desired = Desired(routes=None)
        self._planner = Planner(config)
        self._updates = Updates(config)
        self._damaged = False
        self._port = 0
        self.tunnels: frozenset[int] = frozenset()
        """Indexes of the tunnels that were seen in the last pass."""

    async def look_and_mend(self, before: State, *, deep: bool) -> State:
        """Do one pass and tell what the node is like after it.

        Args:
            before: the state after the last pass.
            deep: compare also what a quick look takes for granted.

        Raises:
            DariError: the kernel cannot be looked at.
        """
        observed = await self._in_thread(self._observe)
        self._location = self._locate(observed)
        self.tunnels = frozenset(link.index for link in observed.links if link.alias == MARK)
        problems = await self._read_store()
        joined = await self._join(observed)
        own = own_record(self._config, self._location, self._membership.ranges)
        planned = self._planner.plan(own, self._memory.records, observed, self._location)
        desired = self._desired = decide(
            self._config, own, planned, observed, self._location, self._host.paths.leases
        )
        mending = self._begin(lambda: self._mender.mend(desired, observed, deep=deep))
        self._updates.follow(planned)  # while the kernel is busy
        mended = await mending
        if joined.untold is not None:
            joined = await self._membership.tell(joined.untold)
        if mended.blocking or mended.failures:
            self._host.close()
        state = self._state(before, problems, joined, mended)
        return await self._announce(state) if state.ready else state

    async def update(self, before: State, names: Set[NodeName]) -> State | None:
        """Carry out at once what some nodes' records have become.

        Returns:
            None where only a whole pass can tell what that comes to.
        """
        if self._damaged and not self._memory.knows(names):
            return None
        try:
            listing = await self._store.some(names)
            known = self._memory.knows(names)
            changed = self._memory.take_some(names, listing)
            if changed is None:
                return None
            if not changed:
                return before
            shift = self._updates.judge(changed)
            if shift is None:
                return None
            outcome = await self._in_thread(lambda: self._mender.shift(shift))
        except DariError:
            return None
        others = not known or None in changed.values()
        bare = {name for name, record in changed.items() if record and record.is_bare_claim}
        return self._updated(
            before.replace(
                peers=self._peers() if others else before.peers,
                joining=tuple(sorted({*before.joining} - changed.keys() | bare)),
            ),
            outcome,
        )

    def _updated(self, before: State, outcome: Outcome) -> State:
        sync = Sync(at=time.time(), mended=outcome.mended)
        return before.replace(
            passes=before.passes + 1,
            routes=self._updates.reached,
            last=sync,
            last_mending=sync if sync.mended else before.last_mending,
        )

    def is_known(self, message: Message) -> bool:
        """Does a notification only tell what this agent did itself, or wants?"""
        return events.is_own(message, self._port) or (
            bool(self.tunnels) and events.is_as_wanted(message, self._wanted)
        )

    def _wanted(self, index: int, mac: str) -> IPAddress | None:
        return self._updates.end_of(self._mender.tunnel(index), mac)

    async def _announce(self, state: State) -> State:
        """Tell the cluster that pods can start here."""
        if self._config.role == ROUTER or not self._reachable:
            return state
        try:
            await self._store.announce(self._config.node_name)
        except DariError as error:
            return state.replace(problems=(*state.problems, error.message))
        return state

    def _observe(self) -> Observed:
        """Look at the kernel.

        After a failure the next look begins with a fresh socket: the old one may
        still have parts of an unread answer (see `Conversation`).
        """
        try:
            self._port = self._host.rtnl.port
            return observe(self._host.rtnl)
        except DariError:
            self._host.close()
            raise

    async def damage_is_silent(self) -> bool:
        """Is something wrong that no notification tells of?"""
        config, paths = self._config, self._host.paths
        try:
            return await self._in_thread(
                lambda: any(True for _ in silent_damage(paths, config, self._desired))
            )
        except DariError:
            return True

    async def _in_thread(self, work: Callable[[], T]) -> T:
        return await self._begin(work)

    def _begin(self, work: Callable[[], T]) -> asyncio.Future[T]:
        """Have it done in the thread that talks with the kernel."""
        return asyncio.get_running_loop().run_in_executor(self._worker, work)

    def _locate(self, observed: Observed) -> Location:
        if self._config.role == ROUTER:
            return Location()
        return locate(self._config, observed, self._location.addresses)

    async def _read_store(self) -> Sequence[str]:
        """Read all records; those of the last time stay where the store fails."""
        try:
            listing = await self._store.records()
        except DariError as error:
            self._reachable = False
            return [error.message]
        self._reachable = True
        self._damaged = bool(listing.damaged)
        self._silent = tuple(each for each in listing.silent if each != self._config.node_name)
        # A clock that counts a machine's sleep, and that nobody sets.
        self._memory.take(listing, time.clock_gettime(time.CLOCK_BOOTTIME))
        lost = self._memory.problem()
        return [*listing.damaged, lost] if lost else listing.damaged

    async def _join(self, observed: Observed) -> Joined:
        cut_off = self._membership.ranges and not self._reachable
        if self._config.role == ROUTER or cut_off:
            return Joined()
        return await self._membership.join(observed, self._location)

    def _state(
        self, before: State, problems: Sequence[str], joined: Joined, mended: Mended
    ) -> State:
        peers = self._peers()
        problems, waiting = [*problems, *joined.problems], [*joined.waiting, *mended.blocking]
        if self._config.role != ROUTER:
            waiting += self._placeless(peers)
            problems += self._location.problems if self._location.addresses else ()
        if self._memory.records is None:
            waiting.append("the store's first answer")
        sync = Sync(at=time.time(), mended=(*joined.done, *mended.done))
        return State(
            passes=before.passes + 1,
            location=self._location,
            pod_ranges=self._membership.ranges,
            peers=peers,
            joining=tuple(each.name for each in self._others() if each.is_bare_claim),
            routes=self._desired.routes.reached if self._desired.routes else 0,
            mtu=self._desired.mtu,
            store=StoreState(
                reachable=self._reachable, held=self._memory.held, silent=self._silent
            ),
            waiting=tuple(waiting),
            problems=(*problems, *mended.failures),
            last=sync,
            last_mending=sync if sync.mended else before.last_mending,
        )

    def _peers(self) -> tuple[NodeName, ...]:
        return tuple(each.name for each in self._others())

    def _others(self) -> Iterator[NodeRecord]:
        own = "" if self._config.role == ROUTER else self._config.node_name
        return (each for each in self._memory.records or () if each.name != own)

    def _placeless(self, others: Sequence[NodeName]) -> Sequence[str]:
        """Why peers could not reach this node. Alone, a node needs no address."""
        if self._location.addresses:
            return []
        if not self._location.problems and others:
            return ["an address at which the other nodes reach this one"]
        return self._location.problems
