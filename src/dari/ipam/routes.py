"""The routes of an `ipam` section.

Source: CNI SPEC.md 1.1.0, "routes" in the IPAM result.
May import: addr, errors, fields, ipam.ranges, model.
"""

from __future__ import annotations

from dari.addr import parse_network
from dari.errors import BadConfig
from dari.fields import items, number
from dari.ipam.ranges import plain_address
from dari.model import Route

TYPE_CHECKING = False
if TYPE_CHECKING:
    from dari.model import IPNetwork, Json

_KNOWN = frozenset({"dst", "gw", "mtu", "advmss", "priority", "table", "scope"})


def parse_routes(ipam: Json) -> tuple[Route, ...]:
    """Read `routes`: what the pod reaches through which gateway.

    Args:
        ipam: the configuration's `ipam` section.

    Raises:
        BadConfig: a field is wrong.
    """
    return tuple(
        _parse_route(item, f"ipam.routes[{index}]")
        for index, item in enumerate(items(ipam, "routes"))
    )


def _parse_route(item: object, where: str) -> Route:
    if not isinstance(item, dict):
        raise BadConfig(f"{where}: {item!r} is not an object")
    gateway = item.get("gw")
    return Route(
        dst=_destination(item.get("dst"), f"{where}.dst"),
        gw=plain_address(gateway, f"{where}.gw") if gateway not in (None, "") else None,
        mtu=number(item, "mtu"),
        advmss=number(item, "advmss"),
        priority=_optional_number(item, "priority"),
        table=_optional_number(item, "table"),
        scope=_optional_number(item, "scope"),
        extra={key: value for key, value in item.items() if key not in _KNOWN},
    )


def _destination(value: object, where: str) -> IPNetwork:
    if isinstance(value, str) and "%" in value:
        raise BadConfig(f"{where}: {value!r} has a zone; a destination has none")
    return parse_network(value, where)


def _optional_number(item: Json, key: str) -> int | None:
    return None if item.get(key) is None else number(item, key, high=2**32 - 1)
