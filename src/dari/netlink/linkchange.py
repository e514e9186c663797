"""Requests that make, change and delete links: bridges, veth pairs, bridge ports.

Source: linux/if_link.h, linux/veth.h; net/core/rtnetlink.c for what may be said
in one message.
May import: codec, constants, link.
"""

from __future__ import annotations

from dari.netlink import constants as c
from dari.netlink.codec import Request, nested, text, u8, u32
from dari.netlink.codec import mac as address
from dari.netlink.link import called, header


def add_bridge(name: str, *, mac: str = "", mtu: int = 0, up: bool = False) -> Request:
    """Make a bridge; a given MAC stays even as ports come and go.

    Equivalent to: `ip link add NAME address MAC mtu MTU up type bridge`.

    Args:
        mac: ``aa:bb:cc:dd:ee:ff``; empty leaves the choice to the kernel.
        mtu: bytes; 0 leaves it to the kernel.
    """
    return Request(
        kind=c.RTM_NEWLINK,
        flags=c.NLM_F_CREATE | c.NLM_F_EXCL,
        body=header(flags=_up(up), change=_up(up))
        + _identity(name, mac, mtu)
        + nested(c.IFLA_LINKINFO, text(c.IFLA_INFO_KIND, "bridge")),
        doing=f"add bridge {name}",
    )


def add_veth(
    name: str,
    *,
    peer: str,
    peer_netns: int,
    mac: str = "",
    peer_mac: str = "",
    mtu: int = 0,
    master: int = 0,
    up: bool = False,
    group: int = 0,
) -> Request:
    """Make a veth pair: one end here, the other straight in another namespace.

    Equivalent to: `ip link add NAME address MAC mtu MTU master MASTER group GROUP
    up type veth peer PEER address PEER_MAC mtu MTU netns PEER_NETNS`.

    Args:
        peer: the other end's name there.
        peer_netns: descriptor of its network namespace.
        mac, peer_mac: ``aa:bb:cc:dd:ee:ff``; empty leaves the choice to the kernel.
        mtu: bytes, of both ends; 0 leaves it to the kernel.
        master: index of the bridge that this end becomes a port of.
        up: whether this end is set up.
        group: link group of this end, for `delete_group`.
    """
    other = header() + _identity(peer, peer_mac, mtu) + u32(c.IFLA_NET_NS_FD, peer_netns)
    return Request(
        kind=c.RTM_NEWLINK,
        flags=c.NLM_F_CREATE | c.NLM_F_EXCL,
        body=header(flags=_up(up), change=_up(up))
        + _identity(name, mac, mtu)
        + (u32(c.IFLA_MASTER, master) if master else b"")
        + (u32(c.IFLA_GROUP, group) if group else b"")
        + nested(
            c.IFLA_LINKINFO,
            text(c.IFLA_INFO_KIND, "veth"),
            nested(c.IFLA_INFO_DATA, nested(c.VETH_INFO_PEER, other)),
        ),
        doing=f"add veth {name} with peer {peer}",
    )


def change_link(
    *,
    index: int = 0,
    name: str = "",
    up: bool | None = None,
    master: int | None = None,
    mtu: int = 0,
    mac: str = "",
    alias: str | None = None,
    new_name: str = "",
    netns: int | None = None,
    promisc: bool | None = None,
    allmulti: bool | None = None,
    group: int | None = None,
    arp_notify: bool | None = None,
    addr_gen_mode: int | None = None,
    txqlen: int | None = None,
) -> Request:
    """Change what is given of the link with this index or, without one, this name.

    The kernel sets a link up before it reads `arp_notify` and `addr_gen_mode`.
    Where these should hold for the getting up, change them by a request before it.

    Equivalent to: `ip link set dev NAME ...`, and for `arp_notify` to
    `sysctl net.ipv4.conf.NAME.arp_notify`.

    Args:
        master: index of the bridge that it becomes a port of; 0: of none.
        mtu: bytes; 0 leaves it.
        alias: free text of up to 255 bytes; empty takes it away.
        new_name: needs `index`, since a name can only either find or set.
        netns: descriptor of the network namespace it moves to.
        arp_notify: whether it announces its IPv4 addresses when it gets up.
        addr_gen_mode: IN6_ADDR_GEN_MODE_*, 1: no link-local address by itself.
        txqlen: packets that queue for sending.
    """
    if new_name and not index:
        raise ValueError("a link is renamed by index")
    flags, change = _switches({c.IFF_UP: up, c.IFF_PROMISC: promisc, c.IFF_ALLMULTI: allmulti})
    return Request(
        kind=c.RTM_SETLINK,
        flags=0,
        body=header(index=index, flags=flags, change=change)
        + _identity(new_name if index else name, mac, mtu)
        + _optional(c.IFLA_MASTER, master)
        + (text(c.IFLA_IFALIAS, alias) if alias is not None else b"")
        + _optional(c.IFLA_NET_NS_FD, netns)
        + _optional(c.IFLA_GROUP, group)
        + _optional(c.IFLA_TXQLEN, txqlen)
        + _family_settings(arp_notify, addr_gen_mode),
        doing=f"change {called(index, name)}",
    )


