"""Remembers bridges that were found as they should be, until the kernel tells of a change.

To look at a bridge and at its addresses takes as long as half of a pod's wiring. The kernel
queues a notification before whoever changed something gets his answer; so one who has read
all notifications and found none about links and addresses knows that what he saw still
holds. Pods' own links are not listened to, or no pod would find the memory of the last.

May import: errors, netlink, wiring.names.
"""

from __future__ import annotations

import threading
from collections.abc import Hashable
from typing import TYPE_CHECKING

from dari.errors import DariError
from dari.netlink import constants as c
from dari.netlink.deaf import deaf_to
from dari.netlink.sock import NetlinkSocket
from dari.wiring.names import OWN_LINKS

if TYPE_CHECKING:
    from dari.netlink.link import Link

_GROUPS = (c.RTNLGRP_LINK, c.RTNLGRP_IPV4_IFADDR, c.RTNLGRP_IPV6_IFADDR)


class Bridges:
    """What was found of bridges; threads share it. Made in the node's namespace."""

    def __init__(self) -> None:
        self._listener = NetlinkSocket(c.NETLINK_ROUTE, _GROUPS, deaf_to(OWN_LINKS))
        self._guard = threading.Lock()
        self._known: dict[Hashable, Link] = {}
        self._moment = 0

    def find(self, wanted: Hashable) -> tuple[Link | None, int]:
        """The bridge that is as wanted, or None; and the moment of this look, for `keep`."""
        with self._guard:
            if self._has_news():
                self._known.clear()
                self._moment += 1
            return self._known.get(wanted), self._moment

    def keep(self, wanted: Hashable, bridge: Link, moment: int) -> None:
        """Remember that a bridge was as wanted, unless something changed since that moment."""
        with self._guard:
            if moment == self._moment:
                self._known[wanted] = bridge

    def close(self) -> None:
        """Listen no more."""
        self._listener.close()

    def _has_news(self) -> bool:
        """Read all that is queued; True where there was anything, or some of it was lost."""
        heard = False
        try:
            while self._listener.receive(wait=False):
                heard = True
        except DariError:
            return True
        return heard
