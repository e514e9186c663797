"""Values that no configuration should hold, and configurations with one of them anywhere."""

from __future__ import annotations

import copy
import json
from collections.abc import Iterator, Mapping
from typing import Any

Path = tuple[str | int, ...]
"""Keys and indexes that lead to a value."""
NO_TEXT = ("\u0000", "\ud800")  # what no name, path or address can hold
HOSTILE_VALUES: tuple[object, ...] = (
    None,
    True,
    -1,
    1 << 70,
    1.5,
    "",
    "x",
    " ",
    *NO_TEXT,
    "../../../etc",
    "10.22.0.0",
    "10.22.0.0/33",
    "10.22.0.0/31",
    "0.0.0.0/0",
    "fd00::/64",
    "lo",
    "y" * 70000,
    [],
    {},
    [[]],
    [None],
    [{}],
    {"x": None},
)


def paths(value: object, path: Path = ()) -> Iterator[Path]:
    """Where a value can be replaced: every key and index, at every depth."""
    if path:
        yield path
    if isinstance(value, dict):
        for key, each in value.items():
            yield from paths(each, (*path, key))
    if isinstance(value, list):
        for index, each in enumerate(value):
            yield from paths(each, (*path, index))


def changed(rich: Mapping[str, Any], path: Path, value: object) -> bytes:
    """A configuration with one value replaced, as stdin."""
    conf = copy.deepcopy(dict(rich))
    place: Any = conf
    for step in path[:-1]:
        place = place[step]
    place[path[-1]] = value
    return json.dumps(conf).encode()
