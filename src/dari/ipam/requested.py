"""Which addresses a request asks for by name.

There are three ways, and none wins: all that are asked for are wanted, each
from the range set that holds it, as in the reference.

Source: CNI CONVENTIONS.md, `CNI_ARGS`, `args.cni` and `runtimeConfig`.
May import: errors, fields, ipam.ranges.
"""

from __future__ import annotations

from dari.errors import BadConfig, BadEnvironment
from dari.fields import items, section
from dari.ipam.ranges import plain_address

TYPE_CHECKING = False
if TYPE_CHECKING:
    from dari.model import IPAddress, Request


def requested_addresses(request: Request) -> tuple[IPAddress, ...]:
    """Gather the addresses of ``CNI_ARGS IP``, ``args.cni.ips`` and ``runtimeConfig.ips``.

    A prefix length behind an address is allowed and ignored: the subnet's counts.

    Args:
        request: the call.

    Returns:
        Each address once, in that order.

    Raises:
        BadEnvironment: the one in CNI_ARGS is no address.
        BadConfig: one of the others is none.
    """
    conventional = items(section(request.conf.args, "cni"), "ips")
    of_runtime = items(request.conf.runtime_config, "ips")
    wanted = [
        *_of_environment(request.args.get("IP", "")),
        *(_address(value, "args.cni.ips") for value in conventional),
        *(_address(value, "runtimeConfig.ips") for value in of_runtime),
    ]
    return tuple(dict.fromkeys(wanted))


def _of_environment(text: str) -> list[IPAddress]:
    if not text:
        return []
    try:
        return [_address(text, "CNI_ARGS IP")]
    except BadConfig as error:
        raise BadEnvironment(error.message) from None


def _address(value: object, field: str) -> IPAddress:
    if not isinstance(value, str):
        raise BadConfig(f"{field}: {value!r} is not a string")
    text, slash, length = value.partition("/")
    address = plain_address(text, field)
    # A written-out IPv4 in IPv6 may carry an IPv6 length.
    longest = 128 if ":" in text else 32
    if slash and not (length.isdecimal() and len(length) < 4 and int(length) <= longest):
        raise BadConfig(f"{field}: {value!r} has a prefix length that is none")
    return address
