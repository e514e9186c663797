"""Sees to it that who asks for a pod's new IPv6 address at once is heard.

The kernel has an address as soon as it is given, but joins the group in which neighbours ask
for it in work of the background, which on a busy node comes a moment later. Who asks before
gets no answer, and asks again only after a second. This is no duplicate address detection:
nothing is sent, and usually nothing is waited for.

Source: RFC 4861, section 7.2; net/ipv6/addrconf.c (addrconf_dad_begin).
May import: addr, netlink.
"""

from __future__ import annotations

import time

from dari.addr import solicited_node_of
from dari.netlink.address import list_groups

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable

    from dari.model import IPAddress
    from dari.netlink.conversation import Conversation

_LONGEST = 1.0  # seconds; by then those who asked ask again
_FIRST_PAUSE, _LONGEST_PAUSE = 0.0001, 0.005


def await_solicitations(sock: Conversation, index: int, addresses: Iterable[IPAddress]) -> bool:
    """Return once a link is in the groups in which its IPv6 addresses are asked for.

    Args:
        sock: a route netlink socket in the link's namespace.
        index: the link's, which is up.
        addresses: that it was given; those of IPv4 need nothing.

    Returns:
        False where the kernel took longer than a second, which is nobody's failure.

    Raises:
        KernelRefused: the kernel will not tell.
    """
    wanted = {solicited_node_of(each) for each in addresses if each.version == 6}
    deadline, pause = time.monotonic() + _LONGEST, _FIRST_PAUSE
    while wanted and not wanted.issubset(list_groups(sock, index=index)):
        if time.monotonic() > deadline:
            return False
        time.sleep(pause)
        pause = min(2 * pause, _LONGEST_PAUSE)
    return True
