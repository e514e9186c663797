"""A record is what a frozen, slotted, keyword-only dataclass is."""

from __future__ import annotations

import pytest

from dari.record import Record


class Named(Record):
    name: str
    size: int = 1


class Placed(Named):
    place: str = "here"


def test_fields_of_the_base_come_first_and_defaults_fill_in() -> None:
    assert repr(Placed(name="a")) == "Placed(name='a', size=1, place='here')"
    assert Placed(name="a", place="there", size=2).place == "there"


@pytest.mark.parametrize(
    ("given", "complaint"),
    [
        ({}, "lacks 'name'"),
        ({"size": 2}, "lacks 'name'"),
        ({"name": "a", "colour": "red"}, "has no colour"),
        ({"name": "a", "size": 1, "place": "x", "colour": "red"}, "has no colour"),
    ],
)
def test_what_is_missing_or_strange_is_named(given: dict[str, object], complaint: str) -> None:
    with pytest.raises(TypeError, match=complaint):
        Placed(**given)  # type: ignore[arg-type]


def test_nothing_can_be_changed_and_a_copy_can_differ() -> None:
    one = Placed(name="a")
    with pytest.raises(AttributeError, match="immutable"):
        one.name = "b"  # type: ignore[misc]
    with pytest.raises(AttributeError, match="immutable"):
        del one.name
    other = one.replace(name="b")
    assert (one.name, other.name, other.place) == ("a", "b", "here")
    assert one == Placed(name="a") != other
    assert len({one, Placed(name="a"), other}) == 2
    assert one != Named(name="a")
