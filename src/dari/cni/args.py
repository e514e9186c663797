"""CNI_ARGS: ``KEY=VALUE;KEY=VALUE``.

Source: CNI SPEC.md 1.1.0, "Parameters"; libcni's `LoadArgs` for what is an error.
May import: errors.
"""

from __future__ import annotations

from dari.errors import BadEnvironment

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable

KNOWN = ("GATEWAY", "IP", "IgnoreUnknown", "MAC")

_TRUE, _FALSE = ("1", "true"), ("0", "false")


def parse_args(text: str) -> dict[str, str]:
    """Read CNI_ARGS.

    A key outside `KNOWN` is an error, unless ``IgnoreUnknown=1`` is among them;
    then it is kept, for a plugin that is called from here may know it.

    Raises:
        BadEnvironment: a part is no pair, or a key is unknown.
    """
    if not text:
        return {}
    found = dict(_pair(part) for part in text.split(";"))
    unknown = [key for key in found if key not in KNOWN]
    if unknown and not _flag(found.get("IgnoreUnknown", "0")):
        raise BadEnvironment(
            f"CNI_ARGS: {', '.join(unknown)} not known here", "add IgnoreUnknown=1 to pass them by"
        )
    return found


def format_args(pairs: Iterable[tuple[str, str]]) -> str:
    """Write CNI_ARGS."""
    return ";".join(f"{key}={value}" for key, value in pairs)


def _pair(part: str) -> tuple[str, str]:
    key, equals, value = part.partition("=")
    if not key or not equals or "=" in value:
        raise BadEnvironment(f"CNI_ARGS: {part!r} is not KEY=VALUE")
    return key, value


def _flag(text: str) -> bool:
    if text.lower() not in _TRUE + _FALSE:
        raise BadEnvironment(f"CNI_ARGS: IgnoreUnknown={text!r} is neither 1 nor 0")
    return text.lower() in _TRUE
