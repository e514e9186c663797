"""What pods that ended left behind of a chained plugin: found by GC and by who meets it.

May import: errors, fields, model, netlink, paths, wiring.
"""

from __future__ import annotations

import os

from dari.errors import Undecodable
from dari.fields import text
from dari.netlink.link import list_links
from dari.wiring import records
from dari.wiring.cable import find_link
from dari.wiring.names import host_end

_WITHOUT_CABLE = frozenset({"macvlan"})

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from dari.model import NetConf, Owner
    from dari.paths import Paths
    from dari.wiring.host import Host
    from dari.wiring.records import Attachment


def has_record(paths: Paths, owner: Owner, part: str) -> bool:
    """Has a chained plugin a record of the attachment, damaged or not?"""
    try:
        return records.find(paths, owner, part) is not None
    except Undecodable:
        return True


def is_lost(host: Host, owner: Owner, part: str) -> bool:
    """Is the pod gone, though its DEL never came? One without a record counts as gone.

    A damaged record tells nothing, so its pod counts as there.
    """
    try:
        record = records.find(host.paths, owner, part)
    except Undecodable:
        return False
    return record is None or is_over(
        host.paths, record, lambda name: find_link(host.rtnl, name) is not None
    )


def collectable(host: Host, conf: NetConf, part: str) -> Iterator[Attachment]:
    """A chained plugin's records that GC clears.

    Those of the network that belong to no valid attachment, and those whose pods are
    gone, whatever their network was called: it may have been renamed.
    """
    valid = conf.valid_attachments or ()
    links: set[str] | None = None
    for attachment in records.all_attachments(host.paths):
        if isinstance(attachment, Undecodable) or attachment.part != part:
            continue
        if attachment.owner in valid:
            continue
        if attachment.network != conf.name:
            links = {each.name for each in list_links(host.rtnl)} if links is None else links
            if not is_over(host.paths, attachment, links.__contains__):
                continue
        yield attachment


def is_over(paths: Paths, attachment: Attachment, is_there: Callable[[str], bool]) -> bool:
    """Is the pod gone: is neither its namespace at its path, nor its cable's end on the node?

    The path alone does not tell, as an agent in a container may not see it; nor does the
    cable, where another's plugin made the interface.

    Args:
        is_there: tells whether the node has a link of a name.
    """
    if attachment.alive or is_there(host_end(attachment.owner)):
        return False
    return _has_cable(paths, attachment.owner) or _is_visible(attachment.netns)


def _has_cable(paths: Paths, owner: Owner) -> bool:
    """Did a plugin of ours make an end on the node, which goes when the namespace goes?"""
    try:
        main = records.find(paths, owner)
    except Undecodable:
        return False
    return main is not None and text(main.conf, "type") not in _WITHOUT_CABLE


def _is_visible(path: str) -> bool:
    """Would we see a namespace at this path? An agent in a container may not."""
    return not path.startswith("/proc/") and os.path.isdir(os.path.dirname(path))
