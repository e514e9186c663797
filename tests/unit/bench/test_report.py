"""The document: what the README, the terminal and other programs are given."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from bench.figures import Section
from bench.machine import Machine, package_version, this_machine
from bench.report import (
    ALT,
    BEGIN,
    END,
    as_json,
    markdown,
    missed,
    put_between_markers,
    spliced,
    terminal_text,
)

MACHINE = Machine(
    cpu="A Processor",
    cores=2,
    kernel="6.1",
    system="Debian GNU/Linux 12 (bookworm)",
    python="3.11.2",
    dari="0.1.0",
    reference="containernetworking-plugins 1.1.1",
    date="2026-01-31",
)
SECTIONS = [
    Section(
        key="first",
        title="First",
        headings=("", "figure", "budget"),
        lines=(("a long name", "1.0", "at most 2"), ("b", "3.0", "**missed**: at most 2")),
        note="Measured.",
        facts=[1.0, 3.0],
    ),
    Section(key="second", title="Second", headings=("",), lines=(), note="Not.", facts={}),
]
PROVENANCE = (
    "All in one run: A Processor, 2 cores, Linux 6.1, Debian GNU/Linux 12 (bookworm), "
    "Python 3.11.2; dari 0.1.0 against containernetworking-plugins 1.1.1; 2026-01-31."
)


def test_the_readmes_document() -> None:
    assert markdown(MACHINE, SECTIONS, "docs/a.svg").splitlines() == [
        f"![{ALT}](docs/a.svg)",
        "",
        "### First",
        "",
        "|  | figure | budget |",
        "| --- | --- | --- |",
        "| a long name | 1.0 | at most 2 |",
        "| b | 3.0 | **missed**: at most 2 |",
        "",
        "Measured.",
        "",
        "### Second",
        "",
        "|  |",
        "| --- |",
        "",
        "Not.",
        "",
        PROVENANCE,
    ]


def test_the_terminals_tables_have_straight_columns() -> None:
    title, _, heading, first, second, *rest = terminal_text(MACHINE, SECTIONS).splitlines()
    assert title == "First"
    assert heading.index("figure") == first.index("1.0") == second.index("3.0")
    assert rest[-1] == PROVENANCE


def test_other_programs_get_the_facts_by_their_keys() -> None:
    document = json.loads(as_json(MACHINE, SECTIONS))
    assert document["machine"]["cpu"] == "A Processor"
    assert (document["first"], document["second"]) == ([1.0, 3.0], {})


def test_what_is_over_its_budget_is_listed() -> None:
    assert missed(SECTIONS) == ["First: b 3.0 missed: at most 2"]


def test_only_what_is_between_the_markers_changes() -> None:
    text = f"before\n{BEGIN}\nold\n{END}\nafter\n"
    assert spliced(text, "new\n") == f"before\n{BEGIN}\nnew\n{END}\nafter\n"
    assert spliced(spliced(text, "one\n"), "new\n") == spliced(text, "new\n")


@pytest.mark.parametrize(
    "text", ["", BEGIN, END, f"{END}{BEGIN}", f"{BEGIN}{END}{END}", f"{BEGIN}{BEGIN}{END}"]
)
def test_markers_that_are_missing_or_doubled_are_refused(text: str) -> None:
    with pytest.raises(ValueError, match="bench:begin"):
        spliced(text, "new\n")


def test_a_readme_is_rewritten(tmp_path: Path) -> None:
    readme = tmp_path / "README.md"
    readme.write_text(f"다리\n{BEGIN}\n{END}\n", encoding="utf-8")
    put_between_markers(readme, "| 1 |\n")
    assert readme.read_text(encoding="utf-8") == f"다리\n{BEGIN}\n| 1 |\n{END}\n"


def test_a_machine_is_described_in_full() -> None:
    machine = this_machine("/proc/self")
    assert all(getattr(machine, field) for field in Machine._fields)
    assert machine.reference == "/proc/self"


def test_plugins_that_came_without_a_package_are_named_by_their_folder(tmp_path: Path) -> None:
    assert package_version(str(tmp_path)) == str(tmp_path)


@pytest.mark.parametrize("name", ["README.md", "README.ko.md"])
def test_the_readmes_have_a_place_for_the_document(name: str) -> None:
    text = (Path(__file__).parents[3] / name).read_text(encoding="utf-8")
    assert "| a table |\n" in spliced(text, "| a table |\n")
