"""Leases of running pods, from the addresses that they have, where the leases are lost.

Leases are in the run folder. Somebody who removes that under running pods makes
their addresses look free, and new pods would be given them. Each pod's own end of
its cable still has them: the kernel tells them to whoever holds the other end.

May import: addr, errors, ipam, model, netlink, paths, wiring, agent.conflist.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

from dari.agent.conflist import NETWORK
from dari.errors import KernelRefused
from dari.ipam.folder import LeaseFolder
from dari.netlink.address import list_addresses
from dari.netlink.link import Link, list_links
from dari.wiring.names import belongs_to, is_condemned, is_host_end, owner_of

if TYPE_CHECKING:
    from dari.model import IPAddress, IPNetwork, Owner
    from dari.netlink.conversation import Conversation
    from dari.paths import Paths


def recover_leases(paths: Paths, sock: Conversation, ranges: Sequence[IPNetwork]) -> int:
    """Write a lease for each address that a pod has and nobody has a lease of; how many.

    Args:
        sock: of the node's own network.
        ranges: this node's.

    Raises:
        IOFailure: the leases' folder cannot be written.
        TryAgain: its lock was held too long.
    """
    folder = LeaseFolder(f"{paths.leases}/{NETWORK}")
    found = list(_held(sock, ranges))
    if not found:
        return 0
    with folder.locked():
        return sum(folder.claim([str(address)], owner) is not None for address, owner in found)


def _held(sock: Conversation, ranges: Sequence[IPNetwork]) -> Iterator[tuple[IPAddress, Owner]]:
    for link in list_links(sock, kind="veth"):
        owner = owner_of(link.alias)
        if owner is None or not _is_running(link):
            continue
        for address in _addresses(sock, link.netns_id):
            if any(each.version == address.version and address in each for each in ranges):
                yield address, owner


def _is_running(link: Link) -> bool:
    return (
        is_host_end(link.name)
        and belongs_to(link.alias, NETWORK)
        and not is_condemned(link.alias)
        and link.netns_id >= 0
    )


def _addresses(sock: Conversation, netns_id: int) -> list[IPAddress]:
    try:
        return [each.interface.ip for each in list_addresses(sock, netns_id=netns_id)]
    except KernelRefused:
        return []  # the pod ended just now
