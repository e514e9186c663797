"""Takes over the addresses of pods that another network plugin wired on this node.

A node that ran flannel has its pods' leases in host-local's folder, under the name
of that network. Dari's network has a folder of its own, which is empty at first: a
new pod would be given the address of a running one. So leases of the node's own
ranges are copied, whoever made them, before dari's configuration is written. When
the runtime ends such a pod it asks the plugin of the day, which is dari, and that
finds the lease by its owner.

Once for each folder and boot: a copied lease that was given back must not return.

May import: errors, files, ipam, paths, agent.conflist.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

from dari.agent.conflist import NETWORK
from dari.files import write_whole
from dari.ipam.boot import boot_began
from dari.ipam.folder import LeaseFolder, as_address

if TYPE_CHECKING:
    from dari.ipam.folder import Lease
    from dari.model import IPNetwork
    from dari.paths import Paths


def take_over(paths: Paths, ranges: Sequence[IPNetwork]) -> list[str]:
    """Copy the leases of running pods; in words what was copied.

    Args:
        ranges: this node's.

    Raises:
        IOFailure: a folder cannot be read or written.
        TryAgain: a folder's lock was held too long.
    """
    ours = LeaseFolder(f"{paths.leases}/{NETWORK}")
    done = []
    for theirs in _folders(paths.host_local):
        marker = f"{paths.run}/boot/{theirs.digest}.taken-over"
        if os.path.exists(marker):
            continue
        number = _copy(theirs, ours, ranges, boot_began(paths.boot_evidence))
        write_whole(marker, b"")
        if number:
            done.append(f"took over {number} leases of {theirs.path}")
    return done


def _folders(path: str) -> Iterator[LeaseFolder]:
    try:
        names = sorted(os.listdir(path))
    except OSError:
        return
    for name in names:
        folder = LeaseFolder(f"{path}/{name}")
        if folder.exists():
            yield folder


def _copy(theirs: LeaseFolder, ours: LeaseFolder, ranges: Sequence[IPNetwork], boot: int) -> int:
    """Copy what is of this boot and of these ranges."""
    stale = set(theirs.written_before(boot))
    wanted = [
        lease for lease in theirs.leases() if lease.name not in stale and _is_within(lease, ranges)
    ]
    if not wanted:
        return 0
    with ours.locked():
        return sum(_claim(ours, lease) for lease in wanted)


def _claim(folder: LeaseFolder, lease: Lease) -> bool:
    return lease.owner is not None and folder.claim([lease.name], lease.owner) is not None


def _is_within(lease: Lease, ranges: Sequence[IPNetwork]) -> bool:
    address = as_address(lease.name)
    return address is not None and any(
        each.version == address.version and address in each for each in ranges
    )
