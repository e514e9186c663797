from __future__ import annotations

from ipaddress import ip_address

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dari.agent.memory import Memory
from dari.model import NodeName
from dari.store.base import Listing
from dari.store.record import NodeRecord

OWN = NodeName("node1")
GRACE = 600.0


def record(name: str, address: str = "192.168.0.9", updated: float = 10.0) -> NodeRecord:
    return NodeRecord(name=NodeName(name), addresses=(ip_address(address),), updated=updated)


def listing(*records: NodeRecord, revision: int = 0, origin: str = "") -> Listing:
    return Listing(records=records, revision=revision, origin=origin)


def settled(*others: NodeRecord, revision: int = 50, origin: str = "a") -> Memory:
    """A memory that has written its own record and seen it with the others'."""
    memory = Memory(OWN, GRACE, lambda: 1000)
    memory.take(listing(record("node1"), *others, revision=revision, origin=origin), 0)
    memory.wrote(record("node1"))
    return memory


def names(memory: Memory) -> list[str]:
    return [each.name for each in memory.records or ()]


def test_before_the_first_answer_nothing_is_known() -> None:
    memory = Memory(OWN, GRACE)
    assert memory.records is None
    memory.take(listing(), 0)
    assert memory.records == ()


def test_a_node_that_is_removed_is_forgotten_at_once() -> None:
    memory = settled(record("node2"), record("node3"))
    memory.take(listing(record("node1"), record("node3"), revision=51, origin="a"), 1)
    assert names(memory) == ["node1", "node3"]
    assert memory.problem() == ""


def test_all_others_may_be_removed_while_the_store_keeps_what_this_node_wrote() -> None:
    memory = settled(record("node2"), record("node3"))
    memory.take(listing(record("node1"), revision=60, origin="a"), 1)
    assert names(memory) == ["node1"]


def test_a_store_that_comes_back_empty_removes_nobody() -> None:
    memory = settled(record("node2"), record("node3"))
    memory.take(listing(revision=51, origin="a"), 5)
    assert names(memory) == ["node2", "node3"]
    assert memory.held == ("node2", "node3")
    assert memory.problem() == (
        "the store lost what this node wrote; until 1970-01-01T00:26:40Z, or until they write "
        "themselves anew, these nodes are taken to be as they were: node2, node3"
    )


def test_a_store_restored_from_a_backup_is_told_by_its_count() -> None:
    memory = settled(record("node2"), record("node3"))
    memory.take(listing(record("node1"), record("node2"), revision=20, origin="a"), 1)
    assert names(memory) == ["node1", "node2", "node3"]
    assert "went back from revision 50 to 20" in memory.problem()


def test_a_store_restored_as_another_cluster_is_told_though_it_counted_further() -> None:
    memory = settled(record("node2"))
    memory.take(listing(record("node1"), revision=900, origin="b"), 1)
    assert memory.held == ("node2",)
    assert "another one" in memory.problem()


def test_an_older_record_does_not_take_the_place_of_a_newer_one() -> None:
    memory = settled(record("node2", "192.168.0.22", updated=30))
    old = record("node2", "192.168.0.2", updated=5)
    memory.take(listing(record("node1"), old, revision=20, origin="a"), 1)
    assert str((memory.records or ())[1].addresses[0]) == "192.168.0.22"


def test_a_node_that_writes_itself_anew_is_believed() -> None:
    memory = settled(record("node2", updated=30), record("node3"))
    memory.take(listing(revision=3, origin="b"), 1)
    moved = record("node2", "192.168.0.77", updated=31)
    memory.take(listing(record("node1"), moved, revision=5, origin="b"), 2)
    assert str((memory.records or ())[1].addresses[0]) == "192.168.0.77"
    assert memory.held == ("node3",)


def test_after_the_stated_time_the_store_is_believed() -> None:
    memory = settled(record("node2"))
    empty = listing(revision=3, origin="b")
    memory.take(empty, 1)
    memory.wrote(record("node1"))
    back = listing(record("node1"), revision=4, origin="b")
    memory.take(back, GRACE)
    assert memory.held == ("node2",)
    memory.take(back, GRACE + 1)
    assert names(memory) == ["node1"]
    assert memory.problem() == ""


