"""The list of exercises in docs/exercises.md, in every language: from the lab's faults.

Written between two marks by ``python -m tools.pages``; a test holds it to the faults.

May import: dari.lab.faults, dari.language.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from dari.lab.faults import story
from dari.lab.faults.catalogue import FAULTS
from dari.lab.faults.fault import Fault, Needs
from dari.lab.topology import Options, plan
from dari.language import Messages

DOCS = Path(__file__).resolve().parent.parent / "docs"
FILES: Mapping[str, Path] = {"en": DOCS / "exercises.md", "ko": DOCS / "ko" / "exercises.md"}
BEGIN, END = "<!-- exercises:begin (written by make pages) -->", "<!-- exercises:end -->"
_LEVELS: Mapping[str, tuple[str, str, str]] = {
    "en": ("Level 1", "Level 2", "Level 3"),
    "ko": ("난이도 1", "난이도 2", "난이도 3"),
}
_OPEN: Mapping[str, str] = {"en": "the command", "ko": "명령"}
_USUAL = plan(Options(nodes=3, pods=2))
_NEED: Mapping[str, str] = {"en": "needs", "ko": "필요한 옵션"}


def text(language: str) -> str:
    """The file as it should be."""
    before, _, rest = FILES[language].read_text(encoding="utf-8").partition(BEGIN)
    _, _, after = rest.partition(END)
    return f"{before}{BEGIN}\n\n{_lists(language)}\n\n{END}{after}"


def write() -> None:
    """Bring the files of all languages up to date."""
    for language, file in FILES.items():
        file.write_text(text(language), encoding="utf-8")


def _lists(language: str) -> str:
    found = []
    for number, title in enumerate(_LEVELS[language], 1):
        own = [each for each in FAULTS.values() if each.level == number]
        found += [f"### {title}", *(_entry(each, language) for each in own)]
    return "\n\n".join(found)


def _entry(fault: Fault, language: str) -> str:
    told = Messages("lab", language)(fault.symptom).format(**story.names_of_anybody())
    command = f"<code>dari lab break {fault.name}</code>{_needed(fault.needs, language)}"
    return f"- {told}\n  <details><summary>{_OPEN[language]}</summary>{command}</details>"


def _needed(needs: Needs, language: str) -> str:
    """The options of a lab that it takes, where the usual one does not do."""
    if needs.met_by(_USUAL):
        return ""
    options = [f"--backend {needs.backends[0]}"] if needs.backends else []
    options += ["--ipv6"] if needs.ipv6 else []
    return f" ({_NEED[language]}: {' '.join(options)})"
