"""Every difference from the reference that the comparison lets pass, with its reason.

A difference is a line of the comparison, found by a regular expression from its start;
`cases` says where it may show. One that does not show any more in the first of them
fails a test, so that the list stays short.
"""

from __future__ import annotations

import re
from collections.abc import Iterable

from dari.record import Record


class Difference(Record):
    """What may differ, and why it is right that it does."""

    line: str
    reason: str
    cases: tuple[str, ...]


_PORTMAP = (
    "portmap",
    "portmap without snat",
    "portmap, another mark",
    "portmap with conditions",
    "all in a chain",
    "ptp and a chain",
)

DIFFERENCES: tuple[Difference, ...] = (
    Difference(
        line=r"\.check: (only theirs: 1|only ours: 0|theirs .* 1\], ours .* 0\])$",
        cases=_PORTMAP,
        reason=(
            "The reference's CHECK of portmap looks for the rules of both families, and fails "
            "for each healthy pod that has addresses of one alone."
        ),
    ),
    Difference(
        line=r"\.check: (only theirs: 1|only ours: 0)$",
        cases=("layer 2",),
        reason=(
            "The reference's CHECK calls an IPAM plugin without a name where the configuration "
            "has none, and so fails for each healthy pod of a layer-2 network."
        ),
    ),
    Difference(
        line=r"\.unwired\.c1\.settings: only (theirs|ours): net\.core\.somaxconn",
        cases=("all in a chain", "ptp and a chain"),
        reason=(
            "The reference's tuning puts back a link's attributes on DEL, but no sysctl; dari's "
            "puts back all that it changed."
        ),
    ),
    Difference(
        line=r"\.result\.dns: theirs None, ours ",
        cases=("resolvConf",),
        reason=(
            "Release 1.1.1 of bridge throws away what the IPAM plugin read from resolvConf. Newer "
            "releases answer with it where the configuration has no dns of its own, as dari does."
        ),
    ),
)


def unexpected(case: str, lines: Iterable[str]) -> list[str]:
    """The lines that nothing on the list explains."""
    listed = [each for each in DIFFERENCES if case in each.cases]
    return [line for line in lines if not any(explains(each, line) for each in listed)]


def explains(difference: Difference, line: str) -> bool:
    """Is this line of a comparison the difference?"""
    return re.match(difference.line, line) is not None
