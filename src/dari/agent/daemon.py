"""The agent's tasks and what sets them going.

Notifications of the kernel and the store only mark the node dirty. One task waits
for marks, lets a burst settle, and does one pass over everything; a slow pass
makes the next one wait longer, so that no storm of events takes the machine. A
clock marks too: soon where something is wrong without a notification, and now
and then in any case.

Where the store names the nodes whose records changed, and their change can be judged
alone, it is carried out at once, also while a pass over everything has to wait.

May import: errors, model, netlink, store, wiring.host and .names, agent.
"""

from __future__ import annotations

import asyncio
import logging
import os
import signal
import time
from collections.abc import Callable, Sequence, Set
from concurrent.futures import ThreadPoolExecutor
from functools import partial

from dari.agent import events
from dari.agent.config import AgentConfig
from dari.agent.marks import Marks
from dari.agent.reconciler import Reconciler
from dari.agent.service import Service
from dari.agent.state import State
from dari.errors import DariError
from dari.model import NodeName
from dari.netlink.codec import Message
from dari.netlink.constants import NETLINK_NETFILTER, NETLINK_ROUTE
from dari.netlink.deaf import deaf_to
from dari.netlink.sock import NetlinkSocket, Overrun
from dari.paths import Paths
from dari.store.base import Store
from dari.wiring.host import Host
from dari.wiring.names import OWN_LINKS

_SETTLE = 0.05  # seconds that a burst of events is given
_SHARE = 4  # a pass is followed by a rest of at least so many times its length
_LONGEST_REST = 1.0
_GATHER = 0.05  # seconds: a pod's host port need not wake whoever starts the next pod
_BREATH = 0.01  # seconds between looks at single nodes
_GLANCE = 1.0  # seconds between looks at what sends no notification
_SWEEP = 10.0  # seconds between looks for attachments whose DEL never came
_AGAIN = 5.0  # seconds before a broken watch is begun anew

_NETWORK, _FIREWALL, _STORE, _CLOCK, _START = "network", "firewall", "store", "clock", "start"
_DEEP = frozenset({_FIREWALL, _CLOCK, _START})


