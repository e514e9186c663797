"""Reads typed fields out of decoded JSON, with errors that name the field.

A key that is absent, or null, counts as not given, as Go's decoder has it.

May import: errors.
"""

from __future__ import annotations

from dari.errors import BadConfig

TYPE_CHECKING = False
if TYPE_CHECKING:
    from dari.model import Json


def text(source: Json, key: str, default: str = "") -> str:
    """A string.

    Raises:
        BadConfig: it is something else.
    """
    value = source.get(key)
    if value is None:
        return default
    if not isinstance(value, str):
        raise BadConfig(f"{key}: {value!r} is not a string")
    return value


def flag(source: Json, key: str, default: bool = False) -> bool:
    """True or false.

    Raises:
        BadConfig: it is something else.
    """
    value = source.get(key)
    if value is None:
        return default
    if not isinstance(value, bool):
        raise BadConfig(f"{key}: {value!r} is neither true nor false")
    return value


def number(source: Json, key: str, default: int = 0, *, low: int = 0, high: int = 2**31 - 1) -> int:
    """A whole number from `low` to `high`.

    Raises:
        BadConfig: it is something else, or out of range.
    """
    value = source.get(key)
    if value is None:
        return default
    if not isinstance(value, int) or isinstance(value, bool) or not low <= value <= high:
        raise BadConfig(f"{key}: {value!r} is not a whole number from {low} to {high}")
    return value


def section(source: Json, key: str) -> Json:
    """An object; empty where it is not given.

    Raises:
        BadConfig: it is something else.
    """
    value = source.get(key)
    if value is None:
        return {}
    if not isinstance(value, dict):
        raise BadConfig(f"{key}: {value!r} is not an object")
    return value


def items(source: Json, key: str) -> list[object]:
    """A list; empty where it is not given.

    Raises:
        BadConfig: it is something else.
    """
    value = source.get(key)
    if value is None:
        return []
    if not isinstance(value, list):
        raise BadConfig(f"{key}: {value!r} is not a list")
    return value