def test_a_second_loss_does_not_begin_the_time_anew() -> None:
    memory = settled(record("node2"))
    memory.take(listing(revision=3, origin="b"), 1)
    memory.take(listing(revision=1, origin="c"), 500)
    memory.take(listing(revision=2, origin="c"), 602)
    assert memory.held == ()


def test_a_router_that_writes_nothing_goes_by_the_count() -> None:
    memory = Memory(NodeName(""), GRACE)
    memory.take(listing(record("node2"), revision=9, origin="a"), 0)
    memory.take(listing(revision=4, origin="a"), 1)
    assert memory.held == ("node2",)


def test_many_nodes_are_named_in_part() -> None:
    memory = settled(*(record(f"other{number}") for number in range(30)))
    memory.take(listing(revision=1, origin="a"), 1)
    assert memory.problem().endswith("other1, other10, other11, other12 and 25 more")


SETS = st.lists(
    st.tuples(
        st.sets(st.integers(1, 6)), st.integers(0, 30), st.sampled_from("ab"), st.integers(0, 400)
    ),
    max_size=12,
)


@given(SETS)
@settings(max_examples=200, deadline=None)
def test_whatever_the_store_says_its_own_records_are_all_there_and_nobody_stays_for_ever(
    answers: list[tuple[set[int], int, str, int]],
) -> None:
    memory, now = Memory(OWN, GRACE), 0.0
    for members, revision, origin, later in answers:
        now += later
        records = [record(f"node{number}", updated=now) for number in sorted(members)]
        memory.take(listing(*records, revision=revision, origin=origin), now)
        assert {each.name for each in records} <= set(names(memory))
        assert set(memory.held) <= set(names(memory)) - {each.name for each in records}
        assert (memory.problem() == "") == (memory.held == ())
    final = listing(revision=100, origin=answers[-1][2] if answers else "a")
    memory.take(final, now + GRACE)
    memory.take(final, now + 2 * GRACE)
    assert names(memory) == []


def test_one_nodes_change_is_taken_alone() -> None:
    memory = settled(record("node2"), record("node3"), revision=50)
    moved = record("node3", "192.168.0.33", 11)
    two, three, four = NodeName("node2"), NodeName("node3"), NodeName("node4")
    changed = memory.take_some({two, three, four}, listing(moved, revision=51, origin="a"))
    assert changed == {two: None, three: moved}
    assert names(memory) == ["node1", "node3"]
    assert not memory.knows({two}) and memory.knows({three})
    assert memory.take_some({three}, listing(moved, revision=52, origin="a")) == {}


def test_the_own_record_is_of_no_account_while_it_is_what_this_node_wrote() -> None:
    memory = settled(record("node2"))
    again = record("node1", updated=99)
    assert memory.take_some({OWN}, listing(again, revision=50, origin="a")) == {}
    lost = record("node1", "192.168.0.77")
    assert memory.take_some({OWN}, listing(lost, revision=51, origin="a")) is None
    assert memory.take_some({OWN}, listing(revision=51, origin="a")) is None


@pytest.mark.parametrize(
    "answer",
    [
        listing(record("node2"), revision=49, origin="a"),
        listing(record("node2"), revision=60, origin="b"),
        listing(record("node2", updated=9.0), revision=60, origin="a"),
        Listing(damaged=("node2: no record",), revision=60, origin="a"),
    ],
    ids=["counted less far", "another store", "older", "damaged"],
)
def test_what_is_doubtful_is_left_to_a_look_at_all_records(answer: Listing) -> None:
    memory = settled(record("node2"), record("node3"), revision=50)
    assert memory.take_some({NodeName("node2")}, answer) is None
    assert names(memory) == ["node1", "node2", "node3"]


def test_while_nodes_are_held_and_before_the_first_answer_nothing_is_taken_alone() -> None:
    two = NodeName("node2")
    fresh = listing(record("node2", updated=20), revision=60, origin="a")
    assert Memory(OWN, GRACE).take_some({two}, fresh) is None
    memory = settled(record("node2"), record("node3"))
    memory.take(listing(revision=51, origin="a"), 1000)
    assert memory.take_some({two}, fresh) is None
