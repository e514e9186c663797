"""Which of the kernel's notifications could mean that something of ours changed. Pure.

A busy node sends many that do not: each pod's start and end, other programs'
firewalls. What passes here only marks the node dirty; nobody acts on an event.

Source: linux/rtnetlink.h, linux/netfilter/nfnetlink.h, linux/netfilter/nf_tables.h.
May import: errors, model, netlink, nft, wiring.names.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Collection
from typing import TYPE_CHECKING

from dari.errors import Undecodable
from dari.netlink import constants as c
from dari.netlink.codec import Message, parse_attributes
from dari.netlink.neighbour import parse_neighbour
from dari.nft.listing import is_changing
from dari.nft.section import TABLE
from dari.wiring.names import is_own_link

if TYPE_CHECKING:
    from dari.model import IPAddress

ROUTE_GROUPS = (
    c.RTNLGRP_LINK,
    c.RTNLGRP_IPV4_IFADDR,
    c.RTNLGRP_IPV6_IFADDR,
    c.RTNLGRP_IPV4_ROUTE,
    c.RTNLGRP_IPV6_ROUTE,
)
NEIGHBOUR_GROUPS = (c.RTNLGRP_NEIGH,)
NFTABLES_GROUPS = (7,)  # NFNLGRP_NFTABLES

_LINK_KINDS = (c.RTM_NEWLINK, c.RTM_DELLINK)
_ROUTE_KINDS = (c.RTM_NEWROUTE, c.RTM_DELROUTE)
_NEIGHBOUR_KINDS = (c.RTM_NEWNEIGH, c.RTM_DELNEIGH)
_IFINFO_SIZE = 16  # struct ifinfomsg
_NDM_IFINDEX = 4  # offset in struct ndmsg
_RTM_TABLE = 4  # offset in struct rtmsg
_NFGENMSG_SIZE = 4  # struct nfgenmsg
_NFTA_TABLE = 1  # the table's name, in every object of a table
_NFTA_SET = 2  # the set's name, in a message about its elements
_ELEMENT_KINDS = (12, 14)  # NFT_MSG_NEWSETELEM, NFT_MSG_DELSETELEM


def concerns_network(message: Message) -> bool:
    """Could a notification of rtnetlink be about the underlay, the bridge, or a route?"""
    if message.kind in _ROUTE_KINDS:
        return message.body[_RTM_TABLE : _RTM_TABLE + 1] != bytes([c.RT_TABLE_LOCAL])
    if message.kind in _LINK_KINDS:
        if message.body[:1] == bytes([c.AF_BRIDGE]):
            return False  # about a port
        return not is_own_link(_text(message.body[_IFINFO_SIZE:], c.IFLA_IFNAME))
    return True


def is_own(message: Message, port: int) -> bool:
    """Is a notification of a route or neighbour due to what a socket of this port asked for?"""
    return message.port == port and message.kind in (*_ROUTE_KINDS, *_NEIGHBOUR_KINDS)


def is_as_wanted(message: Message, wanted: Callable[[int, str], IPAddress | None]) -> bool:
    """Does a notification of a tunnel's forwarding entry tell what should be so?

    The kernel does not say on whose behalf it changed one.

    Args:
        wanted: where the entry of a link, by its index, for a MAC should lead.
    """
    try:
        entry = parse_neighbour(message.body)
    except Undecodable:
        return False
    if message.body[0] != c.AF_BRIDGE:
        return False
    leads = wanted(entry.index, entry.mac) == entry.address
    return leads == (message.kind == c.RTM_NEWNEIGH)


def concerns_tunnel(message: Message, tunnels: Collection[int]) -> bool:
    """Is a notification about a neighbour or a forwarding entry of one of these links?

    Pods' neighbours come and go all the time, and do not count.
    """
    index = message.body[_NDM_IFINDEX : _NDM_IFINDEX + 4]
    return int.from_bytes(index, sys.byteorder) in tunnels


def concerns_firewall(message: Message) -> bool:
    """Is a notification of nftables about dari's table?

    Elements that come and go with pods do not count: a start would set off a look at
    everything, and the clock does that often enough.
    """
    attributes = message.body[_NFGENMSG_SIZE:]
    if _text(attributes, _NFTA_TABLE) != TABLE:
        return False
    of_elements = message.kind & 0xFF in _ELEMENT_KINDS
    return not (of_elements and is_changing(_text(attributes, _NFTA_SET)))


def _text(attributes: bytes, kind: int) -> str:
    try:
        return parse_attributes(attributes).text(kind)
    except Undecodable:
        return ""
