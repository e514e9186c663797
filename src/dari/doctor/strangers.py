"""Keeps silent about what is only wrong because a node goes by another's name.

Such a node is judged by the other one's records: what would mend it by them would make it
what the other one is. Once it has a name of its own again, it is judged by its own.

May import: causes.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from dari.causes import identity
from dari.causes.finding import ERROR, Finding

_OF_IDENTITY = "DARI-1"  # how the codes of that hundred begin


def without(findings: Sequence[Finding]) -> Iterator[Finding]:
    """All findings but those, of such nodes, that are not about who a node is."""
    strangers = {
        one.where
        for one in findings
        if one.code == identity.DUPLICATE_NAME.code and one.severity == ERROR
    }
    return (
        one for one in findings if one.where not in strangers or one.code.startswith(_OF_IDENTITY)
    )
