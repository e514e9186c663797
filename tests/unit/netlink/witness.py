"""pyroute2 as an independent witness of what bytes mean, and shared strategies."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from hypothesis import settings
from hypothesis import strategies as st

from dari.netlink.codec import HEADER_SIZE, Request, encode

moderate = settings(deadline=None, max_examples=150)

Fields = dict[str, Any]


def decoded(message: type, request: Request) -> tuple[Fields, Fields]:
    """What pyroute2 reads in a request: its fixed fields, and its attributes."""
    seen = message(data=encode(request, 1, 0))
    seen.decode()
    header = {name: seen[name] for name, _ in seen.fields if not name.startswith("_")}
    return header, plain(seen)


def plain(seen: Any) -> Fields:
    """pyroute2's list of attributes as a plain, nested dict."""
    return {item[0]: _plain_value(item[1]) for item in seen["attrs"]}


def _plain_value(value: Any) -> Any:
    if isinstance(value, list):
        return [_plain_value(each) for each in value]
    if not isinstance(value, Mapping):
        return value
    if "attrs" not in value:
        return dict(value)
    fixed = {name: value[name] for name, _ in getattr(value, "fields", ())}
    return {**{name: fixed[name] for name in fixed if fixed[name]}, **plain(value)}


def encoded(message: type, fields: Fields, attributes: list[Any]) -> bytes:
    """The body that pyroute2 writes for these fields and attributes."""
    written = message()
    for name, value in fields.items():
        written[name] = value
    written["attrs"] = attributes
    written.encode()
    return bytes(written.data)[HEADER_SIZE:]


names = st.text("abcdefghijklmnopqrstuvwxyz0123456789.-", min_size=1, max_size=15)
macs = st.binary(min_size=6, max_size=6).map(lambda octets: octets.hex(":"))
indexes = st.integers(1, 2**31 - 1)
numbers = st.integers(1, 2**32 - 1)
