"""One agent among thousands of peers: started, left alone, and told of changes.

The kernel itself tells when a change has arrived, by its notifications.

May import: crowd, harness, members, scenarios, watch, record, dari.netlink.
"""

from __future__ import annotations

import os
import re
import subprocess
import time
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path

from bench.crowd import call_all
from bench.harness import BOUND, BenchFailed, Node, run_ip
from bench.members import (
    CLUSTER,
    UNDERLAY,
    EtcdMembers,
    LocalMembers,
    Members,
    address_of,
    end,
    peer,
)
from bench.scenarios import AGENT_LOG, CONF_DIR, DARI, DARI_FOLDER, bridge_conf, install_dari
from bench.watch import resident_mb
from dari.netlink import constants as c
from dari.netlink.sock import NetlinkSocket
from dari.record import Record
from dari.routing.peer import VXLAN

_PATIENCE = 60.0  # seconds
_POLL = 0.01  # seconds
_CALLERS = 4
_PAUSE = 0.15  # seconds between single changes, so that each comes alone
_REST = 20.0  # seconds without a change: two of the agent's full checks
_CALM = 3.0  # seconds after the start
_TICKS = os.sysconf("SC_CLK_TCK")


class Order(Record):
    """What is measured; see `peers`."""

    store: str
    backend: str
    peers: int
    pods: int
    changes: int
    rate: int
    seconds: float


class Account(Record):
    """What was found.

    Attributes:
        start: seconds.
        changes: milliseconds of each.
        churn, rest: shares of one core.
        memory: MB, with all peers and pods.
        traffic: bytes that came for each change; None: nothing comes by a connection.
    """

    order: Order
    start: float
    changes: tuple[float, ...]
    churn: float
    rest: float
    memory: float
    traffic: float | None


def account(node: Node, order: Order) -> Account:
    """Measure it all on a fresh node.

    Raises:
        BenchFailed: the agent does not do what is waited for.
    """
    stack = ExitStack()
    try:
        work = node.do(_Work, stack, order)
        start = node.do(work.start)
        pods = node.new_pods(order.pods)
        node.do(call_all, "ADD", pods, bridge_conf(masquerade=True), DARI_FOLDER, _CALLERS)
        return node.do(work.finish, start)
    finally:
        node.do(stack.close)


class _Work:
    """On the node's own thread.

    Args:
        stack: ends the agent and the store.
    """

    def __init__(self, stack: ExitStack, order: Order) -> None:
        self._stack = stack
        self._order = order
        self._place = order.peers
        run_ip("address", "add", f"{UNDERLAY[1]}/{UNDERLAY.prefixlen}", "dev", "eth0")
        install_dari()
        self._members: Members = LocalMembers() if order.store == "local" else EtcdMembers(stack)
        numbers = range(1, order.peers + 1)
        self._members.write(peer(number, order.backend) for number in numbers)
        self._agent: subprocess.Popen[bytes] | None = None

    def start(self) -> float:
        """Start the agent; seconds until every peer has a route."""
        before = _prefixes()
        began = time.perf_counter()
        with open(AGENT_LOG, "wb") as log:
            command = [*BOUND, *DARI, "agent", *CONF_DIR, *self._options()]
            agent = self._agent = subprocess.Popen(command, stdout=log, stderr=log)
        self._stack.callback(end, agent)
        _until(lambda: _prefixes() >= before + self._order.peers, "not all peers have a route")
        return time.perf_counter() - began

    def finish(self, start: float) -> Account:
        """All that comes after it."""
        order = self._order
        time.sleep(min(_CALM, order.seconds))
        memory = resident_mb()
        rest = self._share(lambda: time.sleep(min(_REST, order.seconds)))
        changes = tuple(self._timed() for _ in range(order.changes))
        received = self._received()
        churn = self._share(self._churn)
        number = order.rate * order.seconds
        return Account(
            order=order,
            start=start,
            changes=changes,
            churn=churn,
            rest=rest,
            memory=max(memory, resident_mb()),
            traffic=(self._received() - received) / number if order.store != "local" else None,
        )

    def _options(self) -> list[str]:
        return [
            *("--node-name", "measured", "--node-address", str(UNDERLAY[1])),
            *("--cluster-range", str(CLUSTER), "--pod-range", "10.255.0.0/24"),
            *("--backend", self._order.backend, *self._members.options),
        ]

    def _next(self) -> int:
        """A place where no peer is yet."""
        self._place += 1
        return self._place

    def _change(self) -> bytes:
        """Move one peer; its new address, as the kernel will tell it."""
        place = self._next()
        number = place * 7 % self._order.peers + 1
        self._members.write([peer(number, self._order.backend, place)])
        return address_of(place).packed

    def _timed(self) -> float:
        """Milliseconds from a change's writing to its being in the kernel."""
        time.sleep(_PAUSE)
        tunnel = self._order.backend == VXLAN
        group = c.RTNLGRP_NEIGH if tunnel else c.RTNLGRP_IPV4_ROUTE
        kind = c.RTM_NEWNEIGH if tunnel else c.RTM_NEWROUTE
        with NetlinkSocket(c.NETLINK_ROUTE, (group,)) as sock:
            began = time.perf_counter()
            moved = self._change()
            while True:
                if any(each.kind == kind and moved in each.body for each in sock.receive()):
                    return (time.perf_counter() - began) * 1000

    def _churn(self) -> None:
        began, number = time.monotonic(), int(self._order.rate * self._order.seconds)
        for done in range(number):
            self._change()
            pause = began + (done + 1) / self._order.rate - time.monotonic()
            time.sleep(max(pause, 0))

    def _share(self, work: Callable[[], None]) -> float:
        """The agent's share of one core meanwhile."""
        began, before = time.monotonic(), self._processor_seconds()
        work()
        return (self._processor_seconds() - before) / (time.monotonic() - began)

    def _processor_seconds(self) -> float:
        assert self._agent is not None
        words = Path(f"/proc/{self._agent.pid}/stat").read_text().rpartition(")")[2].split()
        return (int(words[11]) + int(words[12])) / _TICKS

    def _received(self) -> int:
        """Bytes that came by the agent's connections."""
        assert self._agent is not None
        told = subprocess.run(["ss", "-tinpOH"], check=True, capture_output=True, text=True).stdout
        return received_in(told, self._agent.pid)


def received_in(told: str, pid: int) -> int:
    """Bytes received by all connections of a process, from what ``ss -tinpOH`` tells. Pure."""
    own = [line for line in told.splitlines() if f"pid={pid}," in line]
    return sum(int(each) for line in own for each in re.findall(r"bytes_received:(\d+)", line))


def _prefixes() -> int:
    """How many routes the main table has."""
    return prefixes_in(Path("/proc/thread-self/net/fib_triestat").read_text())


def prefixes_in(told: str) -> int:
    """The first number of prefixes, which is the main table's. Pure.

    Raises:
        BenchFailed: there is none.
    """
    found = re.search(r"Prefixes:\s+(\d+)", told)
    if found is None:
        raise BenchFailed("the kernel does not tell how many routes it has")
    return int(found[1])


def _until(true: Callable[[], bool], what: str) -> None:
    deadline = time.monotonic() + _PATIENCE
    while not true():
        if time.monotonic() > deadline:
            raise BenchFailed(f"{what}: {Path(AGENT_LOG).read_text(errors='replace')[-2000:]}")
        time.sleep(_POLL)
