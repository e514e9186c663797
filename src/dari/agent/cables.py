"""Plugs running pods' cables into the bridge again, after it was deleted and made anew.

A bridge that is deleted lets go of its ports; they stay, and lead nowhere. Only
cables of the agent's own network are touched, and none that its ADD has not
finished (its alias is set last) or its DEL has condemned.

May import: errors, netlink, wiring, agent.conflist, agent.observe.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from dari.agent.conflist import NETWORK
from dari.errors import NotFound
from dari.netlink.link import Link
from dari.netlink.linkchange import change_link, change_port
from dari.wiring.names import belongs_to, is_condemned, is_host_end

if TYPE_CHECKING:
    from dari.agent.observe import Observed
    from dari.netlink.sock import NetlinkSocket


def of_own_network(observed: Observed) -> list[Link]:
    """The node's ends of running pods' cables."""
    return [
        link
        for link in observed.links
        if is_host_end(link.name)
        and belongs_to(link.alias, NETWORK)
        and not is_condemned(link.alias)
    ]


def plug_in(sock: NetlinkSocket, bridge: int, cables: Sequence[Link]) -> list[str]:
    """Make ports of the bridge of those that are no bridge's; what was done.

    The port's options are those of the agent's own conflist.

    Args:
        bridge: its index.
    """
    loose = [link for link in cables if link.master == 0]
    for link in loose:
        try:
            sock.transact(
                [
                    change_link(index=link.index, master=bridge, up=True),
                    change_port(index=link.index, hairpin=True),
                ]
            )
        except NotFound:
            continue  # the pod ended meanwhile
    return [f"plugged {len(loose)} pods' cables in again"] if loose else []
