"""What the doctor tells: findings, and information that is no finding.

May import: causes, record.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

from dari.causes.finding import Finding
from dari.record import Record

if TYPE_CHECKING:
    from dari.model import Json


class Note(Record):
    """Something worth knowing that nobody has to mend.

    Attributes:
        topic: ``address``, ``configuration``, ``ports``, ``role`` or ``unseen``.
        where: the node.
        text: a sentence, in the reader's language.
    """

    topic: str
    where: str
    text: str

    def as_json(self) -> Json:
        """The note as an object with its fields as keys."""
        return {"topic": self.topic, "where": self.where, "text": self.text}


class Report(Record):
    """All of it.

    Attributes:
        machines: names of those that were looked at.
        partly: names of those of which not all could be read.
    """

    machines: tuple[str, ...] = ()
    partly: tuple[str, ...] = ()
    findings: tuple[Finding, ...] = ()
    notes: tuple[Note, ...] = ()

    def as_json(self) -> Json:
        """The report as an object."""
        return {
            "machines": list(self.machines),
            "partly_read": list(self.partly),
            "findings": [each.as_json() for each in self.findings],
            "notes": [each.as_json() for each in self.notes],
        }


def once(findings: Iterable[Finding]) -> tuple[Finding, ...]:
    """Each cause once for what it is about, by node and code; the first to tell it is kept.

    The order is that in which the mends are to be run: an interface is set up before
    its addresses and routes are put back.
    """
    kept: dict[tuple[str, str, str], Finding] = {}
    for each in findings:
        kept.setdefault((each.where, each.code, each.subject), each)
    return tuple(sorted(kept.values(), key=lambda one: (one.where, one.code, one.subject)))
