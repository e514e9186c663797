"""The table as the kernel has it: compared with what it should be.

What was built is recognised by a digest of all that does not change from pod to
pod; the elements that do are compared one by one.

May import: errors, nft.
"""

from __future__ import annotations

import json

from dari.errors import FirewallRefused
from dari.nft.section import TABLE, digest

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping

    from dari.nft.library import Nft
    from dari.nft.section import Elements

_SETS = ("set", "map")
_CHANGING = (
    *("anywhere", "somewhere", "hairpin", "pods", "apart", "within", "isolated"),
    *("guarded", "allowed"),
)
"""How the names of sets and maps begin whose elements come and go with pods."""


class Listing:
    """What ``nft -j list table FAMILY dari`` says; nothing where there is no such table.

    Raises:
        FirewallRefused: the answer cannot be read.
    """

    def __init__(self, nft: Nft, family: str = "inet") -> None:
        try:
            self._objects = nft.query(f"list table {family} {TABLE}")
        except FirewallRefused:
            self._objects = []
        self._elements = dict(_elements(each) for each in self._objects if _changing(each))

    @property
    def is_empty(self) -> bool:
        """Is there no such table?"""
        return not self._objects

    def digest(self) -> str:
        """Of all that does not come and go with pods, handles left out."""
        return digest(json.dumps([_static(each) for each in self._objects], sort_keys=True))

    def holds_just(self, elements: Elements) -> bool:
        """Are these the elements that come and go, and no others?"""
        wanted = {name: {_bare(each) for each in listed} for name, listed in elements.items()}
        return {name: held for name, held in self._elements.items() if held} == wanted

    def lacks(self, elements: Elements) -> Elements:
        """Those of the elements that are not there."""
        absent = {
            name: tuple(each for each in listed if _bare(each) not in self._elements.get(name, ()))
            for name, listed in elements.items()
        }
        return {name: listed for name, listed in absent.items() if listed}


def is_changing(name: str) -> bool:
    """Is this a set or map whose elements come and go with pods?"""
    return name.startswith(_CHANGING)


def _changing(item: Mapping[str, object]) -> bool:
    return any(
        isinstance(held := item.get(kind), dict) and is_changing(str(held.get("name")))
        for kind in _SETS
    )


def _static(item: Mapping[str, object]) -> object:
    left_out = {"handle", "elem"} if _changing(item) else {"handle"}
    return {
        kind: {key: value for key, value in held.items() if key not in left_out}
        for kind, held in item.items()
        if isinstance(held, dict)
    }


def _elements(item: Mapping[str, object]) -> tuple[str, set[str]]:
    held = next(item[kind] for kind in _SETS if kind in item)
    assert isinstance(held, dict)
    return str(held["name"]), {_written(each) for each in held.get("elem", ())}


def _written(element: object) -> str:
    """An element as `section.Elements` has it, without quotation marks."""
    if isinstance(element, list) and len(element) == 2:
        return " : ".join(map(_written, element))
    if not isinstance(element, dict):
        return str(element)
    if "concat" in element:
        return " . ".join(map(_written, element["concat"]))
    if "prefix" in element:
        return f"{element['prefix']['addr']}/{element['prefix']['len']}"
    if "range" in element:
        return "-".join(map(_written, element["range"]))
    return json.dumps(element, sort_keys=True)


def _bare(element: str) -> str:
    return element.replace('"', "")
