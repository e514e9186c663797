"""Keeps dari's table in the kernel what the files say: all of it, or one pod's part.

The files are the truth (`entries`, `hostports`, `forwarded`): the table can be
made from them anew at any time, in one transaction, and is, whenever anything about
it is not as expected. Whoever changes files and table together does so in `changing`.

What a plain pod does not need is imported where it is used.

May import: errors, files, nft, paths.
"""

from __future__ import annotations

import os
from contextlib import contextmanager, suppress

from dari import files
from dari.errors import DariError, FirewallRefused
from dari.nft import entries, probe
from dari.nft.changes import Changes
from dari.nft.ruleset import masquerade_section
from dari.nft.section import TABLE, merged, removal, replacement
from dari.nft.tools import FRESH

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator
    from contextlib import AbstractContextManager

    from dari.nft.section import Elements, Section
    from dari.nft.tools import Tools
    from dari.paths import Paths


@contextmanager
def changing(paths: Paths, tools: Tools = FRESH) -> Iterator[Changes]:
    """Change the files and what they are in the table; the lock on both is held meanwhile.

    The elements are sent at the end in one transaction, also where the work fails: the table
    is to be as the files are then. Where it is not as it was built, or does not take the
    change, it is built anew from the files.

    Raises:
        TryAgain: another process holds the lock for too long.
        FirewallRefused: libnftables is missing or says no.
        Undecodable: a file is damaged.
    """
    gathered = Changes()
    with locked(paths):
        try:
            yield gathered
        except BaseException:
            with suppress(DariError):
                _send(paths, gathered, tools)
            raise
        _send(paths, gathered, tools)
    for work in gathered.afterwards:
        work()


def locked(paths: Paths) -> AbstractContextManager[None]:
    """Hold the lock on the table and on the files that it is made from.

    Raises:
        TryAgain: another process holds it for too long.
    """
    return files.locked(f"{paths.table}/lock")


def ensure(paths: Paths) -> bool:
    """Masquerade what the entries say; quick where it is so already.

    Returns:
        True where the table had to be built.

    Raises:
        FirewallRefused: libnftables is missing or says no.
        Undecodable: a file is damaged.
    """
    if _masquerades(paths):
        return False
    with locked(paths):
        if _masquerades(paths):
            return False
        _build(paths)
    return True


def rebuild(paths: Paths, tools: Tools = FRESH) -> None:
    """Replace the table by what the files say, in one transaction.

    Raises:
        FirewallRefused: libnftables is missing or says no.
        Undecodable: a file is damaged.
    """
    with locked(paths):
        _build(paths, tools)


def verify(paths: Paths) -> bool:
    """Is every set, element, chain and rule as the files say, and as it was built?

    Raises:
        FirewallRefused: libnftables is missing.
        Undecodable: a file is damaged.
    """
    from dari.nft.listing import Listing  # only checks need it

    with locked(paths):
        sections, elements = _desired(paths)
        with FRESH.socket() as sock:
            if not all(probe.is_current(sock, each) for each in sections):
                return False
        with FRESH.library() as nft:
            listing = Listing(nft)
        return _recorded(paths) == listing.digest() and listing.holds_just(elements)


def missing(elements: Elements) -> Elements:
    """Which of these elements are not in the kernel.

    Raises:
        FirewallRefused: libnftables is missing.
    """
    from dari.nft.listing import Listing  # only checks need it

    with FRESH.library() as nft:
        return Listing(nft).lacks(elements)


def is_needed(paths: Paths) -> bool:
    """Do the files want anything of the table?

    Raises:
        Undecodable: a file is damaged.
    """
    from dari.nft import forwarded, hostports  # a plain pod has nothing of these

    wanted = bool(entries.read_all(paths).sources)
    return wanted or hostports.is_used(paths) or forwarded.is_used(paths)


def remove_table() -> None:
    """Take dari's table out of the kernel; nothing happens where it is not there.

    Raises:
        FirewallRefused: libnftables is missing or says no.
    """
    ours = {"family": "inet", "name": TABLE}
    with FRESH.library() as nft:
        tables = [each.get("table") for each in nft.query("list tables inet")]
        if any(isinstance(each, dict) and ours.items() <= each.items() for each in tables):
            nft.run(removal())


def _masquerades(paths: Paths) -> bool:
    return _has(paths, masquerade_section(entries.read_all(paths)))


def _send(paths: Paths, gathered: Changes, tools: Tools) -> None:
    if not gathered.whole and not gathered.sections:
        return
    current = not gathered.whole and all(
        _has(paths, each, tools) for each in gathered.sections.values()
    )
    if current and gathered.text:
        with tools.library() as nft:
            try:
                nft.run(gathered.text)
            except FirewallRefused:
                current = False
    if not current:
        _build(paths, tools)


def _has(paths: Paths, section: Section, tools: Tools = FRESH) -> bool:
    """Is the section in the kernel, and did whoever built it live to note what it is like?"""
    if not os.path.exists(_built(paths)):
        return False
    with tools.socket() as sock:
        return probe.is_current(sock, section)


def _desired(paths: Paths) -> tuple[list[Section], Elements]:
    """All sections that somebody needs, and all elements of their sets and maps."""
    from dari.nft import forwarded, hostports, hostrules

    sections = [masquerade_section(entries.read_all(paths))]
    elements: list[Elements] = []
    if hostports.is_used(paths):
        sections.append(hostrules.hostport_section(hostports.read_groups(paths)))
        elements.append(hostrules.hostport_elements(hostports.read_claims(paths)))
    if forwarded.is_used(paths):
        sections.append(forwarded.forward_section())
        elements.append(forwarded.forwarded_elements(paths))
    return sections, merged(elements)


def _build(paths: Paths, tools: Tools = FRESH) -> None:
    from dari.nft import hostports
    from dari.nft.listing import Listing

    hostports.forget_unused_groups(paths)
    sections, elements = _desired(paths)
    files.remove(_built(paths))
    with tools.library() as nft:
        nft.run(replacement(sections, elements))
        digest = Listing(nft).digest()
    files.write_whole(_built(paths), digest.encode())


def _built(paths: Paths) -> str:
    return f"{paths.table}/built"


def _recorded(paths: Paths) -> str:
    return (files.read_bounded(_built(paths), 64) or b"").decode("ascii", errors="replace")
