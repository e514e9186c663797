"""The keys of type `portmap`, and what they come to for one pod: pure.

Source: the reference plugin's documentation (plugins/meta/portmap);
CNI CONVENTIONS.md, "portMappings".
May import: addr, errors, fields, model, nft's text, record.
"""

from __future__ import annotations

from ipaddress import ip_network

from dari.addr import default_route, host_prefix, parse_address
from dari.errors import BadConfig, UnsupportedField
from dari.fields import flag, items, number, text
from dari.nft.conditions import parse_conditions
from dari.nft.forwarded import MARK as FIREWALL_MARK
from dari.nft.hostrules import DEFAULT_BIT, PROTOCOLS, Claim, Group
from dari.record import Record

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

    from dari.model import IPAddress, IPInterface, IPNetwork, Json, Request, Result

_HIGHEST_PORT, _HIGHEST_BIT = 65535, 31
_LOOPBACK = ip_network("127.0.0.0/8")
_VERSIONS = (4, 6)


class Mapping(Record):
    """One of `portMappings`; `host_ip` is None for all of the node's addresses."""

    host_port: int
    container_port: int
    protocol: str
    host_ip: IPAddress | None


class PortConf(Record):
    """A `portmap` configuration; `groups` are one for each IP version, without sources."""

    mappings: tuple[Mapping, ...]
    snat: bool
    masquerade_all: bool
    groups: tuple[Group, ...]


def parse_portmap(request: Request) -> PortConf:
    """Read the configuration of type `portmap`.

    Raises:
        BadConfig: a key has a wrong value, or two exclude each other.
        UnsupportedField: a key asks for what dari's rules cannot do.
    """
    raw = request.conf.raw
    snat = flag(raw, "snat", True)
    _check_backend(raw, snat)
    bit = number(raw, "markMasqBit", DEFAULT_BIT, high=_HIGHEST_BIT)
    if 1 << bit == FIREWALL_MARK:
        raise UnsupportedField(
            f"markMasqBit: bit {bit} is what dari's own firewall marks with",
            f"choose another, such as {DEFAULT_BIT}",
        )
    return PortConf(
        mappings=parse_mappings(request.conf.runtime_config),
        snat=snat,
        masquerade_all=flag(raw, "masqAll"),
        groups=tuple(
            Group(version=version, conditions=_conditions(raw, version), bit=bit)
            for version in _VERSIONS
        ),
    )


def parse_mappings(runtime_config: Json) -> tuple[Mapping, ...]:
    """`portMappings` of runtimeConfig.

    Raises:
        BadConfig: one of them is none.
    """
    listed = items(runtime_config, "portMappings")
    return tuple(_mapping(each, f"portMappings[{place}]") for place, each in enumerate(listed))


def make_claims(request: Request, conf: PortConf, previous: Result) -> tuple[Claim, ...]:
    """What the pod gets: each mapping in each family that it has an address of.

    Raises:
        BadConfig: one host port would lead to two places.
    """
    chosen: list[Claim] = []
    for each in _all_claims(request, conf, previous):
        if not any(_covers(other, each) for other in chosen):
            chosen = [other for other in chosen if not _covers(each, other)]
            chosen.append(each)
    for place, each in enumerate(chosen):
        for other in chosen[:place]:
            if each.meets(other):
                raise BadConfig(
                    f"portMappings: {other.place} leads to port {other.to_port}, "
                    f"and {each.place} to port {each.to_port}"
                )
    return tuple(chosen)


def pod_addresses(request: Request, previous: Result) -> tuple[IPInterface, ...]:
    """The pod's first address of each family, as the plugins before this one tell."""
    found: dict[int, IPInterface] = {}
    for ip in previous.ips:
        known = ip.interface is not None and ip.interface < len(previous.interfaces)
        if known and ip.interface is not None:
            interface = previous.interfaces[ip.interface]
            if interface.name != request.ifname or not interface.sandbox:
                continue
        found.setdefault(ip.address.version, ip.address)
    return tuple(found.values())


def _all_claims(request: Request, conf: PortConf, previous: Result) -> Iterator[Claim]:
    groups = {each.version: each for each in conf.groups}
    for address in pod_addresses(request, previous):
        for mapping in conf.mappings:
            at = _at(mapping.host_ip, address.version)
            if at is not None:
                yield Claim(
                    owner=request.owner,
                    network=request.conf.name,
                    protocol=mapping.protocol,
                    port=mapping.host_port,
                    at=at,
                    to=address.ip,
                    to_port=mapping.container_port,
                    group=groups[address.version].replace(sources=_sources(conf, address)),
                )


def _covers(one: Claim, other: Claim) -> bool:
    """Does the one do all that the other would?"""
    same_target = (one.to, one.to_port) == (other.to, other.to_port)
    return same_target and one.meets(other) and one.at.prefixlen <= other.at.prefixlen


def _at(host_ip: IPAddress | None, version: int) -> IPNetwork | None:
    """Where on the host; None where not in this family."""
    if host_ip is None:
        return default_route(version)
    if host_ip.version != version:
        return None
    return default_route(version) if host_ip.is_unspecified else host_prefix(host_ip)


def _sources(conf: PortConf, address: IPInterface) -> tuple[IPNetwork, ...]:
    """Whose connections to the host port must be masqueraded.

    An answer to the pod's own network would go there straight, past the node; one to
    127.0.0.1 would go nowhere.
    """
    if not conf.snat:
        return ()
    if conf.masquerade_all or address.network.prefixlen == 0:
        return (default_route(address.version),)
    return (address.network, _LOOPBACK) if address.version == 4 else (address.network,)


def _check_backend(raw: Json, snat: bool) -> None:
    backend = text(raw, "backend")
    if backend not in ("", "iptables", "nftables"):
        raise BadConfig(f"backend: {backend!r} is neither iptables nor nftables")
    if not text(raw, "externalSetMarkChain"):
        return
    if raw.get("markMasqBit") is not None:
        raise BadConfig("externalSetMarkChain and markMasqBit exclude each other: set one of them")
    if snat:
        raise UnsupportedField(
            "externalSetMarkChain: a chain of iptables cannot be entered from nftables",
            "remove externalSetMarkChain: dari masquerades what needs it by itself",
        )


def _conditions(raw: Json, version: int) -> str:
    key = f"conditionsV{version}"
    return parse_conditions(items(raw, key), version, key)


def _mapping(entry: object, where: str) -> Mapping:
    if not isinstance(entry, dict):
        raise BadConfig(f"{where}: {entry!r} is not an object")
    try:
        return Mapping(
            host_port=_port(entry, "hostPort"),
            container_port=_port(entry, "containerPort"),
            protocol=_protocol(text(entry, "protocol", "tcp")),
            host_ip=_host_ip(text(entry, "hostIP")),
        )
    except BadConfig as error:
        raise BadConfig(f"{where}.{error.message}") from None


def _port(entry: Json, key: str) -> int:
    if entry.get(key) is None:
        raise BadConfig(f"{key}: missing")
    return number(entry, key, low=1, high=_HIGHEST_PORT)


def _protocol(given: str) -> str:
    protocol = given.lower() or "tcp"
    if protocol not in PROTOCOLS:
        raise BadConfig(f"protocol: {given!r} is none of {', '.join(PROTOCOLS)}")
    return protocol


def _host_ip(given: str) -> IPAddress | None:
    if not given:
        return None
    address = parse_address(given, "hostIP")
    if address.version == 6:
        if address.scope_id is not None:
            raise BadConfig(f"hostIP: {given!r} has a zone, which a rule cannot have")
        return address.ipv4_mapped or address
    return address
