"""What each builder writes, read by pyroute2; and that no builder is left out."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from ipaddress import ip_address, ip_interface, ip_network
from types import ModuleType

import pytest
from pyroute2.netlink.rtnl.fibmsg import fibmsg
from pyroute2.netlink.rtnl.ifaddrmsg import ifaddrmsg
from pyroute2.netlink.rtnl.ifinfmsg import ifinfmsg
from pyroute2.netlink.rtnl.ndmsg import ndmsg
from pyroute2.netlink.rtnl.rtmsg import rtmsg

from dari.netlink import address, linkchange, neighbour, route, rule
from dari.netlink import constants as c
from dari.netlink.codec import Request, parse_attributes
from dari.netlink.neighbour import Neighbour
from dari.netlink.route import KernelRoute, NextHop
from dari.netlink.rule import Rule
from tests.unit.netlink.witness import Fields, decoded

MAC, OTHER_MAC = "0a:58:0a:16:00:05", "0a:58:0a:16:00:06"
NEW = c.NLM_F_CREATE | c.NLM_F_EXCL
REPLACE = c.NLM_F_CREATE | c.NLM_F_REPLACE
V4, V6 = ip_address("10.22.0.5"), ip_address("fd00::5")
PREFIX = ip_network("10.23.0.0/16")
ROUTE = KernelRoute(dst=PREFIX, gateway=V4, device=3, protocol=79)
ROUTE_FIELDS = {"family": 2, "dst_len": 16, "table": 254, "proto": 79, "scope": 0, "type": 1}
ROUTE_ATTRIBUTES = {
    "RTA_DST": "10.23.0.0",
    "RTA_GATEWAY": "10.22.0.5",
    "RTA_OIF": 3,
    "RTA_TABLE": 254,
}
HOPS = (NextHop(gateway=V4, device=3, weight=2), NextHop(device=4, onlink=True))
ENTRY = Neighbour(index=3, address=V4, mac=MAC)
ENTRY_FIELDS = {"family": 2, "ifindex": 3, "state": 0x80, "flags": 0}
ENTRY_ATTRIBUTES = {"NDA_DST": "10.22.0.5", "NDA_LLADDR": MAC}
FDB_FIELDS = {"family": 7, "ifindex": 3, "state": 0x80, "flags": c.NTF_SELF}
RULE = Rule(version=4, priority=100, table=1000, src=PREFIX, protocol=79)
RULE_FIELDS = {"family": 2, "src_len": 16, "dst_len": 0, "table": 0, "action": 1, "flags": 0}
RULE_ATTRIBUTES = {
    "FRA_PRIORITY": 100,
    "FRA_SRC": "10.23.0.0",
    "FRA_TABLE": 1000,
    "FRA_PROTOCOL": 79,
}

Case = tuple[str, Request, int, int, Fields, Fields]

LINK_CASES: list[Case] = [
    (
        "add_bridge",
        linkchange.add_bridge("cni0", mac=MAC, mtu=1400, up=True),
        c.RTM_NEWLINK,
        NEW,
        {"index": 0, "flags": 1, "change": 1},
        {
            "IFLA_IFNAME": "cni0",
            "IFLA_ADDRESS": MAC,
            "IFLA_MTU": 1400,
            "IFLA_LINKINFO": {"IFLA_INFO_KIND": "bridge"},
        },
    ),
    (
        "add_bridge",
        linkchange.add_bridge("cni0"),
        c.RTM_NEWLINK,
        NEW,
        {"flags": 0, "change": 0},
        {"IFLA_IFNAME": "cni0", "IFLA_LINKINFO": {"IFLA_INFO_KIND": "bridge"}},
    ),
    (
        "add_veth",
        linkchange.add_veth(
            "dari1",
            peer="eth0",
            peer_netns=9,
            mac=MAC,
            peer_mac=OTHER_MAC,
            mtu=1400,
            master=4,
            up=True,
            group=7,
        ),
        c.RTM_NEWLINK,
        NEW,
        {"index": 0, "flags": 1, "change": 1},
        {
            "IFLA_IFNAME": "dari1",
            "IFLA_ADDRESS": MAC,
            "IFLA_MTU": 1400,
            "IFLA_MASTER": 4,
            "IFLA_GROUP": 7,
            "IFLA_LINKINFO": {
                "IFLA_INFO_KIND": "veth",
                "IFLA_INFO_DATA": {
                    "VETH_INFO_PEER": {
                        "IFLA_IFNAME": "eth0",
                        "IFLA_ADDRESS": OTHER_MAC,
                        "IFLA_MTU": 1400,
                        "IFLA_NET_NS_FD": 9,
                    }
                },
            },
        },
    ),
    (
        "change_link",
        linkchange.change_link(
            index=4,
            up=True,
            promisc=False,
            allmulti=True,
            master=0,
            mtu=1400,
            mac=MAC,
            alias="dari net pod eth0",
            new_name="eth0",
            netns=9,
            group=0,
            txqlen=1000,
            addr_gen_mode=1,
        ),
        c.RTM_SETLINK,
        0,
        {"index": 4, "flags": c.IFF_UP | c.IFF_ALLMULTI, "change": 0x301},
        {
            "IFLA_IFNAME": "eth0",
            "IFLA_ADDRESS": MAC,
            "IFLA_MTU": 1400,
            "IFLA_MASTER": 0,
            "IFLA_IFALIAS": "dari net pod eth0",
            "IFLA_NET_NS_FD": 9,
            "IFLA_GROUP": 0,
            "IFLA_TXQLEN": 1000,
            "IFLA_AF_SPEC": {"AF_INET6": {"IFLA_INET6_ADDR_GEN_MODE": 1}},
        },
    ),
    (
        "change_link",
        linkchange.change_link(name="eth0", up=False),
        c.RTM_SETLINK,
        0,
        {"index": 0, "flags": 0, "change": c.IFF_UP},
        {"IFLA_IFNAME": "eth0"},
    ),
    (
        "change_port",
        linkchange.change_port(
            index=4,
            hairpin=True,
            isolated=True,
            learning=False,
            flood=True,
            multicast_flood=False,
            broadcast_flood=True,
            neighbour_suppression=True,
        ),
        c.RTM_SETLINK,
        0,
        {"family": 7, "index": 4, "change": 0},
        {
            "IFLA_PROTINFO": {
                "IFLA_BRPORT_MODE": 1,
                "IFLA_BRPORT_ISOLATED": 1,
                "IFLA_BRPORT_LEARNING": 0,
                "IFLA_BRPORT_UNICAST_FLOOD": 1,
                "IFLA_BRPORT_MCAST_FLOOD": 0,
                "IFLA_BRPORT_BCAST_FLOOD": 1,
                "IFLA_BRPORT_NEIGH_SUPPRESS": 1,
            }
        },
    ),
    ("delete_link", linkchange.delete_link(index=4, name="x"), c.RTM_DELLINK, 0, {"index": 4}, {}),
    (
        "delete_link",
        linkchange.delete_link(name="cni0"),
        c.RTM_DELLINK,
        0,
        {"index": 0},
        {"IFLA_IFNAME": "cni0"},
    ),
    ("delete_group", linkchange.delete_group(7), c.RTM_DELLINK, 0, {"index": 0}, {"IFLA_GROUP": 7}),
]

ADDRESS_CASES: list[Case] = [
    (
        "add_address",
        address.add_address(3, ip_interface("10.22.0.5/16")),
        c.RTM_NEWADDR,
        NEW,
        {"family": 2, "prefixlen": 16, "index": 3, "scope": 0},
        {
            "IFA_LOCAL": "10.22.0.5",
            "IFA_ADDRESS": "10.22.0.5",
            "IFA_BROADCAST": "10.22.255.255",
        },
    ),
    (
        "add_address",
        address.add_address(3, ip_interface("10.22.0.5/32")),
        c.RTM_NEWADDR,
        NEW,
        {"family": 2, "prefixlen": 32},
        {"IFA_LOCAL": "10.22.0.5", "IFA_ADDRESS": "10.22.0.5"},
    ),
    (
        "add_address",
        address.add_address(3, ip_interface("fd00::5/64")),
        c.RTM_NEWADDR,
        NEW,
        {"family": 10, "prefixlen": 64},
        {"IFA_LOCAL": "fd00::5", "IFA_ADDRESS": "fd00::5", "IFA_FLAGS": c.IFA_F_NODAD},
    ),
    (
        "add_address",
        address.add_address(3, ip_interface("fd00::5/64"), dad=True),
        c.RTM_NEWADDR,
        NEW,
        {"family": 10, "prefixlen": 64},
        {"IFA_LOCAL": "fd00::5", "IFA_ADDRESS": "fd00::5"},
    ),
    (
        "delete_address",
        address.delete_address(3, ip_interface("fd00::5/64")),
        c.RTM_DELADDR,
        0,
        {"family": 10, "prefixlen": 64, "index": 3},
        {"IFA_LOCAL": "fd00::5", "IFA_ADDRESS": "fd00::5"},
    ),
]

ROUTE_CASES: list[Case] = [
    ("add_route", route.add_route(ROUTE), c.RTM_NEWROUTE, NEW, ROUTE_FIELDS, ROUTE_ATTRIBUTES),
    (
        "add_route",
        route.add_route(
            ROUTE.replace(
                gateway=V6, table=1000, metric=5, mtu=1400, advmss=1360, source=V4, onlink=True
            )
        ),
        c.RTM_NEWROUTE,
        NEW,
        {**ROUTE_FIELDS, "table": 0, "flags": c.RTNH_F_ONLINK},
        {
            "RTA_DST": "10.23.0.0",
            "RTA_VIA": {"family": 10, "addr": "fd00::5"},
            "RTA_OIF": 3,
            "RTA_TABLE": 1000,
            "RTA_PRIORITY": 5,
            "RTA_PREFSRC": "10.22.0.5",
            "RTA_METRICS": {"RTAX_MTU": 1400, "RTAX_ADVMSS": 1360},
        },
    ),
    (
        "add_route",
        route.add_route(ROUTE.replace(gateway=None, device=0, hops=HOPS)),
        c.RTM_NEWROUTE,
        NEW,
        {**ROUTE_FIELDS, "scope": 0},
        {
            "RTA_DST": "10.23.0.0",
            "RTA_TABLE": 254,
            "RTA_MULTIPATH": [
                {"hops": 1, "oif": 3, "RTA_GATEWAY": "10.22.0.5"},
                {"flags": c.RTNH_F_ONLINK, "oif": 4},
            ],
        },
    ),
    (
        "replace_route",
        route.replace_route(KernelRoute(dst=ip_network("fd01::/48"), device=3)),
        c.RTM_NEWROUTE,
        REPLACE,
        {"family": 10, "dst_len": 48, "table": 254, "proto": 3, "scope": 0, "type": 1},
        {"RTA_DST": "fd01::", "RTA_OIF": 3, "RTA_TABLE": 254},
    ),
    (
        "replace_route",
        route.replace_route(KernelRoute(dst=PREFIX, device=3)),
        c.RTM_NEWROUTE,
        REPLACE,
        {"family": 2, "scope": c.RT_SCOPE_LINK},
        {"RTA_DST": "10.23.0.0", "RTA_OIF": 3, "RTA_TABLE": 254},
    ),
    (
        "delete_route",
        route.delete_route(ROUTE),
        c.RTM_DELROUTE,
        0,
        {**ROUTE_FIELDS, "scope": c.RT_SCOPE_NOWHERE},
        ROUTE_ATTRIBUTES,
    ),
]

NEIGHBOUR_CASES: list[Case] = [
    (name, build(ENTRY), kind, flags, ENTRY_FIELDS, ENTRY_ATTRIBUTES)
    for name, build, kind, flags in [
        ("add_neighbour", neighbour.add_neighbour, c.RTM_NEWNEIGH, NEW),
        ("replace_neighbour", neighbour.replace_neighbour, c.RTM_NEWNEIGH, REPLACE),
        ("delete_neighbour", neighbour.delete_neighbour, c.RTM_DELNEIGH, 0),
    ]
]
FDB_CASES: list[Case] = [
    (name, build(ENTRY), kind, flags, FDB_FIELDS, ENTRY_ATTRIBUTES)
    for name, build, kind, flags in [
        ("append_fdb", neighbour.append_fdb, c.RTM_NEWNEIGH, c.NLM_F_CREATE | c.NLM_F_APPEND),
        ("replace_fdb", neighbour.replace_fdb, c.RTM_NEWNEIGH, REPLACE),
        ("delete_fdb", neighbour.delete_fdb, c.RTM_DELNEIGH, 0),
    ]
]
FDB_CASES.append(
    (
        "replace_fdb",
        neighbour.replace_fdb(
            Neighbour(index=3, mac=MAC, flags=c.NTF_MASTER, vlan=2, vni=7, device=9)
        ),
        c.RTM_NEWNEIGH,
        REPLACE,
        {**FDB_FIELDS, "flags": c.NTF_MASTER},
        {"NDA_LLADDR": MAC, "NDA_VLAN": 2, "NDA_VNI": 7, "NDA_IFINDEX": 9},
    )
)

RULE_CASES: list[Case] = [
    ("add_rule", rule.add_rule(RULE), c.RTM_NEWRULE, NEW, RULE_FIELDS, RULE_ATTRIBUTES),
    ("delete_rule", rule.delete_rule(RULE), c.RTM_DELRULE, 0, RULE_FIELDS, RULE_ATTRIBUTES),
    (
        "add_rule",
        rule.add_rule(
            Rule(
                version=6,
                priority=100,
                dst=ip_network("fd01::/48"),
                incoming="eth0",
                outgoing="eth1",
                mark=1,
                mask=3,
                inverted=True,
                suppress_prefixlen=0,
            )
        ),
        c.RTM_NEWRULE,
        NEW,
        {"family": 10, "dst_len": 48, "table": 254, "flags": c.FIB_RULE_INVERT},
        {
            "FRA_PRIORITY": 100,
            "FRA_DST": "fd01::",
            "FRA_IIFNAME": "eth0",
            "FRA_OIFNAME": "eth1",
            "FRA_FWMARK": 1,
            "FRA_FWMASK": 3,
            "FRA_TABLE": 254,
            "FRA_PROTOCOL": 3,
            "FRA_SUPPRESS_PREFIXLEN": 0,
        },
    ),
]

MESSAGES = [
    (ifinfmsg, LINK_CASES),
    (ifaddrmsg, ADDRESS_CASES),
    (rtmsg, ROUTE_CASES),
    (ndmsg, NEIGHBOUR_CASES),
    (ndmsg, FDB_CASES),
    (fibmsg, RULE_CASES),
]
ALL = [(message, *case) for message, cases in MESSAGES for case in cases]


@pytest.mark.parametrize(
    ("message", "name", "request_", "kind", "flags", "fields", "attributes"),
    ALL,
    ids=[case[1] for case in ALL],
)
def test_pyroute2_reads_what_was_meant(
    message: type,
    name: str,
    request_: Request,
    kind: int,
    flags: int,
    fields: Fields,
    attributes: Fields,
) -> None:
    assert (request_.kind, request_.flags) == (kind, flags)
    seen_fields, seen_attributes = decoded(message, request_)
    assert {field: seen_fields[field] for field in fields} == fields
    assert seen_attributes == attributes


def builders(module: ModuleType) -> dict[str, Callable[..., object]]:
    return {
        name: function
        for name, function in inspect.getmembers(module, inspect.isfunction)
        if function.__module__ == module.__name__
        and not name.startswith("_")
        and function.__annotations__["return"] == "Request"
    }


def test_every_builder_is_tried_here_and_names_its_command() -> None:
    tried = {case[1] for case in ALL}
    for module in (linkchange, address, route, neighbour, rule):
        found = builders(module)
        assert found
        for name, function in found.items():
            assert name in tried
            assert "Equivalent to: `" in (function.__doc__ or "")


def test_arp_notify_is_a_setting_of_the_ipv4_part() -> None:
    _, attributes = decoded(ifinfmsg, linkchange.change_link(index=4, arp_notify=True))
    part = attributes["IFLA_AF_SPEC"]["AF_INET"]
    assert parse_attributes(part).nested(2).nested(1).u32(22) == 1


def test_wrong_use_is_refused_before_the_kernel_sees_it() -> None:
    with pytest.raises(ValueError, match="by index"):
        linkchange.change_link(name="eth0", new_name="eth1")
    with pytest.raises(ValueError, match="address"):
        neighbour.add_neighbour(Neighbour(index=3, mac=MAC))


def test_requests_say_what_they_do() -> None:
    assert linkchange.add_bridge("cni0").doing == "add bridge cni0"
    assert linkchange.change_link(index=4, up=True).doing == "change link 4"
    assert route.add_route(ROUTE).doing == "add route to 10.23.0.0/16 via 10.22.0.5"
    assert address.add_address(3, ip_interface("fd00::5/64")).doing == (
        "add address fd00::5/64 to link 3"
    )
