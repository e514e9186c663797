"""Which addresses a configuration lets pods have, and in which order.

Pure: no file is touched. A *range* is a span of addresses within a subnet; a
*range set* is a pool of ranges of one family, and gives each pod one address.

What is never leased: the subnet's own address, an IPv4 broadcast address, and
the gateways of all ranges of the set. (The reference leases the first two where
`rangeStart` or `rangeEnd` names them, and another range's gateway.)

Source: the reference host-local's keys and order (facts in its documentation:
https://www.cni.dev/plugins/current/ipam/host-local/).
May import: addr, errors, record.
"""

from __future__ import annotations

from bisect import bisect_right
from ipaddress import ip_interface
from itertools import pairwise

from dari.addr import parse_address
from dari.errors import BadConfig
from dari.record import Record

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

    from dari.model import IPAddress, IPNetwork, Json


class Range(Record):
    """Addresses from `first` to `last`, both included, all within `subnet`."""

    subnet: IPNetwork
    first: IPAddress
    last: IPAddress
    gateway: IPAddress

    def __str__(self) -> str:
        return f"{self.first}-{self.last}"

    def __contains__(self, address: IPAddress) -> bool:
        same_family = address.version == self.subnet.version
        return same_family and int(self.first) <= int(address) <= int(self.last)


RangeSet = tuple[Range, ...]


def parse_ranges(ipam: Json, runtime_config: Json) -> tuple[RangeSet, ...]:
    """Read the range sets, in the order in which a result lists their addresses.

    First those of the runtime (`ipRanges`), then the old single form
    (`subnet`, `rangeStart`, `rangeEnd`, `gateway`), then `ranges`.

    Args:
        ipam: the configuration's `ipam` section.
        runtime_config: its `runtimeConfig` section.

    Raises:
        BadConfig: a field is wrong, ranges overlap, or there is none.
    """
    sets = [
        *_parse_sets(runtime_config.get("ipRanges"), "runtimeConfig.ipRanges"),
        *([] if ipam.get("subnet") is None else [(_parse_range(ipam, "ipam"),)]),
        *_parse_sets(ipam.get("ranges"), "ipam.ranges"),
    ]
    if not sets:
        raise BadConfig(
            "ipam: no address range is given", 'add "subnet", such as "10.22.0.0/16", or "ranges"'
        )
    _refuse_overlap([one for pool in sets for one in pool])
    for pool in sets:
        _refuse_empty(pool)
    return tuple(sets)


def _parse_sets(value: object, where: str) -> list[RangeSet]:
    if value is None:
        return []
    return [
        _parse_set(inner, f"{where}[{index}]") for index, inner in enumerate(_a_list(value, where))
    ]


def _parse_set(value: object, where: str) -> RangeSet:
    inner = _a_list(value, where)
    if not inner:
        raise BadConfig(f"{where}: an empty range set", "give it a range, or take it out")
    pool = tuple(_parse_range(item, f"{where}[{index}]") for index, item in enumerate(inner))
    if len({one.subnet.version for one in pool}) > 1:
        raise BadConfig(
            f"{where}: IPv4 and IPv6 ranges in one set",
            "give each family a set of its own: a pod gets one address from each set",
        )
    return pool


def _a_list(value: object, where: str) -> list[object]:
    if not isinstance(value, list):
        raise BadConfig(f"{where}: {value!r} is not a list")
    return value


def _parse_range(item: object, where: str) -> Range:
    if not isinstance(item, dict):
        raise BadConfig(f"{where}: {item!r} is not an object")
    subnet = _parse_subnet(item.get("subnet"), f"{where}.subnet")
    # As the reference has it, .1 is the gateway and also where leasing begins.
    one, end = subnet.network_address + 1, subnet.broadcast_address
    found = Range(
        subnet=subnet,
        first=_optional(item, "rangeStart", where) or one,
        last=_optional(item, "rangeEnd", where) or (end - 1 if subnet.version == 4 else end),
        gateway=_optional(item, "gateway", where) or one,
    )
    _refuse_misfit(found, where)
    return found


def _optional(item: Json, key: str, where: str) -> IPAddress | None:
    value = item.get(key)
    return None if value is None or value == "" else plain_address(value, f"{where}.{key}")


def _parse_subnet(value: object, where: str) -> IPNetwork:
    text = value if isinstance(value, str) else ""
    length = text.partition("/")[2]
    try:
        if "%" in text or not length.isdecimal():  # a zone, or a netmask in place of a length
            raise ValueError
        given = ip_interface(text)
    except ValueError:
        raise BadConfig(
            f"{where}: {value!r} is not a prefix in CIDR notation, such as 10.22.0.0/16"
        ) from None
    network = given.network
    if given.ip != network.network_address:
        raise BadConfig(f"{where}: {text} has host bits set", f"write {network}")
    if network.prefixlen > network.max_prefixlen - 2:
        raise BadConfig(
            f"{where}: {text} is too small to lease addresses from",
            f"the longest prefix that works is /{network.max_prefixlen - 2}",
        )
    if network.version == 6 and getattr(network.network_address, "ipv4_mapped", None) is not None:
        raise BadConfig(f"{where}: {text} is IPv4 written as IPv6", "write it as IPv4")
    return network


