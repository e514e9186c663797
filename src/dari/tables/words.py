"""Rules in nft's own words, from their JSON.

May import: nothing of dari.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

_ALONE = frozenset({"accept", "drop", "return", "masquerade", "continue", "notrack"})


def statement_words(statements: Iterable[Mapping[str, Any]]) -> str:
    """A rule's statements, as ``nft list ruleset`` prints them, counters left out."""
    words = [_statement(*next(iter(each.items()))) for each in statements if "counter" not in each]
    return " ".join(filter(None, words))


def _statement(kind: str, held: Any) -> str:
    if kind == "match":
        op = "" if held.get("op") in ("==", "in") else f"{held.get('op')} "
        return f"{_value(held.get('left'))} {op}{_value(held.get('right'))}"
    if kind in ("jump", "goto"):
        return f"{kind} {held.get('target')}"
    if kind == "xt":
        return f"(iptables: {held.get('name')})"
    if kind in ("dnat", "snat", "redirect"):
        target = _value(held.get("addr")) if held and "addr" in held else ""
        port = f":{_value(held.get('port'))}" if held and "port" in held else ""
        return f"{kind} to {target}{port}"
    if kind == "vmap":
        return f"{_value(held.get('key'))} vmap {_value(held.get('data'))}"
    if kind == "mangle":
        return f"{_value(held.get('key'))} set {_value(held.get('value'))}"
    if kind == "reject" or kind in _ALONE:
        return kind
    return kind


def _value(one: Any) -> str:
    if isinstance(one, list):
        return ", ".join(map(_value, one))
    if not isinstance(one, dict) or not one:
        return str(one)
    kind, held = next(iter(one.items()))
    if kind == "payload" and "field" in held:
        return f"{held['protocol']} {held['field']}"
    if kind in ("meta", "ct"):
        return f"{kind} {held['key']}" if held["key"] not in _BARE else str(held["key"])
    if kind == "prefix":
        return f"{held['addr']}/{held['len']}"
    if kind == "range":
        return "-".join(map(_value, held))
    if kind == "set":
        listed = held if isinstance(held, list) else [held]
        return "{ " + ", ".join(map(_element, listed)) + " }"
    if kind == "concat":
        return " . ".join(map(_value, held))
    if kind in ("&", "|", "^"):
        return f" {kind} ".join(map(_value, held))
    if kind == "map":
        return f"{_value(held.get('key'))} map {_value(held.get('data'))}"
    if kind == "fib":
        flags = held.get("flags")
        return f"fib {' . '.join(flags) if isinstance(flags, list) else flags} {held.get('result')}"
    if kind in ("jump", "goto"):
        return f"{kind} {held.get('target')}"
    return str(kind)


def _element(one: Any) -> str:
    if isinstance(one, list) and len(one) == 2:
        return f"{_value(one[0])} : {_value(one[1])}"
    return _value(one)


_BARE = frozenset({"iif", "oif", "iifname", "oifname"})
