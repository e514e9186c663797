"""One cause, as the catalogue has it.

May import: record.
"""

from __future__ import annotations

from dari.record import Record


class Cause(Record):
    """What can be wrong. The texts are English; `Messages("causes")` has them in others.

    Attributes:
        code: ``DARI-`` and three digits, which never changes and is never used again.
        title: the cause in a few words.
        why: what it does to pods and people, in a sentence or two.
        look: a command that shows it, as a person would type it on the node.
        mend: what mends it, in words; a finding has the exact commands.
    """

    code: str
    title: str
    why: str
    look: str
    mend: str
