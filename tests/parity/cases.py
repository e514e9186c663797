"""The matrix: which configurations are tried on both sides.

A case says what differs from a plain chain of `bridge` with `host-local`, in words that
hold for both families; `chain_of` makes the plugins' configurations of it.
"""

from __future__ import annotations

from collections.abc import Mapping
from ipaddress import ip_network
from types import MappingProxyType

from dari.record import Record

Conf = dict[str, object]

FAMILIES: Mapping[str, tuple[int, ...]] = {"IPv4": (4,), "IPv6": (6,), "both": (4, 6)}
VERSIONS = ("0.3.1", "0.4.0", "1.0.0")
"""Debian's release of the reference knows none newer."""

SUBNETS = {4: "10.22.0.0/16", 6: "fd22::/64"}
DEFAULTS = {4: "0.0.0.0/0", 6: "::/0"}
MAC = "0a:00:00:00:00:01"
MACS = (MAC, "0a:00:00:00:00:02", "0a:00:00:00:00:03")
MEGABIT = 1_000_000
WEB: Conf = {"hostPort": 8080, "containerPort": 80, "protocol": "tcp"}


NOTHING: Conf = {}


class Case(Record):
    """One configuration.

    Attributes:
        bridge: keys that the first plugin has besides type, name and version.
        ipam: keys of its `ipam` besides the ranges.
        range_keys: what each range has besides its subnet: key to the number of the
            address in the subnet.
        pools: into how many ranges each family's subnet is divided.
        ask: numbers of the addresses that the runtime asks for; see `how`.
        how: ``IP`` (CNI_ARGS), ``args`` (args.cni.ips), ``runtime`` (runtimeConfig.ips).
        args: CNI_ARGS besides that.
        chained: configurations of further plugins, without name and version.
        before: commands on the node before the first ADD.
        type: the first plugin's.
    """

    bridge: Conf = NOTHING
    ipam: Conf | None = NOTHING
    range_keys: Mapping[str, int] = MappingProxyType({})
    pools: int = 1
    ask: tuple[int, ...] = ()
    how: str = ""
    args: str = ""
    chained: tuple[Conf, ...] = ()
    before: tuple[str, ...] = ()
    type: str = "bridge"

    @property
    def versions(self) -> tuple[str, ...]:
        """The versions that all of the reference's plugins in it know."""
        firewall = any(each["type"] == "firewall" for each in self.chained)
        return VERSIONS[1:] if firewall else VERSIONS


GATEWAY: Conf = {"bridge": "cni0", "isGateway": True}
DEFAULT: Conf = {"bridge": "cni0", "isDefaultGateway": True}
MASQUERADED: Conf = {**DEFAULT, "ipMasq": True}
PORTS: Conf = {
    "type": "portmap",
    "capabilities": {"portMappings": True},
    "runtimeConfig": {"portMappings": [WEB]},
}
LIMITS: Conf = {
    "type": "bandwidth",
    "ingressRate": 80 * MEGABIT,
    "ingressBurst": 2 * MEGABIT,
    "egressRate": 80 * MEGABIT,
    "egressBurst": 2 * MEGABIT,
}
TUNED: Conf = {"type": "tuning", "sysctl": {"net.core.somaxconn": "99"}, "mtu": 1400}

CASES: Mapping[str, Case] = {
    "gateway, masquerade": Case(bridge=MASQUERADED),
    "gateway": Case(bridge=GATEWAY),
    "no gateway": Case(
        # Given a MAC, or it would change as ports come, which the reference's CHECK calls damage.
        bridge={"bridge": "cni9"},
        before=("ip link add cni9 address 0a:00:00:00:00:09 type bridge",),
    ),
    "the default bridge": Case(bridge={"isGateway": True}),
    "hairpinMode": Case(bridge={**MASQUERADED, "hairpinMode": True}),
    "promiscMode": Case(bridge={**GATEWAY, "promiscMode": True}),
    "mtu": Case(bridge={**DEFAULT, "mtu": 1400}),
    "forceAddress": Case(
        bridge={**DEFAULT, "forceAddress": True},
        before=(
            "ip link add cni0 type bridge",
            "ip address add 10.22.5.1/16 dev cni0",
            "ip address add fd22::5:1/64 dev cni0 nodad",
        ),
    ),
    "macspoofchk": Case(bridge={**DEFAULT, "macspoofchk": True}),
    "layer 2": Case(bridge={"bridge": "cni0"}, ipam=None),
    "MAC": Case(bridge=GATEWAY, args=f"IgnoreUnknown=1;MAC={MAC}"),
    "args.cni.mac": Case(
        bridge={**GATEWAY, "args": {"cni": {"mac": MACS[1]}}}, args=f"IgnoreUnknown=1;MAC={MAC}"
    ),
    "runtime's mac": Case(
        bridge={
            **GATEWAY,
            "args": {"cni": {"mac": MACS[1]}},
            "runtimeConfig": {"mac": MACS[2]},
            "capabilities": {"mac": True},
        }
    ),
    "dns": Case(bridge={**GATEWAY, "dns": {"nameservers": ["9.9.9.9"], "search": ["a.example"]}}),
    "rangeStart, rangeEnd, gateway": Case(
        bridge=DEFAULT, range_keys={"rangeStart": 10, "rangeEnd": 20, "gateway": 7}
    ),
    "a pool of ranges": Case(bridge=GATEWAY, pools=2),
    "dataDir": Case(bridge=GATEWAY, ipam={"dataDir": "/run/leases"}),
    "resolvConf": Case(
        bridge=GATEWAY,
        ipam={"resolvConf": "/run/resolv.conf"},
        before=("cp tests/parity/resolv.conf /run/resolv.conf",),
    ),
    "IP": Case(bridge=GATEWAY, ask=(99,), how="IP"),
    "args.cni.ips": Case(bridge=GATEWAY, ask=(99,), how="args"),
    "runtime's ips": Case(bridge=GATEWAY, ask=(99,), how="runtime"),
    "runtime's ipRanges": Case(bridge=GATEWAY, ipam={"ranges": []}, how="ranges"),
    "portmap": Case(bridge={**MASQUERADED, "hairpinMode": True}, chained=(PORTS,)),
    "portmap without snat": Case(
        bridge=MASQUERADED, chained=({**PORTS, "snat": False, "backend": "iptables"},)
    ),
    "portmap, another mark": Case(bridge=MASQUERADED, chained=({**PORTS, "markMasqBit": 9},)),
    "portmap with conditions": Case(
        bridge=MASQUERADED,
        chained=(
            {
                **PORTS,
                "conditionsV4": ["!", "-s", "192.0.2.2"],
                "conditionsV6": ["!", "-s", "2001:db8::2"],
            },
        ),
    ),
    "firewall": Case(
        bridge=MASQUERADED,
        chained=({"type": "firewall", "backend": "iptables"},),
        before=("iptables -P FORWARD DROP", "ip6tables -P FORWARD DROP"),
    ),
    "firewall, same-bridge": Case(
        bridge=MASQUERADED,
        chained=(
            {
                "type": "firewall",
                "ingressPolicy": "same-bridge",
                "iptablesAdminChainName": "CNI-ADMIN",
            },
        ),
    ),
    "all in a chain": Case(
        bridge={**MASQUERADED, "hairpinMode": True},
        chained=(TUNED, LIMITS, {"type": "firewall"}, PORTS),
    ),
    "ptp, masquerade": Case(type="ptp", bridge={"ipMasq": True}, ipam={"routes": True}),
    "ptp and a chain": Case(
        type="ptp",
        bridge={"ipMasq": True},
        ipam={"routes": True},
        chained=(TUNED, LIMITS, {"type": "firewall"}, PORTS),
    ),
}

