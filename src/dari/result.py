"""CNI results on the wire: every version's shape from and to one `Result`.

==============  ===================================================================
0.1.0, 0.2.0    ``ip4`` and ``ip6``, one address each with its routes, and ``dns``
0.3.0 to 0.4.0  lists: ``interfaces``, ``ips`` (each with its ``version``), ``routes``
1.0.0           the same without ``ips[].version``
1.1.0           interfaces gain mtu, socketPath, pciID; routes gain mtu, advmss,
                priority, table, scope
==============  ===================================================================

What a version does not know stays in `extra` and is written back: a plugin in
the middle of a chain must not lose what another one said.

Source: CNI SPEC.md 0.1.0 to 1.1.0, "Result"; libcni's converters for what
survives on the way down.
May import: model, addr, fields, errors.
"""

from __future__ import annotations

from dari.addr import parse_address, parse_interface, parse_network
from dari.errors import BadConfig, IncompatibleVersion, Undecodable
from dari.fields import items, number, section, text
from dari.model import DNS, EMPTY, Interface, IPConfig, Result, Route

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Collection
    from typing import TypeVar

    from dari.model import IPAddress, Json

    T = TypeVar("T")

SUPPORTED = ("0.1.0", "0.2.0", "0.3.0", "0.3.1", "0.4.0", "1.0.0", "1.1.0")
OLDEST = SUPPORTED[0]
CURRENT = SUPPORTED[-1]

_U32 = 2**32 - 1
_RESULT_KEYS = ("cniVersion", "interfaces", "ips", "routes", "dns")
_FLAT_KEYS = ("cniVersion", "ip4", "ip6", "dns")
_IP_KEYS = ("version", "address", "gateway", "interface")
_FLAT_IP_KEYS = ("ip", "gateway", "routes")
_INTERFACE_KEYS = ("name", "mac", "sandbox")
_INTERFACE_KEYS_110 = (*_INTERFACE_KEYS, "mtu", "socketPath", "pciID")
_ROUTE_KEYS = ("dst", "gw")
_ROUTE_KEYS_110 = (*_ROUTE_KEYS, "mtu", "advmss", "priority", "table", "scope")


def at_least(version: str, other: str) -> bool:
    """Whether one of `SUPPORTED` is the other, or a later one."""
    return SUPPORTED.index(version) >= SUPPORTED.index(other)


def decode_result(raw: Json, version: str) -> Result:
    """Read a result, which may be of another version than its configuration.

    Args:
        raw: the decoded JSON object.
        version: the configuration's version, for a result that names none.

    Raises:
        IncompatibleVersion: it names a version that is not in `SUPPORTED`.
        Undecodable: a field, named in the message, is not of its version's shape.
    """
    try:
        own = text(raw, "cniVersion") or version
        if own not in SUPPORTED:
            raise IncompatibleVersion(f"cniVersion: {own!r} is not known")
        return _decode_lists(raw, own) if at_least(own, "0.3.0") else _decode_flat(raw, own)
    except BadConfig as error:
        raise Undecodable(error.message) from None


def encode_result(result: Result, version: str) -> dict[str, object]:
    """Give a result the shape of one of `SUPPORTED`.

    Raises:
        IncompatibleVersion: versions before 0.3.0 cannot say "no address".
    """
    if at_least(version, "0.3.0"):
        return _encode_lists(result, version)
    return _encode_flat(result, version)


def decode_dns(raw: Json) -> DNS:
    """Read the `dns` of a result or a configuration.

    Raises:
        BadConfig: it, or a field of it, is of another type.
    """
    dns = section(raw, "dns")
    return DNS(
        nameservers=_texts(dns, "nameservers"),
        domain=text(dns, "domain"),
        search=_texts(dns, "search"),
        options=_texts(dns, "options"),
    )


def _texts(raw: Json, key: str) -> tuple[str, ...]:
    found = []
    for item in items(raw, key):
        if not isinstance(item, str):
            raise BadConfig(f"dns.{key}: {item!r} is not a string")
        found.append(item)
    return tuple(found)


def _decode_lists(raw: Json, version: str) -> Result:
    interfaces = _each(raw, "interfaces", lambda item: _decode_interface(item, version))
    return Result(
        interfaces=interfaces,
        ips=_each(raw, "ips", lambda item: _decode_ip(item, len(interfaces))),
        routes=_each(raw, "routes", lambda item: _decode_route(item, version)),
        dns=decode_dns(raw),
        extra=_without(raw, _RESULT_KEYS),
    )


def _each(raw: Json, key: str, decode: Callable[[Json], T]) -> tuple[T, ...]:
    """Decode each object of a list; an error says which one."""
    found = []
    for index, item in enumerate(items(raw, key)):
        if not isinstance(item, dict):
            raise BadConfig(f"{key}[{index}]: {item!r} is not an object")
        found.append(_within(f"{key}[{index}]", item, decode))
    return tuple(found)


def _within(where: str, item: Json, decode: Callable[[Json], T]) -> T:
    try:
        return decode(item)
    except BadConfig as error:
        raise BadConfig(f"{where}.{error.message}") from None


def _decode_interface(raw: Json, version: str) -> Interface:
    keys = _INTERFACE_KEYS_110 if at_least(version, "1.1.0") else _INTERFACE_KEYS
    known = _only(raw, keys)
    return Interface(
        name=text(known, "name"),
        mac=text(known, "mac"),
        sandbox=text(known, "sandbox"),
        mtu=number(known, "mtu"),
        socket_path=text(known, "socketPath"),
        pci_id=text(known, "pciID"),
        extra=_without(raw, keys),
    )


