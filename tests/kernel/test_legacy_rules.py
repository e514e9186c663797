"""Rules of iptables-legacy, as its own program made them: read as facts, judged, and mended."""

from __future__ import annotations

import shlex

import pytest

from dari.doctor.checks import examine
from dari.paths import Paths
from dari.snapshot.model import Machine
from dari.snapshot.node import read_machine
from dari.tables.facts import Facts
from dari.tables.rules import rules
from tests.support import patient
from tests.support.kernel import run


def legacy(command: str) -> None:
    run(*shlex.split(f"iptables-legacy {command}"))


def node() -> Machine:
    """A healthy node of a cluster of two, with this namespace's own filters."""
    seen = read_machine(Paths()).place
    healthy = patient.machine()
    place = healthy.place.replace(legacy=seen.legacy, legacy_tables=seen.legacy_tables)
    return healthy.replace(place=place)


def found() -> list[tuple[str, str, tuple[str, ...]]]:
    report = examine(patient.snapshot(node()))
    return [(each.code, each.what, each.mend) for each in report.findings]


def mend() -> None:
    for _code, _what, commands in found():
        for each in commands:
            run("sh", "-c", each)


def test_without_such_rules_nothing_is_read_and_no_module_is_asked_for() -> None:
    place = read_machine(Paths()).place
    assert (place.legacy, place.legacy_tables) == ((), ())


@pytest.mark.parametrize(
    ("commands", "code", "seen"),
    [
        (["-P FORWARD DROP"], "DARI-501", "iptables-legacy filter FORWARD (its policy)"),
        (
            ["-A FORWARD -d 192.0.2.0/24 -j ACCEPT", "-A FORWARD -j REJECT"],
            "DARI-501",
            "iptables-legacy filter FORWARD (rule number 2)",
        ),
        (
            ["-N SITE", "-A FORWARD -j SITE", "-A SITE -s 10.244.0.0/16 -o eth+ -j DROP"],
            "DARI-501",
            "iptables-legacy filter SITE (rule number 1)",
        ),
        (
            ["-A INPUT -p tcp -m multiport --dports 22,10250 -j DROP"],
            "DARI-502",
            "iptables-legacy filter INPUT (rule number 1)",
        ),
        (
            ["-t nat -A POSTROUTING -s 10.244.0.0/16 -j MASQUERADE"],
            "DARI-504",
            "iptables-legacy nat POSTROUTING (rule number 1)",
        ),
        (
            ["-t nat -A PREROUTING -d 10.244.2.9/32 -j DNAT --to-destination 10.244.1.250"],
            "DARI-506",
            "iptables-legacy nat PREROUTING (rule number 1)",
        ),
    ],
    ids=["policy", "rejected", "jump", "kubelet", "masquerade", "dnat"],
)
def test_what_they_do_to_pods_is_named_and_the_printed_mend_mends(
    commands: list[str], code: str, seen: str
) -> None:
    for each in commands:
        legacy(each)
    told = found()
    assert {each[0] for each in told} == {code}
    assert all(seen in each[1] for each in told)
    mend()
    assert found() == []


@pytest.mark.parametrize(
    "commands",
    [
        ["-P FORWARD DROP", "-A FORWARD -s 10.244.0.0/16 -j ACCEPT"],
        ["-A FORWARD -m conntrack --ctstate INVALID -j DROP"],
        ["-A FORWARD ! -s 10.244.0.0/16 -m comment --comment '-j ACCEPT' -j DROP"],
        ["-P FORWARD DROP", "-A FORWARD -p tcp --tcp-flags SYN,RST SYN -j ACCEPT"],
        ["-A FORWARD -m limit --limit 5/min -j DROP"],
        ["-A FORWARD -j LOG --log-prefix 'seen -j DROP'"],
        ["-t nat -A POSTROUTING -s 10.244.0.0/16 ! -d 10.244.0.0/16 -j MASQUERADE"],
    ],
    ids=["let-through", "invalid", "others", "unsure", "limited", "logged", "spared"],
)
def test_what_lets_pods_packets_by_or_cannot_be_told_is_no_finding(commands: list[str]) -> None:
    for each in commands:
        legacy(each)
    assert found() == []


def test_they_are_shown_among_the_rules_in_their_own_words_and_noted() -> None:
    legacy("-P FORWARD DROP")
    legacy("-A FORWARD -s 10.244.0.0/16 -m comment --comment 'let pods' -j ACCEPT")
    rows = {row.cells: row.why for row in rules(Facts(node())).rows}
    policy = rows["iptables-legacy filter FORWARD", "policy DROP", "iptables-legacy"]
    assert policy.endswith("what no rule decides about is dropped")
    text = '-A FORWARD -s 10.244.0.0/16 -m comment --comment "let pods" -j ACCEPT'
    assert rows["  FORWARD", text, "iptables-legacy"] == "lets such packets by"
    notes = [each.text for each in examine(patient.snapshot(node())).notes]
    assert (
        "rules of iptables-legacy are in use (iptables filter: 1), which nft does not show" in notes
    )
