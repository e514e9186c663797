"""The routes of an ipam section."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dari.errors import BadConfig
from dari.ipam.routes import parse_routes


def test_every_field_is_read_and_unknown_ones_are_kept() -> None:
    (route,) = parse_routes(
        {
            "routes": [
                {
                    "dst": "10.9.0.0/16",
                    "gw": "10.22.0.1",
                    "mtu": 1400,
                    "advmss": 1360,
                    "priority": 7,
                    "table": 100,
                    "scope": 0,
                    "colour": "blue",
                }
            ]
        }
    )
    assert (str(route.dst), str(route.gw)) == ("10.9.0.0/16", "10.22.0.1")
    assert (route.mtu, route.advmss, route.priority) == (1400, 1360, 7)
    assert (route.table, route.scope, route.extra) == (100, 0, {"colour": "blue"})


def test_a_route_needs_no_gateway() -> None:
    first, second = parse_routes({"routes": [{"dst": "0.0.0.0/0"}, {"dst": "::/0", "gw": ""}]})
    assert (first.gw, second.gw, first.table) == (None, None, None)


def test_there_may_be_none() -> None:
    assert parse_routes({}) == parse_routes({"routes": None}) == ()


@pytest.mark.parametrize(
    "routes", ["x", [1], [{}], [{"dst": "x"}], [{"dst": "::/0", "gw": 1}], [{"dst": "fe80::%a/9"}]]
)
def test_what_is_wrong_is_bad_config(routes: object) -> None:
    with pytest.raises(BadConfig):
        parse_routes({"routes": routes})


@settings(deadline=None)
@given(
    st.lists(
        st.dictionaries(
            st.sampled_from(["dst", "gw", "mtu", "advmss", "priority", "table", "scope", "x"]),
            st.one_of(
                st.none(),
                st.booleans(),
                st.integers(),
                st.floats(),
                st.text(max_size=6),
                st.just("10.0.0.0/8"),
                st.lists(st.integers(), max_size=2),
            ),
        ),
        max_size=3,
    )
)
def test_hostile_routes_are_routes_or_bad_config(routes: list[dict[str, object]]) -> None:
    try:
        assert len(parse_routes({"routes": routes})) == len(routes)
    except BadConfig as refused:
        assert refused.code == 7
