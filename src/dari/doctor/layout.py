"""A report as text for a person.

May import: causes, language, tables.layout, doctor.report.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from dari.causes.catalogue import CAUSES
from dari.causes.finding import WARNING, Finding
from dari.doctor.report import Note, Report
from dari.language import N_, Messages
from dari.tables.layout import Style

_ = Messages("doctor")
_causes = Messages("causes")
_TOPICS = {
    "address": N_("The node's address"),
    "ports": N_("Ports"),
    "configuration": N_("Network configuration"),
    "unseen": N_("What was not checked, or is easily missed"),
}


def render(report: Report, style: Style, *, notes: bool) -> str:
    """Findings, each with why and how to mend it; notes; and a last line that counts.

    Args:
        notes: tell the information too.
    """
    blocks = ["\n".join(_finding(each, style)) for each in report.findings]
    if notes and report.notes:
        blocks.append("\n".join(_notes(report.notes, style)))
    blocks.append(_summary(report, style))
    return "\n\n".join(blocks)


def _finding(one: Finding, style: Style) -> Iterator[str]:
    cause = CAUSES[one.code]
    code = style.strong(one.code) if one.severity == WARNING else style.bad(one.code)
    yield f"{code} {style.strong(one.where)}: {_causes(cause.title)}"
    yield _("  seen: {what}").format(what=one.what)
    yield _("  why it matters: {why}").format(why=_causes(cause.why))
    yield _("  mend: {mend}").format(mend=_causes(cause.mend))
    yield from (f"    {style.good(each)}" for each in one.mend)
    yield _("  more: docs/causes/{code}.md").format(code=one.code)


def _notes(notes: Sequence[Note], style: Style) -> Iterator[str]:
    yield style.strong(_("For information:"))
    several = len({each.where for each in notes}) > 1
    for topic, heading in _TOPICS.items():
        meant = [each for each in notes if each.topic == topic]
        if meant:
            yield f"  {style.strong(_(heading))}"
        for each in meant:
            yield f"    {f'{each.where}: ' if several else ''}{each.text}"


def _summary(report: Report, style: Style) -> str:
    names = ", ".join(report.machines) or "-"
    if not report.findings and report.partly:
        partly = _("{nodes}: nothing found wrong in what could be read")
        return partly.format(nodes=names)
    if not report.findings:
        return style.good(_("{nodes}: nothing found wrong").format(nodes=names))
    return _("{number} found wrong on {nodes}").format(number=len(report.findings), nodes=names)