REFUSED: Mapping[str, Case] = {
    "hairpin and promiscuous": Case(bridge={"hairpinMode": True, "promiscMode": True}),
    "vlan out of range": Case(bridge={"vlan": 4095}),
    "a bridge that is none": Case(
        bridge=GATEWAY, before=("ip link add cni0 type veth peer name other",)
    ),
    "another address on the bridge": Case(
        bridge=GATEWAY,
        before=("ip link add cni0 type bridge", "ip address add 10.22.5.1/16 dev cni0"),
    ),
    "no such range": Case(bridge=GATEWAY, ask=(99,), how="elsewhere"),
    "an unknown plugin for addresses": Case(bridge=GATEWAY, ipam={"type": "nowhere"}),
    "a rate alone": Case(bridge=GATEWAY, chained=({"type": "bandwidth", "ingressRate": 8},)),
    "a port out of range": Case(
        bridge=GATEWAY,
        chained=({**PORTS, "runtimeConfig": {"portMappings": [{**WEB, "hostPort": -1}]}},),
    ),
    "a setting outside": Case(
        bridge=GATEWAY, chained=({"type": "tuning", "sysctl": {"kernel.hostname": "x"}},)
    ),
}


def chain_of(case: Case, versions: tuple[int, ...], cni_version: str) -> list[Conf]:
    """The plugins' configurations in order, for these IP versions and this cniVersion."""
    named: Conf = {"cniVersion": cni_version, "name": "mynet"}
    first: Conf = {**named, "type": case.type, **case.bridge}
    if case.ipam is not None:
        first["ipam"] = _ipam(case, versions)
    asked = [_address(SUBNETS[each], number) for each in versions for number in case.ask]
    if case.how == "args":
        first["args"] = {"cni": {"ips": asked}}
    elif case.how == "runtime":
        first |= {"runtimeConfig": {"ips": asked}, "capabilities": {"ips": True}}
    elif case.how == "ranges":
        first["runtimeConfig"] = {"ipRanges": [[{"subnet": _half(each)}] for each in versions]}
    return [first, *({**named, **each} for each in case.chained)]


def args_of(case: Case, versions: tuple[int, ...]) -> str:
    """CNI_ARGS."""
    if case.how == "elsewhere":
        return "IgnoreUnknown=1;IP=172.31.0.9"
    if case.how == "IP":
        # The reference takes one address there.
        return f"IgnoreUnknown=1;IP={_address(SUBNETS[versions[0]], case.ask[0])}"
    return case.args


def _ipam(case: Case, versions: tuple[int, ...]) -> Conf:
    given: Conf = dict(case.ipam or {})
    if given.pop("routes", None):
        given["routes"] = [{"dst": DEFAULTS[each]} for each in versions]
    return {"type": "host-local", "ranges": [_ranges(case, each) for each in versions], **given}


def _ranges(case: Case, version: int) -> list[Conf]:
    subnet = ip_network(SUBNETS[version])
    parts = [subnet] if case.pools == 1 else list(subnet.subnets(case.pools - 1))[: case.pools]
    found: list[Conf] = []
    for each in map(str, parts):
        own = {key: _address(each, number) for key, number in case.range_keys.items()}
        found.append({"subnet": each, **own})
    return found


def _half(version: int) -> str:
    return str(next(iter(ip_network(SUBNETS[version]).subnets(1))))


def _address(subnet: str, number: int) -> str:
    return str(ip_network(subnet)[number])
