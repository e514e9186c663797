"""Adds to what a network has masqueraded, quickly where it has it already.

May import: files, nft, paths.
"""

from __future__ import annotations

from dari.nft import table
from dari.nft.entries import Masqueraded, read_entry, write_entry

TYPE_CHECKING = False
if TYPE_CHECKING:
    from dari.paths import Paths


def extend(paths: Paths, network: str, entry: Masqueraded) -> None:
    """Masquerade this too, besides what the network's entry says already.

    Raises:
        FirewallRefused: libnftables is missing or says no.
        Undecodable: an entry's file is damaged.
    """
    if not _covers(read_entry(paths, network), entry):
        with table.locked(paths):
            known = read_entry(paths, network) or Masqueraded()
            write_entry(paths, network, known.merged(entry))
    table.ensure(paths)


def _covers(known: Masqueraded | None, wanted: Masqueraded) -> bool:
    return known is not None and known.merged(wanted) == known
