"""The table's text is golden, and its digest follows it."""

from ipaddress import ip_network
from pathlib import Path
from typing import TYPE_CHECKING

from hypothesis import given
from hypothesis import strategies as st

from dari.nft.entries import Masqueraded
from dari.nft.ruleset import masquerade_section
from dari.nft.section import digest, render, replacement

if TYPE_CHECKING:
    from dari.model import IPNetwork

GOLDEN = Path(__file__).parents[2] / "golden" / "nft"
NETWORKS = st.one_of(
    st.ip_addresses(v=4).map(lambda ip: ip_network((ip, 24), strict=False)),
    st.ip_addresses(v=6).map(lambda ip: ip_network((ip, 64), strict=False)),
)


def entry(sources: list[str], spared: list[str]) -> Masqueraded:
    return Masqueraded(
        sources=tuple(map(ip_network, sources)), spared=tuple(map(ip_network, spared))
    )


def test_both_families_as_in_the_golden_text() -> None:
    both = entry(
        ["10.22.0.0/16", "fd00:22::/64"], ["10.22.0.0/16", "10.244.0.0/16", "fd00:22::/64"]
    )
    assert render([masquerade_section(both)]) == (GOLDEN / "masquerade-both.nft").read_text()


def test_nothing_masqueraded_as_in_the_golden_text() -> None:
    assert (
        render([masquerade_section(Masqueraded())])
        == (GOLDEN / "masquerade-nothing.nft").read_text()
    )


def test_a_replacement_deletes_the_table_first_and_carries_the_digest() -> None:
    section = masquerade_section(Masqueraded())
    lines = replacement([section], {}).splitlines()
    assert lines[:2] == ["table inet dari", "delete table inet dari"]
    assert f'\t\tcomment "{digest(section.text)}"' in lines


@given(st.lists(NETWORKS), st.lists(NETWORKS))
def test_merging_is_commutative_and_idempotent(
    left: "list[IPNetwork]", right: "list[IPNetwork]"
) -> None:
    one = Masqueraded(sources=tuple(left), spared=tuple(right))
    two = Masqueraded(sources=tuple(right), spared=tuple(left))
    assert one.merged(two) == two.merged(one)
    assert one.merged(two).merged(two) == one.merged(two)
    assert masquerade_section(one.merged(two)) == masquerade_section(two.merged(one))
