"""Makes a finding of a cause that a walk came upon.

May import: causes, language, explain.world.
"""

from __future__ import annotations

from dari.causes.cause import Cause
from dari.causes.finding import ERROR, Finding
from dari.explain.world import Spot
from dari.language import Messages

_title = Messages("causes")


def found_in(
    cause: Cause,
    spot: Spot,
    subject: str,
    text: str = "",
    lines: tuple[str, ...] = (),
    severity: str = ERROR,
) -> Finding:
    """A cause found in a place.

    Args:
        subject: the link, pod, address or rule that it is about.
        text: what was seen; empty: the cause's title.
        lines: commands that mend it on the place's machine.
    """
    return Finding(
        code=cause.code,
        where=spot.machine.name,
        what=f"{spot.name}: {text or _title(cause.title)}",
        mend=lines,
        severity=severity,
        subject=subject,
    )
