"""A journey as text for a person: pure.

May import: tables.layout, causes, language, explain's journey and messages.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from dari.causes.catalogue import CAUSES
from dari.explain.journey import LOST, PASSES, REFUSED, REWRITTEN, UNREAD, Hop, Journey
from dari.explain.messages import _
from dari.language import Messages
from dari.tables.layout import Style, visible

_MARKS = {PASSES: " ", LOST: "✗", REFUSED: "✗", REWRITTEN: "~", UNREAD: "?"}


def as_text(journey: Journey, style: Style) -> str:
    """Hops there and back, then the verdict, then each cause with what mends it."""
    lines = [style.strong(_title(journey))]
    lines += _hops(_("there"), journey.there, style)
    lines += _hops(_("back"), journey.back, style)
    lines += ["", _in_colour(journey, style)]
    lines += _findings(journey, style)
    return "\n".join(lines)


def _title(journey: Journey) -> str:
    port = f" {journey.flow.port}" if journey.flow.port else ""
    source, target = (
        f"{end.name} ({end.address})" if end.name != str(end.address) else end.name
        for end in (journey.source, journey.target)
    )
    return f"{source} → {target}, {journey.flow.protocol}{port}"


def _hops(title: str, hops: Iterable[Hop], style: Style) -> Iterator[str]:
    listed = list(hops)
    if not listed:
        return
    yield ""
    yield style.faint(f"  {title}")
    where = ""
    for hop in listed:
        if hop.where != where:
            where = hop.where
            yield f"  {style.strong(visible(where))}"
        mark = _MARKS[hop.verdict]
        code = f"  {hop.code}" if hop.code else ""
        row = f"{hop.step:<10}{visible(hop.row)}".rstrip()
        text = f"  {mark} {row}"
        stopped = hop.verdict in (LOST, REFUSED)
        yield style.bad(text + code) if stopped or hop.code else text
        yield style.faint(f"      {visible(hop.text)}")


def verdict(journey: Journey) -> str:
    """The whole of it in a sentence or two."""
    names = {"source": journey.source.name, "target": journey.target.name}
    if journey.works:
        text = _("It arrives at {target}, and the answer at {source}.").format(**names)
        if journey.seen_as not in (None, journey.source.address):
            text += " " + _("{target} sees it come from {address}.").format(
                target=journey.target.name, address=journey.seen_as
            )
        return text
    if not journey.there and not journey.arrives:
        return _("The tables of {source} are not here: nothing can be said.").format(**names)
    if not journey.complete and not journey.findings:
        return _("It leaves what was read; from there on nothing can be said.")
    if journey.depends:
        return _("It may or may not be answered: that depends on {what}.").format(
            what="; ".join(journey.depends)
        )
    if not journey.arrives:
        return _("It does not arrive at {target}.").format(**names)
    if not journey.answered:
        return _("It arrives at {target}; the answer does not come back.").format(**names)
    return _("It arrives, and so does the answer, but not as it should.")


def _in_colour(journey: Journey, style: Style) -> str:
    """Green or red; neither where nothing can be said."""
    if journey.works:
        return style.good(verdict(journey))
    known = bool(journey.findings) or (journey.complete and bool(journey.there))
    return style.bad(verdict(journey)) if known else verdict(journey)


def _findings(journey: Journey, style: Style) -> Iterator[str]:
    titles = Messages("causes")
    for finding in journey.findings:
        title = titles(CAUSES[finding.code].title) if finding.code in CAUSES else ""
        yield ""
        yield style.strong(f"{finding.code}: {title}")
        yield f"  {visible(finding.what)}"
        if finding.mend:
            yield "  " + _("to mend it, on {where}:").format(where=finding.where)
        yield from (f"    {line}" for line in finding.mend)
