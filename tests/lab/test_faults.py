"""Every fault, really broken in a real lab: it shows, its cause is named, and the mend that
is printed mends it when it is run as printed.

A lab for each shape that faults need, and in it one fault after the other. Together the
shapes have a case for each fault, which is checked.
"""

from __future__ import annotations

import random

import pytest

from bench.faults.case import explain, mend
from dari.doctor.checks import examine
from dari.errors import DariError
from dari.lab.faults.catalogue import FAULTS
from dari.lab.faults.desk import Desk
from dari.lab.state import Records, State
from dari.lab.survey import survey
from tests.support.labs import ROOT, Lab, caller, lab

SHAPES = {
    "direct": ("--nodes", "3", "--pods", "2", "--ipv6"),
    "vxlan": ("--nodes", "2", "--pods", "1", "--backend", "vxlan"),
}
_ONLY_VXLAN = [each.name for each in FAULTS.values() if each.needs.backends == ("vxlan",)]
_REST = [name for name in FAULTS if name not in _ONLY_VXLAN]
_ROUNDS = 3  # times that a person would ask the doctor again
CASES = [
    ("vxlan", [*_ONLY_VXLAN, "mtu-underlay", "route-wrong"]),
    *(("direct", _REST[start::2]) for start in range(2)),
]


def opened(built: Lab) -> tuple[State, Desk]:
    records = Records(str(built.caller.base))
    state = records.read(built.name)
    assert state is not None
    return state, Desk(records, state)


def trouble(at: Desk, state: State, name: str) -> str:
    """What is wrong with a fault or with what is said of it; empty where nothing is."""
    exercise = at.choose(name, "", random.Random(name))
    told: set[str] = set()
    try:
        if not at.break_(exercise):
            return "it does not show"
        for _round in range(_ROUNDS):
            findings = examine(survey(state, thorough=True), ()).findings
            findings = findings or tuple(explain(survey(state), state, [exercise]))
            told |= {one.code for one in findings}
            mend(state, findings)
            left = at.check(exercise).wrong
            if not left:
                break
    except DariError as error:
        return error.message
    finally:
        at.mend(exercise)
    if not set(FAULTS[name].codes) & told:
        return f"not named: {sorted(told)}"
    return f"not mended as printed: {left}" if left else ""


@pytest.mark.parametrize(("shape", "names"), CASES)
def test_each_fault_shows_is_named_and_is_mended_by_what_is_printed(
    shape: str, names: list[str]
) -> None:
    with caller(ROOT) as by, lab(by, *SHAPES[shape]) as built:
        state, at = opened(built)
        assert examine(survey(state, thorough=True), ()).findings == ()
        found = {name: trouble(at, state, name) for name in names}
        assert {name: text for name, text in found.items() if text} == {}
        assert at.exercises() == ()


def test_there_is_a_case_for_each_fault() -> None:
    assert {name for _, names in CASES for name in names} == FAULTS.keys()


def test_a_learner_breaks_checks_asks_and_gives_up() -> None:
    with caller(ROOT) as by, lab(by, *SHAPES["vxlan"]) as built:
        at = ("--name", built.name)
        broken = by.run("lab", "break", "--secret", "--level", "1", "--seed", "4", *at)
        assert broken.returncode == 0, broken.stderr
        checked = by.run("lab", "check", "--wait", "2", *at)
        assert checked.returncode == 1
        assert "dari lab check --wait 45" in checked.stdout
        first, second = (by.ok("lab", "hint", *at) for _ in range(2))
        assert first != second
        told = by.ok("lab", "mend", *at)
        (name,) = [each for each in FAULTS if f" {each} " in told]
        for text in (broken.stdout, broken.stderr, first, second):
            assert name not in text
        assert by.run("lab", "check", *at).returncode == 1
        korean = by.ok("--lang", "ko", "lab", "break", "veth-down", "--on", "pod-1-1", *at)
        assert "닿지 못합니다" in korean
        by.ok("lab", "exec", *at, "node1", "--", "sh", "-c", "ip -br link | grep DOWN")
        assert by.run("lab", "break", "veth-down", *at).returncode == 1
        by.ok("lab", "mend", "veth-down", *at)
