"""What the kernel holds that the agent decides by: read at once, decided on later.

May import: netlink, record.
"""

from __future__ import annotations

from dari.netlink.address import Address, list_addresses
from dari.netlink.conversation import Conversation
from dari.netlink.link import Link, list_links
from dari.netlink.route import KernelRoute, list_routes
from dari.record import Record


class Observed(Record):
    """Links, addresses, and the main table's routes of both families."""

    links: tuple[Link, ...] = ()
    addresses: tuple[Address, ...] = ()
    routes: tuple[KernelRoute, ...] = ()

    def link(self, index: int) -> Link | None:
        """The link with this index, if it is there."""
        return next((each for each in self.links if each.index == index), None)


def observe(rtnl: Conversation) -> Observed:
    """Read it all; what comes or goes meanwhile is notified of, and looked at after that.

    Raises:
        KernelRefused: the kernel will not tell.
    """
    return Observed(
        links=tuple(list_links(rtnl, settled=False)),
        addresses=tuple(list_addresses(rtnl, settled=False)),
        routes=tuple(list_routes(rtnl)),
    )
