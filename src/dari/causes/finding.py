"""A cause that was found somewhere: what the doctor and `dari explain` tell.

May import: record.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from dari.record import Record

if TYPE_CHECKING:
    from dari.model import Json

ERROR, WARNING = "error", "warning"


class Finding(Record):
    """One thing found wrong.

    Attributes:
        code: of the cause, such as ``DARI-201``.
        where: the node (or the lab's machine) on which the mend is to be run.
        what: what was seen, with names and numbers, in the reader's language.
        mend: command lines that mend it, exactly as they are to be run there as root,
            each a whole line for a shell; empty where no command can.
        severity: `ERROR`: packets are lost or pods fail to start; `WARNING`: they may.
        subject: what it is about (a link, a pod, a file), to tell findings of one code apart.
    """

    code: str
    where: str
    what: str
    mend: tuple[str, ...] = ()
    severity: str = ERROR
    subject: str = ""

    def as_json(self) -> Json:
        """The finding as an object with its fields as keys."""
        return {
            "code": self.code,
            "severity": self.severity,
            "where": self.where,
            "subject": self.subject,
            "what": self.what,
            "mend": list(self.mend),
        }
