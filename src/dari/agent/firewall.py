"""Keeps what it takes to talk to nftables open, for all calls of the agent.

The library's memory of the firewall is right whoever changes it: it compares the number of
the kernel's generation with the one that it has seen, with each command.

May import: errors, netlink, nft.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager

from dari.errors import FirewallRefused
from dari.netlink.constants import NETLINK_NETFILTER
from dari.netlink.sock import NetlinkSocket
from dari.nft.library import Nft


class KeptTools:
    """`nft.tools.Tools` that are opened once, in the node's namespace, and lent in turn."""

    def __init__(self) -> None:
        self._library_guard, self._socket_guard = threading.Lock(), threading.Lock()
        self._library: Nft | None = None
        self._socket: NetlinkSocket | None = None

    @contextmanager
    def library(self) -> Iterator[Nft]:
        """See `nft.tools.Tools`; what the library refuses leaves it as good as before."""
        with self._library_guard:
            nft = self._library = self._library or Nft()
            try:
                yield nft
            except FirewallRefused:
                raise
            except BaseException:
                self._library = None
                nft.close()
                raise

    @contextmanager
    def socket(self) -> Iterator[NetlinkSocket]:
        """See `nft.tools.Tools`; after an error another is opened, since answers may be due."""
        with self._socket_guard:
            sock = self._socket = self._socket or NetlinkSocket(NETLINK_NETFILTER)
            try:
                yield sock
            except BaseException:
                self._socket = None
                sock.close()
                raise

    def close(self) -> None:
        """Close both."""
        for each in (self._library, self._socket):
            if each is not None:
                each.close()
        self._library = self._socket = None
