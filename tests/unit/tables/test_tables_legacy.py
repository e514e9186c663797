"""iptables-save's lines as nft's statements: those that are known, and any others."""

from __future__ import annotations

from collections.abc import Mapping

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dari.snapshot.legacy import MOST_RULES, parse_saved
from dari.snapshot.model import LegacyTable
from dari.tables.legacy import as_ruleset, statements_of
from dari.tables.ruleset import Ruleset
from dari.tables.words import statement_words

_CHAINS: Mapping[str, str] = {"FORWARD": "DROP", "KUBE-SVC": ""}


def words(text: str, program: str = "iptables") -> str:
    return statement_words(statements_of(program, text, _CHAINS)[1])


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("-A FORWARD -s 10.0.0.0/8 -j ACCEPT", "ip saddr 10.0.0.0/8 accept"),
        ("-A FORWARD ! -d 10.0.0.1/32 -j DROP", "ip daddr != 10.0.0.1/32 drop"),
        ("-A FORWARD -i eth+ -o cni0 -j RETURN", "iifname eth* oifname cni0 return"),
        (
            "-A FORWARD -p tcp -m tcp --dport 80:90 -j REJECT",
            "meta l4proto tcp tcp dport { 80-90 }",
        ),
        ("-A FORWARD -m mark --mark 0x1/0x3 -j KUBE-SVC", "meta mark & 3 1 jump KUBE-SVC"),
        ("-A FORWARD -m conntrack --ctstate NEW -g KUBE-SVC", "ct state new goto KUBE-SVC"),
        ("-A FORWARD -m addrtype --dst-type LOCAL -j ACCEPT", "fib daddr type local accept"),
        ("-A FORWARD --tcp-flags SYN,RST SYN -j DROP", "(iptables: tcp-flags) drop"),
        ("-A FORWARD -m set --match-set evil src -j DROP", "(iptables: match-set) drop"),
        ("-A FORWARD -s 10.0.0.1/255.0.255.0 -j DROP", "(iptables: s) drop"),
        ("-A FORWARD -j MYMODULE --option", "(iptables: MYMODULE)"),
        ('-A FORWARD -m comment --comment "-j DROP" -j ACCEPT', "accept"),
    ],
)
def test_known_options_become_statements_and_others_extensions(text: str, expected: str) -> None:
    assert words(text).startswith(expected)


@pytest.mark.parametrize(
    ("text", "program", "expected"),
    [
        ("-A X -j DNAT --to-destination 10.0.0.2:80", "iptables", "dnat to 10.0.0.2:80"),
        ("-A X -j DNAT --random --to-destination [fd00::2]:80", "ip6tables", "dnat to fd00::2:80"),
        ("-A X -j SNAT --to-source 192.0.2.1-192.0.2.9", "iptables", "snat to 192.0.2.1"),
        ("-A X -p tcp -j REDIRECT --to-ports 8080", "iptables", "redirect to :8080"),
    ],
)
def test_what_is_rewritten_is_told_with_its_target(text: str, program: str, expected: str) -> None:
    assert words(text, program).endswith(expected)


def test_a_saved_table_is_read_and_its_rules_are_counted_by_chain() -> None:
    saved = "*filter\n:INPUT ACCEPT [0:0]\n:FORWARD DROP [1:2]\n:SITE - [0:0]\n"
    saved += "-A FORWARD -j SITE\n-A SITE -j RETURN\n-A SITE -j DROP\nCOMMIT\n"
    (table,) = parse_saved("iptables", "filter", saved)
    assert table.policies == {"INPUT": "ACCEPT", "FORWARD": "DROP", "SITE": ""}
    found = Ruleset(as_ruleset([table]))
    (chain,) = found.chains("forward", 4)
    assert (chain.table, chain.policy) == ("iptables-legacy filter", "drop")
    rules = found.rules("ip", chain.table, "SITE")
    assert [each.handle for each in rules] == [1, 2]


def test_a_table_with_too_many_rules_is_left_out() -> None:
    saved = ":FORWARD DROP [0:0]\n" + "-A FORWARD -j ACCEPT\n" * (MOST_RULES + 1)
    assert list(parse_saved("iptables", "filter", saved)) == []


@given(st.text(max_size=80), st.sampled_from(["iptables", "ip6tables"]))
def test_any_text_at_all_becomes_statements(text: str, program: str) -> None:
    for each in (text, f"-A FORWARD {text}", f"-A FORWARD -s {text} --mark {text} -j DROP"):
        statement_words(statements_of(program, each, _CHAINS)[1])


@given(st.text(max_size=200))
def test_any_text_is_a_table_or_none(text: str) -> None:
    for table in parse_saved("iptables", "nat", text):
        assert isinstance(table, LegacyTable)
        Ruleset(as_ruleset([table]))