class Agent:
    """One node's agent.

    Args:
        config: what to do.
        paths: where dari's files are.
        store: the cluster's records.
        log: gets what happens.
    """

    def __init__(
        self, config: AgentConfig, paths: Paths, store: Store, log: logging.Logger
    ) -> None:
        self._config = config
        self._paths = paths
        self._store = store
        self._log = log
        self._marks = Marks()
        self._state = State()
        self._service = Service(config, paths, log, lambda: self._state)

    async def run(self) -> None:
        """Serve until SIGTERM or SIGINT; the data path stays as it is.

        Raises:
            DariError: the agent cannot begin to serve.
        """
        stop = asyncio.Event()
        for number in (signal.SIGTERM, signal.SIGINT):
            asyncio.get_running_loop().add_signal_handler(number, stop.set)
        with ThreadPoolExecutor(1, "kernel") as worker, Host(self._paths, os.environ) as host:
            self._service.start()
            try:
                await self._keep_until(stop, Reconciler(self._config, self._store, host, worker))
            except ExceptionGroup as group:
                raise _first(group) from None
            finally:
                await asyncio.to_thread(self._service.stop)
                await self._store.close()
        self._log.info("stopped", {"data_path": "left running"})

    async def _keep_until(self, stop: asyncio.Event, reconciler: Reconciler) -> None:
        route = (
            NETLINK_ROUTE,
            events.ROUTE_GROUPS,
            lambda message: not reconciler.is_known(message) and events.concerns_network(message),
            _NETWORK,
        )
        nft = (NETLINK_NETFILTER, events.NFTABLES_GROUPS, events.concerns_firewall, _FIREWALL)
        pods = deaf_to(OWN_LINKS)
        neighbours = (
            NETLINK_ROUTE,
            events.NEIGHBOUR_GROUPS if self._config.backend.has_tunnel else (),
            lambda message: (
                events.concerns_tunnel(message, reconciler.tunnels)
                and not reconciler.is_known(message)
            ),
            _NETWORK,
        )
        self._log.info("started", {"node": self._config.node_name, "role": self._config.role})
        async with asyncio.TaskGroup() as group:
            tasks = [
                group.create_task(work)
                for work in (
                    self._listen(*route, deaf=pods),
                    self._listen(*nft, gather=_GATHER),
                    self._listen(*neighbours),
                    self._watch_store(),
                    self._watch_clock(reconciler),
                    self._keep(reconciler),
                    self._sweep_up(),
                )
            ]
            self._marks.mark(_START)
            await stop.wait()
            for task in tasks:
                task.cancel()

    async def _keep(self, reconciler: Reconciler) -> None:
        """The one place from which the node is changed."""
        rested = 0.0
        while True:
            await self._marks.wait(rested)
            # However many nodes change, the pass over everything comes when it is due.
            if not self._marks.is_due(rested):
                await self._update(reconciler, self._marks.take_nodes())
                await asyncio.sleep(_BREATH)
                continue
            reasons = self._marks.take()
            began = time.monotonic()
            self._report(await self._pass(reconciler, deep=bool(reasons & _DEEP)))
            now = time.monotonic()
            rested = now + min(_SHARE * (now - began), _LONGEST_REST)

    async def _update(self, reconciler: Reconciler, names: Set[NodeName]) -> None:
        """Carry out single nodes' changes at once, or have everything looked at."""
        try:
            state = await reconciler.update(self._state, names)
        except Exception:
            # A fault of ours must not end the agent: the pass over everything may go through.
            self._log.exception("fault")
            state = None
        if state is None:
            self._marks.mark(_STORE, _SETTLE)
        elif state is not self._state:
            self._report(state)

    async def _sweep_up(self) -> None:
        """Clear what no DEL came for, now and then."""
        while True:
            await asyncio.sleep(min(_SWEEP, self._config.gc_grace))
            try:
                await asyncio.to_thread(self._service.sweep)
            except DariError as error:
                self._log.warning("not collected", {"trouble": error.message})

    async def _be_heard(self) -> None:
        try:
            await asyncio.to_thread(self._service.be_heard)
        except DariError as error:
            self._log.warning("deaf", {"trouble": error.message})

    async def _pass(self, reconciler: Reconciler, *, deep: bool) -> State:
        try:
            return await reconciler.look_and_mend(self._state, deep=deep)
        except DariError as error:
            trouble = error.message
        except Exception as error:
            # A fault of ours must not end the agent: the next pass may go through.
            self._log.exception("fault")
            trouble = f"internal error: {error!r}; the agent's log has more"
        return self._state.replace(waiting=(trouble,))

    def _report(self, state: State) -> None:
        """Log what changed since the last pass, and take the state over."""
        before, self._state = self._state, state
        self._service.metrics.passed(len(state.last.mended))
        for what in state.last.mended if state.passes != before.passes else ():
            self._log.info("mended", {"what": what})
        known = {*before.waiting, *before.problems}
        for trouble in dict.fromkeys((*state.waiting, *state.problems)):
            if trouble not in known:
                self._log.warning("trouble", {"what": trouble})
        if state.ready != before.ready:
            ranges = list(map(str, state.pod_ranges))
            self._log.info("ready" if state.ready else "not ready", {"pod_ranges": ranges})

    async def _listen(
        self,
        protocol: int,
        groups: Sequence[int],
        concerns: Callable[[Message], bool],
        reason: str,
        *,
        deaf: bytes = b"",
        gather: float = 0.0,
    ) -> None:
        """Turn the kernel's notifications into marks; begin anew where that breaks.

        Args:
            protocol, groups: which notifications.
            concerns: tells those that mean something.
            reason: what to mark then.
            deaf: a program that says which are not for us (`deaf_to`).
            gather: seconds after one in which others may come before they are read.
        """
        while True:
            try:
                with NetlinkSocket(protocol, groups, deaf) as sock:
                    # What happened before the socket was open is seen by this pass.
                    self._marks.mark(reason, _SETTLE)
                    tell = partial(self._marks.mark, reason, _SETTLE)
                    await _drain_for_ever(sock, concerns, tell, gather)
            except DariError as error:
                self._log.warning("watch", {"of": reason, "trouble": error.message})
            await asyncio.sleep(_AGAIN)

    async def _watch_store(self) -> None:
        while True:
            try:
                async for names in self._store.watch():
                    if names is None:
                        self._marks.mark(_STORE, _SETTLE)
                    else:
                        self._marks.mark_nodes(names)
            except DariError as error:
                self._log.warning("watch", {"of": _STORE, "trouble": error.message})
            except Exception:
                # A fault of ours must not end the agent: the next watch may go on.
                self._log.exception("fault")
            await asyncio.sleep(_AGAIN)

    async def _watch_clock(self, reconciler: Reconciler) -> None:
        full = time.monotonic()
        while True:
            await asyncio.sleep(min(_GLANCE, self._config.check_every))
            await self._be_heard()
            if time.monotonic() - full >= self._config.check_every:
                full = time.monotonic()
                self._marks.mark(_CLOCK)
            elif not self._state.ready or await reconciler.damage_is_silent():
                self._marks.mark(_STORE)


def _first(group: BaseExceptionGroup[BaseException]) -> BaseException:
    """The first of the errors that ended the tasks; the others follow from it."""
    first = group.exceptions[0]
    return _first(first) if isinstance(first, BaseExceptionGroup) else first


async def _drain_for_ever(
    sock: NetlinkSocket,
    concerns: Callable[[Message], bool],
    tell: Callable[[], None],
    gather: float,
) -> None:
    """Read notifications as they come, or some at a time.

    Raises:
        DariError: the socket is of no more use.
    """
    loop = asyncio.get_running_loop()
    broken: asyncio.Future[None] = loop.create_future()

    def drain() -> None:
        try:
            while messages := sock.receive(wait=False):
                if any(map(concerns, messages)):
                    tell()
        except Overrun:
            tell()
        except DariError as error:
            if not broken.done():
                broken.set_exception(error)

    def drain_later() -> None:
        loop.remove_reader(sock.fileno())
        loop.call_later(gather, drain_and_go_on)

    def drain_and_go_on() -> None:
        if not broken.done():
            drain()
            loop.add_reader(sock.fileno(), drain_later)

    loop.add_reader(sock.fileno(), drain_later if gather else drain)
    try:
        await broken
    finally:
        loop.remove_reader(sock.fileno())