def _decode_ip(raw: Json, interfaces: int) -> IPConfig:
    """Read one of `ips`.

    An address manager lists no interfaces, and an index it gives all the same
    means nothing yet; where there are some, it must be one of them.
    """
    index = _optional_number(raw, "interface")
    if index is not None and interfaces and index >= interfaces:
        raise BadConfig(f"interface: {index}, but the result lists only {interfaces}")
    return IPConfig(
        address=parse_interface(raw.get("address"), "address"),
        gateway=_optional_address(raw, "gateway"),
        interface=index,
        extra=_without(raw, _IP_KEYS),
    )


def _decode_route(raw: Json, version: str) -> Route:
    keys = _ROUTE_KEYS_110 if at_least(version, "1.1.0") else _ROUTE_KEYS
    known = _only(raw, keys)
    return Route(
        dst=parse_network(known.get("dst"), "dst"),
        gw=_optional_address(known, "gw"),
        mtu=number(known, "mtu"),
        advmss=number(known, "advmss"),
        priority=_optional_number(known, "priority"),
        table=_optional_number(known, "table"),
        scope=_optional_number(known, "scope"),
        extra=_without(raw, keys),
    )


def _decode_flat(raw: Json, version: str) -> Result:
    parts = [(key, section(raw, key)) for key in ("ip4", "ip6") if raw.get(key) is not None]
    return Result(
        ips=tuple(_within(key, part, _decode_flat_ip) for key, part in parts),
        routes=tuple(
            route
            for key, part in parts
            for route in _within(key, part, lambda item: _decode_routes(item, version))
        ),
        dns=decode_dns(raw),
        extra=_without(raw, _FLAT_KEYS),
    )


def _decode_flat_ip(raw: Json) -> IPConfig:
    return IPConfig(
        address=parse_interface(raw.get("ip"), "ip"),
        gateway=_optional_address(raw, "gateway"),
        extra=_without(raw, _FLAT_IP_KEYS),
    )


def _decode_routes(raw: Json, version: str) -> tuple[Route, ...]:
    return _each(raw, "routes", lambda item: _decode_route(item, version))


def _encode_lists(result: Result, version: str) -> dict[str, object]:
    return {
        **result.extra,
        "cniVersion": version,
        **_filled("interfaces", [_encode_interface(link, version) for link in result.interfaces]),
        **_filled("ips", [_encode_ip(ip, version) for ip in result.ips]),
        **_filled("routes", [_encode_route(route, version) for route in result.routes]),
        **_filled("dns", _encode_dns(result.dns)),
    }


def _encode_interface(link: Interface, version: str) -> dict[str, object]:
    found = {"name": link.name, **_filled("mac", link.mac), **_filled("sandbox", link.sandbox)}
    if at_least(version, "1.1.0"):
        found |= _filled("mtu", link.mtu)
        found |= _filled("socketPath", link.socket_path) | _filled("pciID", link.pci_id)
    return {**link.extra, **found}


def _encode_ip(ip: IPConfig, version: str) -> dict[str, object]:
    family = {} if at_least(version, "1.0.0") else {"version": str(ip.address.version)}
    return {
        **ip.extra,
        **family,
        "address": str(ip.address),
        **_given("gateway", None if ip.gateway is None else str(ip.gateway)),
        **_given("interface", ip.interface),
    }


def _encode_route(route: Route, version: str) -> dict[str, object]:
    gateway = None if route.gw is None else str(route.gw)
    found: dict[str, object] = {"dst": str(route.dst), **_given("gw", gateway)}
    if at_least(version, "1.1.0"):
        found |= _filled("mtu", route.mtu) | _filled("advmss", route.advmss)
        found |= _given("priority", route.priority) | _given("table", route.table)
        found |= _given("scope", route.scope)
    return {**route.extra, **found}


def _encode_dns(dns: DNS) -> dict[str, object]:
    return {
        **_filled("nameservers", list(dns.nameservers)),
        **_filled("domain", dns.domain),
        **_filled("search", list(dns.search)),
        **_filled("options", list(dns.options)),
    }


def _encode_flat(result: Result, version: str) -> dict[str, object]:
    """The first address of each family, with that family's routes."""
    if not result.ips:
        raise IncompatibleVersion(
            f"cniVersion: a result without an address cannot be said in {version}",
            "set cniVersion to 0.3.0 or later",
        )
    found: dict[str, object] = {**result.extra, "cniVersion": version}
    for ip in reversed(result.ips):
        found[f"ip{ip.address.version}"] = _encode_flat_ip(ip, result, version)
    return found | _filled("dns", _encode_dns(result.dns))


def _encode_flat_ip(ip: IPConfig, result: Result, version: str) -> dict[str, object]:
    family = ip.address.version
    routes = [_encode_route(r, version) for r in result.routes if r.dst.version == family]
    return {
        **ip.extra,
        "ip": str(ip.address),
        **_given("gateway", None if ip.gateway is None else str(ip.gateway)),
        **_filled("routes", routes),
    }


def _only(raw: Json, keys: Collection[str]) -> Json:
    return {key: value for key, value in raw.items() if key in keys}


def _without(raw: Json, keys: Collection[str]) -> Json:
    return {key: value for key, value in raw.items() if key not in keys} or EMPTY


def _filled(key: str, value: object) -> dict[str, object]:
    return {key: value} if value else {}


def _given(key: str, value: object) -> dict[str, object]:
    return {} if value is None else {key: value}


def _optional_number(raw: Json, key: str) -> int | None:
    return None if raw.get(key) is None else number(raw, key, high=_U32)


def _optional_address(raw: Json, key: str) -> IPAddress | None:
    return parse_address(raw[key], key) if text(raw, key) else None
