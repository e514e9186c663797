"""Cases as JSON lines while they are measured, and as tables for docs/measure.md."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence

from bench.faults.agreement import Agreement
from bench.faults.case import Case
from bench.machine import Machine

BEGIN, END = "<!-- measure:begin (written by make measure) -->", "<!-- measure:end -->"
COUNTED = ("compared", "differing", "open", "placed", "misplaced")
WRONG = ("differing", "misplaced")
_SHOWN = 3  # of the pairs of one case that differ
Line = Mapping[str, object]


def line(kind: str, case: Case) -> Line:
    """One case as an object."""
    return {
        "kind": kind,
        "shape": case.shape,
        "faults": list(case.faults),
        "named": list(case.named),
        "mended": list(case.mended),
        "rounds": case.rounds,
        "trouble": case.trouble,
        "good": case.good,
        "codes": sorted({f"{one.code}@{one.where}" for one in case.findings}),
        **_agreement(case.agreement),
        "seconds": round(case.seconds, 1),
    }


def healthy_line(shape: str, told: Sequence[str], trouble: str, agreement: Agreement) -> Line:
    """One healthy lab as an object."""
    return {
        "kind": "healthy",
        "shape": shape,
        "told": list(told),
        "trouble": trouble,
        "good": not told and not trouble,
        **_agreement(agreement),
    }


def _agreement(one: Agreement) -> Line:
    return {
        "compared": one.compared,
        "differing": list(one.differing),
        "open": one.open,
        "answered": one.answered,
        "placed": one.placed,
        "misplaced": list(one.misplaced),
    }


def spliced(document: str, tables: str) -> str:
    """The document with the tables between its marks."""
    before, _, rest = document.partition(BEGIN)
    return f"{before}{BEGIN}\n\n{tables}\n\n{END}{rest.partition(END)[2]}"


def markdown(lines: Sequence[Line], machine: Machine, seed: int) -> str:
    """All tables, and each miss by name."""
    where = (
        f"{machine.date}, seed {seed}: {machine.cpu}, {machine.cores} cores, Linux "
        f"{machine.kernel}, {machine.system}, Python {machine.python}, dari {machine.dari}."
    )
    parts = [where, "", _shapes(lines), "", *_summary(lines)]
    parts += ["", "### Misses", "", *(_misses(lines) or ["None."])]
    parts += ["", "### Every fault", "", *_faults(lines)]
    return "\n".join(parts)


def _shapes(lines: Sequence[Line]) -> str:
    """Which labs the broken cases were in, as a run need not have had all of them."""
    counts: dict[str, int] = {}
    for one in lines:
        if one["kind"] != "healthy":
            counts[str(one["shape"])] = counts.get(str(one["shape"]), 0) + 1
    shown = "; ".join(f"{shape} ({count} cases)" for shape, count in counts.items())
    return f"Labs that were broken: {shown or 'none'}."


def _summary(lines: Sequence[Line]) -> list[str]:
    rows = ["| what | cases | all named and mended | named | mended |", "|---|---|---|---|---|"]
    for kind, text in (("alone", "one fault"), ("pair", "two faults at a time")):
        own = [one for one in lines if one["kind"] == kind]
        named = [each for one in own for each in _list(one, "named")]
        mended = [each for one in own for each in _list(one, "mended")]
        faults = sum(len(_list(one, "faults")) for one in own)
        good = sum(bool(one["good"]) for one in own)
        rows.append(
            f"| {text} | {len(own)} | {good} | {sum(map(bool, named))} of {faults} | "
            f"{sum(map(bool, mended))} of {faults} |"
        )
    well = [one for one in lines if one["kind"] == "healthy"]
    rows += ["", "| what | measured | right |", "|---|---|---|"]
    quiet = sum(bool(one["good"]) for one in well)
    rows.append(f"| healthy labs without a finding | {len(well)} | {quiet} |")
    compared, differing = total(lines, "compared"), total(lines, "differing")
    rows.append(f"| explain: a ping is answered, or lost | {compared} | {compared - differing} |")
    placed, misplaced = total(lines, "placed"), total(lines, "misplaced")
    rows.append(f"| explain: the place where it is lost | {placed} | {placed - misplaced} |")
    opened, answered = total(lines, "open"), total(lines, "answered")
    rows += ["", f"Of {opened} pairs more explain said that it depends on who speaks last"]
    rows[-1] += f"; {answered} were answered, {opened - answered} lost." if opened else "."
    return rows


def total(lines: Iterable[Line], *keys: str) -> int:
    """How many there are of something, over all lines: numbers are added, lists counted."""
    values = (one.get(key, 0) for one in lines for key in keys)
    return sum(len(each) if isinstance(each, list) else int(str(each)) for each in values)


def _misses(lines: Iterable[Line]) -> list[str]:
    found = []
    for one in lines:
        if not one["good"]:
            what = " + ".join(map(str, _list(one, "faults"))) or "healthy"
            found.append(f"- {what} ({one['shape']}): {_why(one)}")
        for key, said in (("differing", "explain differs"), ("misplaced", "not there")):
            what = " + ".join(map(str, _list(one, "faults"))) or "healthy"
            texts = _list(one, key)
            found += [f"- {what} ({one['shape']}): {said}: {text}" for text in texts[:_SHOWN]]
            more = len(texts) - _SHOWN
            found += [f"- {what} ({one['shape']}): {said}: {more} more"] if more > 0 else []
    return found


def _why(one: Line) -> str:
    if one["trouble"]:
        return str(one["trouble"])
    if one["kind"] == "healthy":
        return "told " + ", ".join(map(str, _list(one, "told")))
    names = _list(one, "faults")
    lost = [str(name) for name, by in zip(names, _list(one, "named"), strict=True) if not by]
    left = [str(name) for name, done in zip(names, _list(one, "mended"), strict=True) if not done]
    parts = [f"not named: {', '.join(lost)}"] if lost else []
    parts += [f"not mended: {', '.join(left)}"] if left else []
    return "; ".join(parts)


def _faults(lines: Iterable[Line]) -> list[str]:
    rows = ["| fault | labs | named by | mended | rounds |", "|---|---|---|---|---|"]
    own: dict[str, list[Line]] = {}
    for one in lines:
        if one["kind"] == "alone":
            own.setdefault(str(_list(one, "faults")[0]), []).append(one)
    for name, cases in sorted(own.items()):
        by = sorted({str(each) for one in cases for each in _list(one, "named")} - {""})
        mended = sum(all(_list(one, "mended")) and bool(_list(one, "mended")) for one in cases)
        rounds = max(int(str(one["rounds"])) for one in cases)
        rows.append(
            f"| {name} | {len(cases)} | {', '.join(by) or 'nobody'} | "
            f"{mended} of {len(cases)} | {rounds} |"
        )
    return rows


def _list(one: Line, key: str) -> list[object]:
    value = one.get(key, [])
    return list(value) if isinstance(value, list) else []


def read(text: str) -> list[Line]:
    """Lines that were written before, of the same or another process.

    Of a case that was measured again, such as after a miss was mended, the newest counts.
    """
    found: dict[object, Line] = {}
    for number, each in enumerate(text.splitlines()):
        if each.strip():
            one = json.loads(each)
            if one["kind"] == "pair" and len(_list(one, "faults")) < 2:
                continue  # one of them hid the other
            key = number if one["kind"] == "healthy" else _case(one)
            found.pop(key, None)
            found[key] = one
    return list(found.values())


def _case(one: Line) -> tuple[str, ...]:
    return (str(one["kind"]), str(one["shape"]), *map(str, _list(one, "faults")))
