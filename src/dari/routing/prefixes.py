"""Which of many prefixes touch a given one, without looking at all of them: pure.

Two prefixes are apart or one holds the other. Those that are held by a prefix
follow it in order; those that hold it are found by cutting it short to every
length in use, of which a cluster has few. A prefix is a key of three numbers here:
objects of `ipaddress` for thousands take longer to make than all the rest.

May import: model.
"""

from __future__ import annotations

from bisect import bisect_left, insort
from collections import Counter
from collections.abc import Iterable
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from dari.model import IPAddress, IPNetwork

Key = tuple[int, int, int]
"""IP version, first address, length; they sort with those that hold others first."""

_BITS = {4: 32, 6: 128}


def key_of(network: IPNetwork) -> Key:
    """A prefix's key."""
    return network.version, int(network.network_address), network.prefixlen


def key_of_host(address: IPAddress) -> Key:
    """The key of the prefix that holds this address alone."""
    version = address.version
    return version, int(address), _BITS[version]


def last_of(key: Key) -> int:
    """The last address."""
    version, first, length = key
    return first + (1 << _BITS[version] - length) - 1


class Prefixes:
    """A set of prefixes in which one may be several times.

    Args:
        keys: what is in it from the beginning.
    """

    def __init__(self, keys: Iterable[Key] = ()) -> None:
        self._ordered = sorted(keys)
        self._lengths = Counter((version, length) for version, _, length in self._ordered)

    def add(self, key: Key) -> None:
        """Put one in."""
        insort(self._ordered, key)
        self._lengths[key[0], key[2]] += 1

    def remove(self, key: Key) -> None:
        """Take one out, which is in it."""
        del self._ordered[bisect_left(self._ordered, key)]
        length = key[0], key[2]
        self._lengths[length] -= 1
        if not self._lengths[length]:
            del self._lengths[length]

    def touch(self, key: Key) -> bool:
        """Does one hold this prefix, or lie in it, or is the same?"""
        return self._within(key) or self._around(key)

    def _within(self, key: Key) -> bool:
        version, number, _ = key
        position = bisect_left(self._ordered, (version, number, 0))
        if position == len(self._ordered):
            return False
        following = self._ordered[position]
        # One that begins here and is wider holds the prefix: it touches all the same.
        return following[0] == version and following[1] <= last_of(key)

    def _around(self, key: Key) -> bool:
        version, number, own = key
        bits = _BITS[version]
        return any(
            self._has((version, number >> bits - length << bits - length, length))
            for of_version, length in self._lengths
            if of_version == version and length < own
        )

    def _has(self, key: Key) -> bool:
        position = bisect_left(self._ordered, key)
        return position < len(self._ordered) and self._ordered[position] == key
