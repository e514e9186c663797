"""What it takes to talk to nftables: a context of the library, and a socket for questions.

To close either, once something was deleted, waits in the kernel until nobody can still be
reading of that, 12 ms, and holds up whoever changes the firewall next. A process that ends
anyway pays for it once; one that lives on keeps them open (`Tools` of its own).

May import: netlink, nft.library where it is needed.
"""

from __future__ import annotations

from dari.netlink.constants import NETLINK_NETFILTER
from dari.netlink.sock import NetlinkSocket

TYPE_CHECKING = False
if TYPE_CHECKING:
    from contextlib import AbstractContextManager
    from typing import Protocol

    from dari.nft.library import Nft

    class Tools(Protocol):
        """Lends them, for as long as a `with` lasts."""

        def library(self) -> AbstractContextManager[Nft]:
            """A context of libnftables.

            Raises:
                FirewallRefused: it cannot be had.
            """

        def socket(self) -> AbstractContextManager[NetlinkSocket]:
            """A socket of protocol NETLINK_NETFILTER."""


class FreshTools:
    """Opens them for each use, and closes them."""

    def library(self) -> AbstractContextManager[Nft]:
        from dari.nft.library import Nft  # ctypes and the library cost 4 ms; often not needed

        return Nft()

    def socket(self) -> AbstractContextManager[NetlinkSocket]:
        return NetlinkSocket(NETLINK_NETFILTER)


FRESH = FreshTools()
