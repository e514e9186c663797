"""When a node says what of itself, and what it does where the store does not take it."""

from __future__ import annotations

import asyncio
from ipaddress import ip_address
from pathlib import Path

import pytest

from dari.agent.config import AgentConfig, read_config
from dari.agent.location import Location
from dari.agent.membership import Joined, Membership
from dari.agent.memory import Memory
from dari.agent.observe import Observed
from dari.agent.options import Given
from dari.errors import IOFailure
from dari.paths import Paths
from dari.store.local import LocalStore
from dari.store.record import NodeRecord

NOTHING = Observed()
HERE, THERE = (
    Location(addresses=(ip_address(each),), mac="0a:00:00:00:00:01")
    for each in ("192.0.2.1", "192.0.2.2")
)


class Broken(LocalStore):
    """A store that is read but takes nothing."""

    async def put(self, record: NodeRecord) -> None:
        raise IOFailure("write the record: No space left on device")


def configured() -> AgentConfig:
    given = {"node-name": "node1", "pod-range": "10.1.0.0/24"}
    settings = {key: Given(value=value, label=key) for key, value in given.items()}
    return read_config(settings, Paths(), "node1", "6.1")


class Node:
    """One that has just been started, and has read the store."""

    def __init__(self, store: LocalStore) -> None:
        self.store, self.config = store, configured()
        memory = Memory(self.config.node_name, 60.0)
        memory.take(asyncio.run(store.records()), 0.0)
        self.membership = Membership(self.config, store, memory)

    def join(self, location: Location) -> Joined:
        return asyncio.run(self.membership.join(NOTHING, location))

    def addresses(self) -> list[str]:
        """What the store says of where it is."""
        [record] = asyncio.run(self.store.records()).records
        return [str(each) for each in record.addresses]


@pytest.fixture
def store(tmp_path: Path) -> LocalStore:
    return LocalStore(str(tmp_path))


def test_a_range_is_claimed_before_it_is_used(store: LocalStore) -> None:
    node = Node(store)
    joined = node.join(HERE)
    assert (joined.done, joined.untold) == (("wrote this node's record",), None)
    assert node.addresses() == ["192.0.2.1"]
    assert node.membership.ranges == node.config.pod_ranges


def test_what_else_is_new_is_told_when_the_node_is_so(store: LocalStore) -> None:
    Node(store).join(HERE)
    node = Node(store)
    joined = node.join(THERE)
    assert node.addresses() == ["192.0.2.1"]
    assert node.membership.ranges == node.config.pod_ranges
    assert joined.untold is not None
    told = asyncio.run(node.membership.tell(joined.untold))
    assert told == Joined(done=("wrote this node's record",))
    assert node.addresses() == ["192.0.2.2"]


def test_a_store_that_takes_nothing_keeps_a_new_node_waiting(tmp_path: Path) -> None:
    node = Node(Broken(str(tmp_path)))
    joined = node.join(HERE)
    assert "No space left" in joined.waiting[0]
    assert not node.membership.ranges


def test_a_store_that_takes_nothing_is_only_a_problem_where_the_range_is_held(
    tmp_path: Path,
) -> None:
    Node(LocalStore(str(tmp_path))).join(HERE)
    node = Node(Broken(str(tmp_path)))
    joined = node.join(THERE)
    assert joined.untold is not None
    told = asyncio.run(node.membership.tell(joined.untold))
    assert "No space left" in told.problems[0] and not told.waiting
    assert node.membership.ranges == node.config.pod_ranges
