"""Addresses that the configuration itself names: what the reference `static` does.

Nothing is leased and nothing is kept, so only reading is done here. What may be
said where:

- ``ipam.addresses``: address with prefix length, and a gateway where there is one;
- ``CNI_ARGS IP`` adds addresses, and ``GATEWAY`` gives those their gateways; both
  take several, separated by commas;
- ``args.cni.ips``, and above it ``runtimeConfig.ips``, take the place of all that.

Source: the reference plugin's documentation and answers.
May import: addr, errors, fields, ipam.ranges, ipam.routes, model, result.
"""

from __future__ import annotations

from dari.addr import parse_interface
from dari.errors import BadConfig, BadEnvironment, CheckFailed
from dari.fields import items, section
from dari.ipam.ranges import plain_address
from dari.ipam.routes import parse_routes
from dari.model import IPConfig, Result
from dari.result import at_least, decode_dns

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence

    from dari.model import IPAddress, IPInterface, Json, NetConf, Request

_LISTS = "0.3.0"  # results before it hold one address of each family


def static_result(request: Request) -> Result:
    """What ADD answers: addresses, routes and DNS, all as they are given.

    Raises:
        BadConfig: the `ipam` section or a list of addresses is wrong.
        BadEnvironment: the same, of CNI_ARGS.
    """
    conf = request.conf
    if conf.raw.get("ipam") is None:
        raise BadConfig("ipam: missing, and static takes its addresses from there")
    ips = _replaced(conf) or (*_configured(conf.ipam), *_of_args(request))
    _refuse_unspeakable(ips, conf.cni_version)
    return Result(ips=ips, routes=parse_routes(conf.ipam), dns=decode_dns(conf.ipam))


def check_static(request: Request) -> None:
    """Compare what ADD would answer with what it answered.

    Raises:
        CheckFailed: prevResult lacks an address, or has it with another gateway.
        BadConfig, BadEnvironment: as `static_result` does.
    """
    previous = request.conf.prev_result or Result()
    present = {ip.address: ip.gateway for ip in previous.ips}
    for ip in static_result(request).ips:
        if ip.address not in present:
            raise CheckFailed(f"static: prevResult lacks the address {ip.address}")
        if ip.gateway is not None and present[ip.address] != ip.gateway:
            found = present[ip.address] or "none"
            raise CheckFailed(
                f"static: the gateway of {ip.address} is {found} in prevResult, not {ip.gateway}"
            )


def _configured(ipam: Json) -> tuple[IPConfig, ...]:
    return tuple(
        _entry(item, f"ipam.addresses[{index}]")
        for index, item in enumerate(items(ipam, "addresses"))
    )


def _entry(item: object, where: str) -> IPConfig:
    if not isinstance(item, dict):
        raise BadConfig(f"{where}: {item!r} is not an object")
    gateway = item.get("gateway")
    return IPConfig(
        address=_interface(item.get("address"), f"{where}.address"),
        gateway=None if gateway in (None, "") else plain_address(gateway, f"{where}.gateway"),
    )


def _replaced(conf: NetConf) -> tuple[IPConfig, ...]:
    """The addresses that take the place of the configured ones, if any do."""
    lists = (
        ("runtimeConfig.ips", items(conf.runtime_config, "ips")),
        ("args.cni.ips", items(section(conf.args, "cni"), "ips")),
    )
    read = [tuple(IPConfig(address=_interface(ip, where)) for ip in ips) for where, ips in lists]
    return next((ips for ips in read if ips), ())


def _of_args(request: Request) -> tuple[IPConfig, ...]:
    try:
        added = [_interface(text, "CNI_ARGS IP") for text in _words(request, "IP")]
        gateways = [plain_address(text, "CNI_ARGS GATEWAY") for text in _words(request, "GATEWAY")]
    except BadConfig as error:
        raise BadEnvironment(error.message) from None
    return tuple(_with_gateway(address, gateways) for address in added)


def _words(request: Request, key: str) -> list[str]:
    text = request.args.get(key, "")
    return [word.strip() for word in text.split(",")] if text else []


def _with_gateway(address: IPInterface, gateways: Sequence[IPAddress]) -> IPConfig:
    """The last of the gateways that its network holds, if any, is its own."""
    fitting = [gateway for gateway in gateways if gateway in address.network]
    return IPConfig(address=address, gateway=fitting[-1] if fitting else None)


def _interface(value: object, where: str) -> IPInterface:
    """An address with the length of its prefix, as Go's ParseCIDR takes it."""
    if isinstance(value, str):
        _, _, length = value.partition("/")
        if "%" in value or not (length.isascii() and length.isdecimal()):
            raise BadConfig(f"{where}: {value!r} is not an address such as 10.22.0.5/16")
    return parse_interface(value, where)


def _refuse_unspeakable(ips: Sequence[IPConfig], version: str) -> None:
    if at_least(version, _LISTS):
        return
    versions = [ip.address.version for ip in ips]
    if len(set(versions)) < len(versions):
        raise BadConfig(
            f"cniVersion: {version} has no room for two addresses of one family",
            f"set cniVersion to {_LISTS} or later",
        )