def _refuse_misfit(found: Range, where: str) -> None:
    """Raise BadConfig where first, last and gateway do not fit the subnet."""
    subnet = found.subnet
    for key, address in (("rangeStart", found.first), ("rangeEnd", found.last)):
        if address not in subnet:
            raise BadConfig(f"{where}.{key}: {address} is not in {subnet}")
    if found.gateway.version != subnet.version:
        raise BadConfig(f"{where}.gateway: {found.gateway} is of the other family than {subnet}")
    if int(found.first) > int(found.last):
        raise BadConfig(f"{where}: rangeStart {found.first} is after rangeEnd {found.last}")


def _refuse_overlap(ranges: list[Range]) -> None:
    # Sorted, so that a long list costs no more than its sorting.
    ranges = sorted(ranges, key=lambda one: (one.subnet.version, int(one.first), int(one.last)))
    for before, after in pairwise(ranges):
        if after.first in before:
            raise BadConfig(f"ranges {before} and {after} overlap")


def _refuse_empty(pool: RangeSet) -> None:
    if capacity(pool) == 0:
        raise BadConfig(
            f"range {describe(pool)} has no address for a pod",
            "the network's own address, its broadcast address and gateways are left out",
        )


def plain_address(value: object, field: str) -> IPAddress:
    """Read an address as host-local's files name it.

    IPv4 written as IPv6 (``::ffff:10.0.0.1``) is IPv4, as in Go's net package.

    Args:
        value: what the JSON or the environment has.
        field: names it in the error.

    Raises:
        BadConfig: it is no address, or one with a zone (``fe80::1%eth0``).
    """
    address = parse_address(value, field)
    if address.version == 4:
        return address
    if address.scope_id is not None:
        raise BadConfig(f"{field}: {value!r} has a zone; leases have none")
    return address.ipv4_mapped or address


def range_of(pool: RangeSet, address: IPAddress) -> Range | None:
    """The range of the set that holds the address, leased or never leased; or None."""
    return next((one for one in pool if address in one), None)


def is_usable(pool: RangeSet, address: IPAddress) -> bool:
    """Whether a pod may have the address from this set."""
    return range_of(pool, address) is not None and int(address) not in _avoided(pool)


def capacity(pool: RangeSet) -> int:
    """How many pods the set has addresses for; its ranges must not overlap."""
    spans = sorted((int(one.first), int(one.last)) for one in pool)
    lows = [low for low, _ in spans]
    total = sum(high - low + 1 for low, high in spans)
    for number in _avoided(pool):
        at = bisect_right(lows, number) - 1
        total -= at >= 0 and number <= spans[at][1]
    return total


def is_full(pool: RangeSet, leased: set[str]) -> bool:
    """Whether no address of the set is free, `leased` being all that are leased."""
    # Asked first: nobody counts through an IPv6 range.
    return capacity(pool) <= len(leased) and all(
        str(address) in leased for address in addresses_after(pool, None)
    )


def describe(pool: RangeSet) -> str:
    """The set in a few words, for messages: ``10.22.0.1-10.22.255.254``."""
    return ", ".join(str(one) for one in pool)


def addresses_after(pool: RangeSet, last: IPAddress | None) -> Iterator[IPAddress]:
    """Every address that a pod may have, once each, beginning after `last`.

    Args:
        pool: the range set.
        last: the last one leased, so that an address rests as long as it can
            before its next pod; None, or one outside of the set: from the start.
    """
    avoided = _avoided(pool)
    make = type(pool[0].first)
    for low, high in _spans_after(pool, last):
        for number in range(low, high + 1):
            if number not in avoided:
                yield make(number)


def _spans_after(pool: RangeSet, last: IPAddress | None) -> list[tuple[int, int]]:
    spans = [(int(one.first), int(one.last)) for one in pool]
    for index, (low, high) in enumerate(spans):
        if last is not None and last in pool[index]:
            middle = int(last)
            return [(middle + 1, high), *spans[index + 1 :], *spans[:index], (low, middle)]
    return spans


def _avoided(pool: RangeSet) -> set[int]:
    never = {int(one.gateway) for one in pool} | {int(one.subnet.network_address) for one in pool}
    if pool[0].subnet.version == 4:
        never |= {int(one.subnet.broadcast_address) for one in pool}
    return never
