"""What is gathered of several changes comes to the same as one change after the other."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from dari.nft.changes import Changes
from dari.nft.section import Section

SECTION = Section(chain="hostports", uses=1, text="")
ELEMENTS = st.dictionaries(
    st.sampled_from(["pods4", "anywhere4"]),
    st.sets(st.sampled_from(["a", "b", "c"]), min_size=1).map(lambda found: tuple(sorted(found))),
)


def after(kernel: set[tuple[str, str]], text: str) -> set[tuple[str, str]]:
    """What a kernel's sets hold after a transaction; an element that is not there is refused."""
    for line in text.splitlines():
        verb, _, _, _, name, *rest = line.split()
        named = {(name, each.strip()) for each in " ".join(rest).strip("{} ").split(",")}
        assert verb == "add" or named <= kernel
        kernel = kernel | named if verb == "add" else kernel - named
    return kernel


@given(st.lists(st.tuples(ELEMENTS, ELEMENTS), max_size=4))
def test_together_they_do_what_they_would_one_by_one(
    several: list[tuple[dict[str, tuple[str, ...]], dict[str, tuple[str, ...]]]],
) -> None:
    before = {(name, each) for name in ("pods4", "anywhere4") for each in ("a", "b", "c")}
    gathered, expected = Changes(), before
    for gained, lost in several:
        gathered.change(SECTION, gained, lost)
        expected = expected - {(name, each) for name, named in lost.items() for each in named}
        expected |= {(name, each) for name, named in gained.items() for each in named}
    if not gathered.whole:
        assert after(before, gathered.text) == expected


def test_what_came_and_goes_again_in_one_call_is_left_to_the_files() -> None:
    gathered = Changes()
    gathered.change(SECTION, {"pods4": ("a",)}, {})
    assert not gathered.whole
    gathered.change(SECTION, {}, {"pods4": ("a",)})
    assert gathered.whole
