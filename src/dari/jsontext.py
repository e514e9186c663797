"""JSON from strangers, decoded once and strictly.

Configurations, plugins' answers and cached results come from outside. What
passes here is UTF-8, an object, not nested without end, without doubled keys,
numbers that JSON does not have, or strings that no file name or kernel call can
take. `fields` reads the decoded object.

`_json` is the part of the standard library's `json` that does the work. The
package around it imports `re` and `enum`, 4 ms that a pod's start does not have,
and only to say what is wrong with a text: that is when it is imported here.

May import: errors.
"""

from __future__ import annotations

from _json import encode_basestring_ascii, make_encoder, make_scanner
from math import isfinite

from dari.errors import Undecodable

MAX_DEPTH = 64  # real configurations reach 6; Python's own limit is near 1000

_SPACE = " \t\n\r"


def decode(data: bytes, what: str) -> dict[str, object]:
    """Decode one JSON object.

    Args:
        data: the bytes, UTF-8.
        what: what they are, such as ``configuration on stdin`` or a file's path.

    Raises:
        Undecodable: it is none, with line and column where they are known.
    """
    try:
        text = data.decode()
    except UnicodeDecodeError as error:
        raise Undecodable(f"{what}: byte {error.start} is not UTF-8") from None
    try:
        value, end = _scan(text, len(text) - len(text.lstrip(_SPACE)))
    except (StopIteration, ValueError, RecursionError, SystemError):
        # SystemError: the scanner of Python 3.11 cannot make its own error while
        # json.decoder, where the error's class is, has not been imported.
        raise _explain(text, what) from None
    if text[end:].strip(_SPACE):
        raise _explain(text, what)
    if not isinstance(value, dict):
        raise Undecodable(f"{what}: not a JSON object")
    if not _is_harmless(text):
        _examine(value, what)
    return value


def encode(value: object) -> bytes:
    """Encode compactly, in ASCII, with a line feed at the end."""
    return "".join(_encode(value, 0)).encode() + b"\n"


def _explain(text: str, what: str) -> Undecodable:
    """Read a text that was refused once more, to say where and why."""
    import json

    try:
        json.loads(text, object_pairs_hook=_object, parse_constant=_refuse, parse_float=_finite)
    except json.JSONDecodeError as error:
        return Undecodable(f"{what}: line {error.lineno}, column {error.colno}: {error.msg}")
    except ValueError as error:
        return Undecodable(f"{what}: {error}")
    except RecursionError:
        pass
    return Undecodable(f"{what}: nested deeper than {MAX_DEPTH} levels")


def _object(pairs: list[tuple[str, object]]) -> dict[str, object]:
    found = dict(pairs)
    if len(found) < len(pairs):
        keys = [key for key, _ in pairs]
        double = next(key for key in found if keys.count(key) > 1)
        raise ValueError(f"key {double!r} is there twice")
    return found


def _refuse(constant: str) -> float:
    raise ValueError(f"{constant} is not JSON")


def _finite(text: str) -> float:
    number = float(text)
    if not isfinite(number):
        raise ValueError(f"{text} is too large a number")
    return number


class _Grammar:
    """What the scanner asks for, as `json.JSONDecoder` has it."""

    strict = True
    object_hook = None
    object_pairs_hook = staticmethod(_object)
    parse_float = staticmethod(_finite)
    parse_int = int
    parse_constant = staticmethod(_refuse)


def _unknown(value: object) -> object:
    raise TypeError(f"{value!r} has no form in JSON")


_scan = make_scanner(_Grammar())  # type: ignore[arg-type]  # typeshed names its own class
_encode = make_encoder(
    None, _unknown, encode_basestring_ascii, None, ":", ",", False, False, False
)  # compact; keys in their order, none left out; NaN refused


def _is_harmless(text: str) -> bool:
    """Can nothing in it be too deep, NUL, or half a pair? So it is with nearly all texts."""
    escapes = "\\u" in text  # a NUL as it is was refused by the scanner
    return text.isascii() and not escapes and text.count("{") + text.count("[") <= MAX_DEPTH


def _examine(value: object, what: str) -> None:
    """Refuse what is too deep, level by level, and strings that nothing can take."""
    level, depth = [value], 0
    while level:
        depth += 1
        if depth > MAX_DEPTH:
            raise Undecodable(f"{what}: nested deeper than {MAX_DEPTH} levels")
        below: list[object] = []
        for item in level:
            if isinstance(item, str):
                _examine_text(item, what)
            elif isinstance(item, dict):
                below += item
                below += item.values()
            elif isinstance(item, list):
                below += item
        level = below


def _examine_text(text: str, what: str) -> None:
    if text.isascii() and "\0" not in text:
        return
    if "\0" in text:
        raise Undecodable(f"{what}: {text!r} holds a NUL character")
    try:
        text.encode()
    except UnicodeEncodeError:
        raise Undecodable(f"{what}: {text!r} holds half a surrogate pair") from None
