"""Host ports as rules: golden text, elements, and conditions that never pass words on."""

from ipaddress import ip_address, ip_network
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dari.errors import BadConfig, DariError, UnsupportedField
from dari.model import ContainerId, InterfaceName, Owner
from dari.nft.conditions import parse_conditions
from dari.nft.forwarded import forward_section
from dari.nft.hostports import claim, read_claims, read_groups, release
from dari.nft.hostrules import Claim, Group, hostport_elements, hostport_section
from dari.nft.section import changes, merged, render, without
from dari.paths import Paths

GOLDEN = Path(__file__).parents[2] / "golden" / "nft"
FOUR = Group(version=4, sources=(ip_network("10.22.0.0/16"), ip_network("127.0.0.0/8")))
SIX = Group(version=6, conditions='iifname != "wg0"', bit=20)


def a_claim(port: int = 8080, at: str = "0.0.0.0/0", container: str = "c1") -> Claim:
    return Claim(
        owner=Owner(container_id=ContainerId(container), ifname=InterfaceName("eth0")),
        network="mynet",
        protocol="tcp",
        port=port,
        at=ip_network(at),
        to=ip_address("10.22.0.2" if "." in at else "fd22::2"),
        to_port=80,
        group=FOUR if "." in at else SIX,
    )


def test_all_sections_as_in_the_golden_text() -> None:
    text = render([hostport_section((FOUR, SIX)), forward_section()])
    assert text == (GOLDEN / "hostports-and-firewall.nft").read_text()


def test_a_port_at_one_address_and_at_all_of_them() -> None:
    name = FOUR.suffix
    assert hostport_elements([a_claim(), a_claim(81, "192.0.2.1/32"), a_claim(82, "::/0")]) == {
        f"anywhere{name}": ("tcp . 8080 : 10.22.0.2 . 80",),
        f"hairpin_any{name}": ("tcp . 8080",),
        f"somewhere{name}": ("192.0.2.1 . tcp . 81 : 10.22.0.2 . 80",),
        f"hairpin_some{name}": ("192.0.2.1 . tcp . 81",),
        f"anywhere{SIX.suffix}": ("tcp . 82 : fd22::2 . 80",),
    }


def test_changes_take_out_before_they_put_in() -> None:
    text = changes({"a": ("1", "2")}, {"b": ("3",), "c": ()})
    assert text.splitlines() == [
        "delete element inet dari b { 3 }",
        "add element inet dari a { 1, 2 }",
    ]
    assert merged([{"a": ("1",)}, {"a": ("1", "2")}]) == {"a": ("1", "2")}
    assert without({"a": ("1", "2")}, {"a": ("1",)}) == {"a": ("2",)}


@given(
    st.lists(st.tuples(st.integers(1, 65535), st.sampled_from(["0.0.0.0/0", "::/0"])), max_size=5)
)
def test_files_give_back_what_was_written(
    tmp_path_factory: pytest.TempPathFactory, wanted: list[tuple[int, str]]
) -> None:
    paths = Paths(run=str(tmp_path_factory.mktemp("run")))
    claims = tuple(a_claim(*each) for each in dict.fromkeys(wanted))
    assert claim(paths, claims) == ()
    assert set(read_claims(paths)) == set(claims)
    assert {each.group for each in claims} == set(read_groups(paths))
    lost = release(paths, a_claim().owner, [("tcp", port) for port, _ in wanted])
    assert set(lost) == set(claims)
    assert read_claims(paths) == ()


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        ([], ""),
        (["!", "-d", "192.0.2.0/24"], "ip daddr != 192.0.2.0/24"),
        (["-s", "10.0.0.7"], "ip saddr 10.0.0.7/32"),
        (["-i", "eth+", "--source", "10.0.0.0/8"], 'iifname "eth*" ip saddr 10.0.0.0/8'),
        (["ip", "daddr", "!=", "192.0.2.0/24"], "ip daddr != 192.0.2.0/24"),
        (["iifname", "!=", '"wg0"'], 'iifname != "wg0"'),
    ],
)
def test_conditions_in_either_language(words: list[object], expected: str) -> None:
    assert parse_conditions(words, 4, "conditionsV4") == expected
    assert parse_conditions(expected.split(), 4, "again") == expected


@pytest.mark.parametrize(
    ("words", "error"),
    [
        (["-p", "tcp"], UnsupportedField),
        (["ip6", "saddr", "fd00::/8"], UnsupportedField),
        (["saddr", "10.0.0.0/8"], UnsupportedField),
        (["ip", "protocol", "tcp"], UnsupportedField),
        (["!"], DariError),
        (["-d"], BadConfig),
        (["-d", "somewhere"], BadConfig),
        (["-i", "x; flush ruleset"], BadConfig),
    ],
)
def test_what_cannot_be_said_is_refused(words: list[object], error: type[DariError]) -> None:
    with pytest.raises(error):
        parse_conditions(words, 4, "conditionsV4")


TOKENS = st.sampled_from(
    ["!", "!=", "==", "-s", "-d", "-i", "ip", "ip6", "saddr", "daddr", "iifname", "10.0.0.0/8"]
)


@given(st.lists(TOKENS | st.text(max_size=8) | st.integers(), max_size=6))
def test_any_words_are_conditions_or_a_clear_error(words: list[object]) -> None:
    try:
        text = parse_conditions(words, 4, "conditionsV4")
    except DariError as error:
        assert error.code in (2, 7)
    else:
        assert parse_conditions(text.split(), 4, "again") == text
        assert not set(text) & set(";{}#\n\\$")
