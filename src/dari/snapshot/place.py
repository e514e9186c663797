"""Reads one network namespace: everything that decides what becomes of a packet there.

May import: errors, netlink, nft, snapshot.model.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable
from functools import partial
from typing import TypeVar

from dari.errors import DariError
from dari.netlink.address import list_addresses
from dari.netlink.constants import NETLINK_NETFILTER
from dari.netlink.flows import Tracked, list_tracked
from dari.netlink.link import Link, list_links
from dari.netlink.namespace import Namespace, current
from dari.netlink.neighbour import list_fdb, list_neighbours
from dari.netlink.route import list_routes
from dari.netlink.rule import list_rules
from dari.netlink.sock import NetlinkSocket
from dari.netlink.vxlan import list_vxlans
from dari.nft import probe
from dari.nft.library import Nft
from dari.snapshot.legacy import names_in_use, read_legacy
from dari.snapshot.model import Place

T = TypeVar("T")

_PROC_SYS = "/proc/sys"
_OF_ALL = (
    *("net/ipv4/ip_forward", "net/ipv4/ip_no_pmtu_disc", "net/ipv4/icmp_echo_ignore_all"),
    *("net/ipv4/fib_multipath_hash_policy", "net/ipv4/ip_default_ttl"),
    *(f"net/ipv4/neigh/default/gc_thresh{number}" for number in (1, 2, 3)),
    *(f"net/ipv6/neigh/default/gc_thresh{number}" for number in (1, 2, 3)),
    *("net/bridge/bridge-nf-call-iptables", "net/bridge/bridge-nf-call-ip6tables"),
)
_OF_EACH = (
    *("ipv4/conf/{}/forwarding", "ipv4/conf/{}/rp_filter", "ipv4/conf/{}/proxy_arp"),
    *("ipv4/conf/{}/arp_ignore", "ipv4/conf/{}/accept_local", "ipv4/conf/{}/src_valid_mark"),
    *("ipv4/conf/{}/ignore_routes_with_linkdown", "ipv4/conf/{}/route_localnet"),
    *("ipv6/conf/{}/forwarding", "ipv6/conf/{}/disable_ipv6", "ipv6/conf/{}/proxy_ndp"),
    "ipv6/conf/{}/ignore_routes_with_linkdown",
)
_COUNT, _MOST = "net/netfilter/nf_conntrack_count", "net/netfilter/nf_conntrack_max"


def read_place(namespace: Namespace | None = None, connections: int = 0) -> Place:
    """Read a namespace; None: the one that the calling thread is in.

    Args:
        connections: how many of those that the kernel tracks to read at most; or `model.ALL`.

    Raises:
        BadNamespace: it may not be entered.
        DariError: not even its links can be read.
    """
    read = partial(_read, connections)
    return namespace.run(read) if namespace else read()


def _read(connections: int) -> Place:
    unread: list[str] = []
    with NetlinkSocket() as sock:
        links = tuple(list_links(sock, settled=False))
        place = Place(
            inode=current()[1],
            links=links,
            vxlans=tuple(list_vxlans(sock)) if _has_vxlan(links) else (),
            addresses=tuple(list_addresses(sock, settled=False)),
            routes=tuple(list_routes(sock, table=None)),
            rules=tuple(list_rules(sock)),
            neighbours=tuple(list_neighbours(sock)),
            fdb=tuple(list_fdb(sock)),
        )
    tracked = _attempt(partial(_tracked, connections), unread) if connections else []
    count, legacy = _number(_COUNT, -1), names_in_use()
    return place.replace(
        sysctls=_sysctls(links),
        ruleset=tuple(_attempt(_ruleset, unread)),
        legacy=tuple(legacy),
        legacy_tables=tuple(read_legacy(legacy)),
        connections=count,
        most_connections=_number(_MOST, 0),
        most_is_fixed=not os.access(f"{_PROC_SYS}/{_MOST}", os.W_OK),
        tracked=tuple(tracked[:connections] if connections > 0 else tracked),
        more_tracked=0 < connections < len(tracked),
        unread=tuple(unread),
    )


def _has_vxlan(links: Iterable[Link]) -> bool:
    return any(link.kind == "vxlan" for link in links)


def _sysctls(links: Iterable[Link]) -> dict[str, str]:
    names = ["all", "default", *(link.name for link in links if not link.master)]
    wanted = [*_OF_ALL, *(f"net/{form.format(name)}" for name in names for form in _OF_EACH)]
    found = ((name, _setting(name)) for name in wanted)
    return {name: value for name, value in found if value is not None}


def _setting(name: str) -> str | None:
    """None where the kernel has no such setting: without IPv6, or a module not loaded."""
    try:
        descriptor = os.open(f"{_PROC_SYS}/{name}", os.O_RDONLY | os.O_CLOEXEC)
    except OSError:
        return None
    try:
        return os.read(descriptor, 256).decode("ascii", "replace").strip()
    except OSError:
        return None
    finally:
        os.close(descriptor)


def _number(name: str, default: int) -> int:
    value = _setting(name) or ""
    return int(value) if value.isdecimal() else default


def _ruleset() -> list[dict[str, object]]:
    """All of nftables; iptables' rules are among it, unless they are legacy ones.

    libnftables is loaded only where there is a table at all.
    """
    with NetlinkSocket(NETLINK_NETFILTER) as sock:
        if not probe.has_tables(sock):
            return []
    with Nft() as nft:
        return nft.query("list ruleset")


def _tracked(most: int) -> list[Tracked]:
    """Up to one more than `most`, so that it is known whether there are more."""
    if not os.path.exists(f"{_PROC_SYS}/{_COUNT}"):
        return []  # asking would load the module
    with NetlinkSocket(NETLINK_NETFILTER) as sock:
        return list_tracked(sock, most + 1)


def _attempt(read: Callable[[], list[T]], unread: list[str]) -> list[T]:
    try:
        return read()
    except DariError as error:
        unread.append(error.message)
        return []
