"""Thousands of peers that are only records: what they cost the agent of one node.

May import: figures, members, peerwork, sizes, record, dari.routing.
"""

from __future__ import annotations

from collections.abc import Sequence
from statistics import median

from bench.figures import Section, at_most
from bench.harness import Node
from bench.peerwork import Account, Order, account
from bench.quiet import settle
from bench.sizes import Setup
from dari.routing.peer import DIRECT, VXLAN

START_BUDGET = 1.0  # seconds
CHANGE_BUDGET = 10.0  # ms, of the median
MEMORY_BUDGET = 64.0  # MB
RATE = 100  # changes a second
NOTE = (
    "Records of peers that do not run; the agent is real, and so is all that it puts into the "
    "kernel. Start: from starting the process to the last route. One change: from writing a "
    "record with another address to the kernel's notification, median (most) of {changes}. "
    "Churn: {rate} changes a second for {seconds:g} s, the agent's share of one core. At rest: "
    "the same while nothing changes. Watch traffic: what the agent received, by change."
)


def measure(setup: Setup) -> list[Section]:
    """Each store with each backend, on nodes of their own.

    Raises:
        BenchFailed: the agent does not do what is waited for.
    """
    sizes = setup.sizes
    orders = [
        Order(
            store=store,
            backend=backend,
            peers=sizes.peers,
            pods=sizes.pods if store == "local" else 0,
            changes=sizes.changes,
            rate=RATE,
            seconds=sizes.churn,
        )
        for store, backend in (("local", DIRECT), ("local", VXLAN), ("etcd", VXLAN))
    ]
    found = []
    for done, order in enumerate(orders, start=1):
        found.append(_account(order))
        setup.say(f"{sizes.peers} peers", done, len(orders))
    return [section(found)]


def _account(order: Order) -> Account:
    settle()
    node = Node()
    try:
        return account(node, order)
    finally:
        node.close()


def section(accounts: Sequence[Account]) -> Section:
    """The table. Pure."""
    order = accounts[0].order
    return Section(
        key="peers",
        title=f"{order.peers:,} nodes",
        headings=(
            "",
            *(f"{each.order.store}, {each.order.backend}" for each in accounts),
            "budget",
        ),
        lines=tuple(_lines(accounts)),
        note=NOTE.format(changes=order.changes, rate=order.rate, seconds=order.seconds),
        facts=[_fact(each) for each in accounts],
    )


def _lines(accounts: Sequence[Account]) -> list[tuple[str, ...]]:
    worst_start = max(each.start for each in accounts)
    worst_change = max(median(each.changes) for each in accounts)
    worst_memory = max(each.memory for each in accounts)
    pods = max(each.order.pods for each in accounts)
    return [
        (
            "all peers in the kernel at start",
            *(f"{each.start:.2f} s" for each in accounts),
            at_most(worst_start, START_BUDGET, "s"),
        ),
        (
            "one peer's change",
            *(f"{median(each.changes):.1f} ({max(each.changes):.1f}) ms" for each in accounts),
            at_most(worst_change, CHANGE_BUDGET, "ms"),
        ),
        ("churn", *(f"{each.churn:.0%}" for each in accounts), ""),
        ("at rest", *(f"{each.rest:.1%}" for each in accounts), ""),
        (
            f"memory (local: and {pods:,} pods)",
            *(f"{each.memory:.1f} MB" for each in accounts),
            at_most(worst_memory, MEMORY_BUDGET, "MB"),
        ),
        (
            "watch traffic",
            *("" if each.traffic is None else f"{each.traffic:.0f} bytes" for each in accounts),
            "",
        ),
    ]


def _fact(found: Account) -> dict[str, object]:
    order = found.order
    return {
        "store": order.store,
        "backend": order.backend,
        "peers": order.peers,
        "pods": order.pods,
        "start_s": round(found.start, 4),
        "changes_ms": [round(each, 3) for each in found.changes],
        "churn_share": round(found.churn, 4),
        "rest_share": round(found.rest, 4),
        "memory_mb": round(found.memory, 2),
        "watch_bytes_per_change": None if found.traffic is None else round(found.traffic, 1),
    }