def change_port(
    *,
    index: int,
    hairpin: bool | None = None,
    isolated: bool | None = None,
    learning: bool | None = None,
    flood: bool | None = None,
    multicast_flood: bool | None = None,
    broadcast_flood: bool | None = None,
    neighbour_suppression: bool | None = None,
) -> Request:
    """Change what is given of a bridge's port.

    Equivalent to: `bridge link set dev NAME hairpin on isolated on learning on
    flood on mcast_flood on bcast_flood on neigh_suppress on`.

    Args:
        index: the port's link.
        hairpin: packets may leave by the port that they came from.
        isolated: no packets to other isolated ports.
        flood: unicast packets to unknown MACs leave by it.
    """
    settings = {
        c.IFLA_BRPORT_MODE: hairpin,
        c.IFLA_BRPORT_ISOLATED: isolated,
        c.IFLA_BRPORT_LEARNING: learning,
        c.IFLA_BRPORT_UNICAST_FLOOD: flood,
        c.IFLA_BRPORT_MCAST_FLOOD: multicast_flood,
        c.IFLA_BRPORT_BCAST_FLOOD: broadcast_flood,
        c.IFLA_BRPORT_NEIGH_SUPPRESS: neighbour_suppression,
    }
    given = [u8(kind, value) for kind, value in settings.items() if value is not None]
    return Request(
        kind=c.RTM_SETLINK,
        flags=0,
        body=header(family=c.AF_BRIDGE, index=index) + nested(c.IFLA_PROTINFO, *given),
        doing=f"change bridge port {index}",
    )


def delete_link(*, index: int = 0, name: str = "") -> Request:
    """Delete the link with this index or, without one, this name.

    Equivalent to: `ip link delete dev NAME`.
    """
    return Request(
        kind=c.RTM_DELLINK,
        flags=0,
        body=header(index=index) + _identity("" if index else name),
        doing=f"delete {called(index, name)}",
    )


def delete_group(group: int) -> Request:
    """Delete all links of a group at once; the kernel waits once for all of them.

    Equivalent to: `ip link delete group GROUP`. The kernel refuses group 0, in
    which every link is by default.
    """
    return Request(
        kind=c.RTM_DELLINK,
        flags=0,
        body=header() + u32(c.IFLA_GROUP, group),
        doing=f"delete link group {group}",
    )


def _identity(name: str = "", mac: str = "", mtu: int = 0) -> bytes:
    return (
        (text(c.IFLA_IFNAME, name) if name else b"")
        + (address(c.IFLA_ADDRESS, mac) if mac else b"")
        + (u32(c.IFLA_MTU, mtu) if mtu else b"")
    )


def _optional(kind: int, value: int | None) -> bytes:
    return b"" if value is None else u32(kind, value)


def _up(up: bool) -> int:
    return c.IFF_UP if up else 0


def _switches(wanted: dict[int, bool | None]) -> tuple[int, int]:
    """Flags to set, and the mask of those that are spoken of."""
    flags = sum(flag for flag, value in wanted.items() if value)
    change = sum(flag for flag, value in wanted.items() if value is not None)
    return flags, change


def _family_settings(arp_notify: bool | None, addr_gen_mode: int | None) -> bytes:
    families = b""
    if arp_notify is not None:
        settings = nested(c.IFLA_INET_CONF, u32(c.IPV4_DEVCONF_ARP_NOTIFY, arp_notify))
        families += nested(c.AF_INET, settings)
    if addr_gen_mode is not None:
        families += nested(c.AF_INET6, u8(c.IFLA_INET6_ADDR_GEN_MODE, addr_gen_mode))
    return nested(c.IFLA_AF_SPEC, families) if families else b""
