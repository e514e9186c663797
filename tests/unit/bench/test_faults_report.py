"""What is written down of the measure of the doctor and explain."""

from __future__ import annotations

import json

from bench.faults import report
from bench.faults.agreement import Agreement
from bench.faults.case import Case


def written(*lines: report.Line) -> str:
    return "".join(f"{json.dumps(one)}\n" for one in lines)


def case(fault: str, **fields: object) -> report.Line:
    return report.line("alone", Case(shape="vxlan", faults=(fault,), **fields))  # type: ignore[arg-type]


def test_of_a_case_that_was_measured_again_the_newest_counts() -> None:
    missed = case("route-wrong", named=("",), mended=(True,))
    found = case("route-wrong", named=("doctor",), mended=(True,))
    other = case("route-missing", named=("doctor",), mended=(True,))
    assert report.read(written(missed, other, found)) == [other, found]


def test_healthy_labs_of_one_shape_are_several() -> None:
    one = report.healthy_line("2 nodes × 1 pods, direct, local", [], "", Agreement())
    assert len(report.read(written(one, one))) == 2


def test_what_is_wrong_is_counted_over_all_lines() -> None:
    wrong = Agreement(compared=9, differing=("a",), placed=2, misplaced=("b", "c"))
    lines = [case("route-wrong", agreement=wrong), case("arp-stale")]
    assert report.total(lines, *report.WRONG) == 3
    assert report.total(lines, "compared") == 9
