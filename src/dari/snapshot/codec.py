"""Records as JSON and back, by their annotations: one way for all of a snapshot.

What is as by default is left out. Reading trusts nothing: every value is checked
against its annotation, and an error names where it is. Keys that this version does
not know are passed over, so that a newer dari's snapshot is still of use.

May import: errors, model, record.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import cache, lru_cache, partial
from ipaddress import (
    IPv4Address,
    IPv4Interface,
    IPv4Network,
    IPv6Address,
    IPv6Interface,
    IPv6Network,
    ip_address,
    ip_interface,
    ip_network,
)
from types import NoneType, UnionType
from typing import Any, TypeVar, Union, get_args, get_origin, get_type_hints

from dari.errors import Undecodable
from dari.record import Record

R = TypeVar("R", bound=Record)
Json = Mapping[str, object]

IPAddress = IPv4Address | IPv6Address
IPInterface = IPv4Interface | IPv6Interface
IPNetwork = IPv4Network | IPv6Network
_NAMES = {
    "IPAddress": IPAddress,
    "IPInterface": IPInterface,
    "IPNetwork": IPNetwork,
    "Json": Json,
    "Mapping": Mapping,
}


def encode(record: Record) -> dict[str, object]:
    """A record as an object that `json` can write."""
    defaults = record._defaults
    found = {}
    for field in record._fields:
        value = getattr(record, field)
        if field not in defaults or value != defaults[field]:
            found[field] = _plain(value)
    return found


def _plain(value: object) -> object:
    if value is None or isinstance(value, (str, int, float)):
        return value
    if isinstance(value, Record):
        return encode(value)
    if isinstance(value, (tuple, list)):
        return [_plain(each) for each in value]
    if isinstance(value, Mapping):
        return {str(key): _plain(each) for key, each in value.items()}
    return str(value)


def decode(kind: type[R], value: object, where: str) -> R:
    """Read a record of a kind from decoded JSON.

    Args:
        where: what it is called in errors.

    Raises:
        Undecodable: it is none; the message names where in it.
    """
    try:
        found: R = _read_record(kind, value)
    except _Wrong as wrong:
        raise Undecodable(f"{where}{''.join(reversed(wrong.way))}: {wrong}") from None
    return found


class _Wrong(Exception):
    """A value is not as annotated; `way` leads to it, from the inside out."""

    def __init__(self, text: str) -> None:
        super().__init__(text)
        self.way: list[str] = []


Read = Callable[[object], Any]


def _read_record(kind: type[Record], value: object) -> Any:
    return _reader(kind)(value)


@cache
def _reader(hint: Any) -> Read:
    """What reads values of an annotation: put together once, since a snapshot has many."""
    origin = get_origin(hint)
    if origin is None:
        return _record(hint) if issubclass(hint, Record) else partial(_read_scalar, hint)
    if origin in (Union, UnionType):
        return _union(get_args(hint))
    if origin is tuple:
        return _list(_reader(get_args(hint)[0]))
    kind = get_args(hint)[1]
    return _mapping(None if kind is object else _reader(kind))


def _record(kind: type[Record]) -> Read:
    readers = [(field, _reader(hint)) for field, hint in _hints(kind).items()]
    needed = [field for field in kind._fields if field not in kind._defaults]

    def read(value: object) -> Record:
        if not isinstance(value, dict):
            raise _Wrong("not an object")
        given = {}
        for field, reader in readers:
            if field in value:
                try:
                    given[field] = reader(value[field])
                except _Wrong as wrong:
                    wrong.way.append(f".{field}")
                    raise
        for field in needed:
            if field not in given:
                raise _Wrong(f"{field} is missing")
        return kind(**given)

    return read


def _hints(kind: type[Record]) -> dict[str, Any]:
    hints = get_type_hints(kind, localns=_NAMES)
    return {field: hints[field] for field in kind._fields}


def _union(kinds: tuple[Any, ...]) -> Read:
    first, may_lack = kinds[0], NoneType in kinds
    read = _ADDRESSES[first] if first in _ADDRESSES else _reader(first)
    return lambda value: None if value is None and may_lack else read(value)


def _address(parse: Callable[[str], object]) -> Read:
    known = lru_cache(maxsize=65536)(parse)  # the same few come again in every table

    def read(value: object) -> object:
        try:
            if isinstance(value, str):
                return known(value)
        except ValueError:
            pass
        raise _Wrong(f"{_short(value)} is no address")

    return read


def _list(read: Read) -> Read:
    def read_all(value: object) -> tuple[Any, ...]:
        if not isinstance(value, list):
            raise _Wrong("not a list")
        found = []
        for each in value:
            try:
                found.append(read(each))
            except _Wrong as wrong:
                wrong.way.append(f"[{len(found)}]")
                raise
        return tuple(found)

    return read_all


def _mapping(read: Read | None) -> Read:
    def read_all(value: object) -> dict[str, Any]:
        if not isinstance(value, dict):
            raise _Wrong("not an object")
        if read is None:
            return value
        found = {}
        for key, each in value.items():
            try:
                found[key] = read(each)
            except _Wrong as wrong:
                wrong.way.append(f".{key}")
                raise
        return found

    return read_all


def _read_scalar(kind: Any, value: object) -> object:
    if kind is float and isinstance(value, (int, float)) and not isinstance(value, bool):
        return value
    if type(value) is kind and kind in (str, int, bool):
        return value
    raise _Wrong(f"{_short(value)} is not of type {kind.__name__}")


_ADDRESSES: Mapping[type, Read] = {
    IPv4Address: _address(ip_address),
    IPv4Interface: _address(ip_interface),
    IPv4Network: _address(ip_network),
}


def _short(value: object) -> str:
    shown = repr(value)
    return shown if len(shown) <= 60 else f"{shown[:57]}..."
