"""Two machines of one name: who notices, and who gives way."""

from __future__ import annotations

from ipaddress import ip_address

from dari.agent.namesake import Namesake
from dari.model import NodeName
from dari.store.record import NodeRecord


def record(number: int, mac: int | None = None) -> NodeRecord:
    return NodeRecord(
        name=NodeName("node1"),
        addresses=(ip_address(f"192.168.0.{number}"),),
        mac=f"02:00:00:00:00:{mac or number:02x}",
    )


def test_a_node_alone_has_no_namesake_whatever_it_writes() -> None:
    one = Namesake()
    one.saw(None, 0)
    one.wrote(record(1), None)
    one.saw(record(1), 1)
    one.saw(None, 2)
    one.wrote(record(2, mac=1), record(1))  # its address changed
    one.saw(record(1), 3)  # and the store went back
    assert one.problem(4) == "" and not one.gives_way(record(1))


def test_a_node_back_on_another_machine_is_no_namesake_of_the_one_that_is_gone() -> None:
    new = Namesake()
    new.saw(record(1), 0)
    new.wrote(record(2), record(1))
    new.saw(record(2), 1)
    assert new.problem(2) == "" and not new.gives_way(record(2))


def test_the_one_that_was_there_stays_and_tells_and_the_other_gives_way() -> None:
    first, second = Namesake(), Namesake()
    first.wrote(record(1), None)
    second.wrote(record(2), record(1))
    first.saw(record(2), 10)
    assert not first.gives_way(record(2))
    assert first.problem(11) == (
        "another machine goes by the name node1 too, at 192.168.0.2 "
        "(MAC 02:00:00:00:00:02): give one of them another --node-name"
    )
    assert first.problem(100) == "", "it has not come again"
    first.wrote(record(1), record(2))
    second.saw(record(1), 10)
    assert second.gives_way(record(1)) and "192.168.0.1" in second.problem(11)
    assert not second.gives_way(None), "once the first is gone, the second may have the name"


def test_of_two_that_came_at_once_the_one_with_the_larger_mac_gives_way_in_the_end() -> None:
    low, high = Namesake(), Namesake()
    low.wrote(record(1), None)
    high.wrote(record(2), None)
    for moment in range(3):
        low.saw(record(2), moment)
        high.saw(record(1), moment)
    assert high.gives_way(record(1)) and not low.gives_way(record(2))
