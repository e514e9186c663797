"""What a person is told of faults: pure.

May import: causes, language, tables.layout, and within lab.faults: desk, exercise, fault, scene.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from dari.causes.catalogue import CAUSES
from dari.lab.faults.catalogue import find
from dari.lab.faults.desk import Checked
from dari.lab.faults.exercise import Exercise
from dari.lab.faults.fault import Fault, Needs
from dari.lab.faults.scene import Cast
from dari.language import Messages
from dari.tables.layout import columns

_ = Messages("lab")
_causes = Messages("causes")
_ANYBODY = Cast(node="node1", peer="node2", pod="pod-1-1", mate="pod-1-2", far="pod-2-1")


def symptom(exercise: Exercise) -> str:
    """What a user tells of it."""
    return _(find(exercise.fault).symptom).format(**_names(exercise.cast))


def hint(exercise: Exercise) -> str:
    """The hint that was given last: the fault's own first, then how to see the cause."""
    fault = find(exercise.fault)
    if exercise.told <= len(fault.hints):
        return _(fault.hints[exercise.told - 1]).format(**_names(exercise.cast))
    return _("This shows it on the right machine: {command}").format(
        command=CAUSES[fault.codes[0]].look
    )


def cause(exercise: Exercise) -> str:
    """The cause's code and title."""
    code = find(exercise.fault).codes[0]
    return f"{code}: {_causes(CAUSES[code].title)}"


def label(exercise: Exercise) -> str:
    """What to call it while it is broken: a secret one has no name."""
    return _("a secret") if exercise.secret else exercise.fault


def breaking(exercise: Exercise) -> str:
    """Said before it is broken."""
    if exercise.secret:
        return _("breaking something, and looking whether it shows")
    return _("breaking {fault} on {node}, and looking whether it shows").format(
        fault=exercise.fault, node=exercise.cast.node
    )


def broken(exercise: Exercise, seen: Sequence[str]) -> str:
    """Said once it is: the symptom, and unless it is a secret what was seen."""
    lines = [symptom(exercise)]
    if not exercise.secret:
        lines += [f"  {each}" for each in seen]
    lines.append(_("`dari lab hint` helps, `dari lab check` tells whether it is mended."))
    return "\n".join(lines)


def verdict(checked: Checked) -> str:
    """Whether it is mended; the cause is revealed then."""
    one = checked.exercise
    if not checked.wrong:
        return _("mended: {fault} on {node} ({cause})").format(
            fault=one.fault, node=one.cast.node, cause=cause(one)
        )
    head = _("not mended: {fault}").format(fault=label(one))
    return "\n".join([head, *(f"  {each}" for each in checked.wrong)])


def patience(seconds: float) -> str:
    """For whoever has just mended it.

    Args:
        seconds: after which a mended lab is well again at the latest.
    """
    return _(
        "Have you just mended it? Some agents take a while to notice: "
        "dari lab check --wait {seconds:g}"
    ).format(seconds=seconds)


def hinted(exercise: Exercise) -> str:
    """The hint that was given last."""
    return f"{label(exercise)}: {hint(exercise)}"


def mended(exercise: Exercise) -> str:
    """Said once it was taken back."""
    return _("taken back: {fault} on {node} ({cause})").format(
        fault=exercise.fault, node=exercise.cast.node, cause=cause(exercise)
    )


def table(faults: Iterable[Fault], able: Iterable[Fault]) -> list[str]:
    """All faults with their level and symptom, and what a lab needs for those it cannot have."""
    possible = {each.name for each in able}
    head = (_("FAULT"), _("LEVEL"), _("WHAT A USER TELLS"))
    rows = [head]
    for each in faults:
        told = _(each.symptom).format(**names_of_anybody())
        wanted = "" if each.name in possible else f"  [{needs(each.needs)}]"
        rows.append((each.name, "*" * each.level, told + wanted))
    return columns(rows)


def needs(wanted: Needs) -> str:
    """What a lab has to have, in words."""
    found = [_("{count} nodes").format(count=wanted.nodes)]
    if wanted.pods > 1:
        found.append(_("{count} pods on each").format(count=wanted.pods))
    if wanted.backends:
        found.append("--backend " + "|".join(wanted.backends))
    if wanted.store:
        found.append(f"--store {wanted.store}")
    if wanted.ipv6:
        found.append("--ipv6")
    if wanted.one_segment:
        found.append(_("not --routed"))
    if wanted.own_routes:
        found.append(_("no router that knows the pods"))
    return ", ".join(found)


def names_of_anybody() -> Mapping[str, str]:
    """Names for the parts, where a fault is told of without a lab."""
    return _names(_ANYBODY)


def _names(cast: Cast) -> Mapping[str, str]:
    return {part: getattr(cast, part) for part in Cast._fields}
