"""Values that no configuration should hold, for property tests of what reads one."""

from __future__ import annotations

from hypothesis import strategies as st

SCALARS = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(),
    st.floats(),
    st.text(max_size=12),
    st.sampled_from(["", ".", "..", "/", "\0", "\n", "10.0.0.1/24", "fd00::1%eth0/64", "é" * 9]),
)
JUNK = st.recursive(
    SCALARS,
    lambda inner: st.one_of(
        st.lists(inner, max_size=3), st.dictionaries(st.text(max_size=6), inner, max_size=3)
    ),
    max_leaves=8,
)


def junk_for(*keys: str) -> st.SearchStrategy[dict[str, object]]:
    """Objects that hold some of these keys, with anything as their values."""
    return st.dictionaries(st.sampled_from(keys), JUNK)
