"""Sections as one document: for the terminal, for the README, and as JSON for other programs.

Pure but for `put_between_markers`, which rewrites a file whole.

May import: figures, machine.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

from bench.figures import MISSED, Section
from bench.machine import Machine

BEGIN = "<!-- bench:begin (written by make bench) -->"
END = "<!-- bench:end -->"
ALT = "Bars: dari beside the reference plugins, in milliseconds"


def terminal_text(machine: Machine, sections: Sequence[Section]) -> str:
    """Columns padded with spaces, and the machine below."""
    return "\n".join([*map(_terminal_section, sections), provenance(machine), ""])


def markdown(machine: Machine, sections: Sequence[Section], picture: str) -> str:
    """The same for the README.

    Args:
        machine: where it was measured.
        sections: the tables.
        picture: path of the plot, as seen from the document.
    """
    parts = [f"![{ALT}]({picture})\n", *map(_markdown_section, sections), provenance(machine)]
    return "\n".join(parts) + "\n"


def as_json(machine: Machine, sections: Sequence[Section]) -> str:
    """All figures, with all samples where there are any."""
    document = {
        "machine": {field: getattr(machine, field) for field in Machine._fields},
        **{section.key: section.facts for section in sections},
    }
    return json.dumps(document, indent=1) + "\n"


def missed(sections: Sequence[Section]) -> list[str]:
    """In words, which figures are not as promised."""
    return [
        f"{section.title}: {' '.join(line)}".replace(MISSED, "missed")
        for section in sections
        for line in section.lines
        if any(cell.startswith(MISSED) for cell in line)
    ]


def spliced(text: str, document: str) -> str:
    """`text` with `document` in place of what is between the markers.

    Raises:
        ValueError: the markers are not both there, each once and in order.
    """
    head, begin, rest = text.partition(BEGIN)
    _old, end, tail = rest.partition(END)
    if not begin or not end or BEGIN in rest or END in tail:
        raise ValueError(f"expected one {BEGIN} and after it one {END}")
    return f"{head}{BEGIN}\n{document}{END}{tail}"


def put_between_markers(path: Path, document: str) -> None:
    """Rewrite `path` with `document` between its markers.

    Raises:
        ValueError: it has no markers.
    """
    path.write_text(spliced(path.read_text(encoding="utf-8"), document), encoding="utf-8")


def provenance(machine: Machine) -> str:
    """Where, when and with what it was measured."""
    return (
        f"All in one run: {machine.cpu}, {machine.cores} cores, Linux {machine.kernel}, "
        f"{machine.system}, Python {machine.python}; dari {machine.dari} "
        f"against {machine.reference}; {machine.date}."
    )


def _terminal_section(section: Section) -> str:
    cells = [section.headings, *section.lines]
    widths = [max(len(line[column]) for line in cells) for column in range(len(section.headings))]
    lines = [
        "  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)).rstrip()
        for line in cells
    ]
    return "\n".join([section.title, "", *lines, "", section.note, ""])


def _markdown_section(section: Section) -> str:
    lines = [section.headings, ["---"] * len(section.headings), *section.lines]
    table = [f"| {' | '.join(line)} |" for line in lines]
    return "\n".join([f"### {section.title}", "", *table, "", section.note, ""])
