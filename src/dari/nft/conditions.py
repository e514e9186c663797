"""Conditions on a host port's connections: from iptables' words, or nft's, to nft's.

Only what a connection comes from, goes to or comes in by can be said; each word
is checked, so that nothing of a configuration reaches the firewall as it is.

Source: the reference plugin's documentation (plugins/meta/portmap); iptables(8),
"PARAMETERS"; nft(8), "PAYLOAD EXPRESSIONS".
May import: addr, errors.
"""

from __future__ import annotations

from dari.addr import parse_network
from dari.errors import BadConfig, UnsupportedField

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

_IPTABLES = {
    **dict.fromkeys(("-s", "--source", "--src"), "saddr"),
    **dict.fromkeys(("-d", "--destination", "--dst"), "daddr"),
    **dict.fromkeys(("-i", "--in-interface"), "iifname"),
}
_FAMILY = {4: "ip", 6: "ip6"}
_LINK_NAME_BYTES = 15  # IFNAMSIZ less its final NUL
_SAFE = frozenset("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_.@")
_SAY = (
    "what can be said: [!] -s PREFIX, [!] -d PREFIX, [!] -i LINK, "
    "or in nft's words: ip saddr [!=] PREFIX, ip daddr [!=] PREFIX, iifname [!=] LINK"
)


def parse_conditions(words: Sequence[object], version: int, key: str) -> str:
    """Conditions in nft's language, one after the other; empty where there are none.

    Args:
        words: as in ``["!", "-d", "192.0.2.0/24"]``.
        version: of IP, which decides what prefixes may be given.
        key: names the list in errors.

    Raises:
        BadConfig: it is no list of strings, or a prefix or a link's name is none.
        UnsupportedField: it has conditions of another kind.
    """
    rest = [_word(each, key) for each in words]
    rest = [each for each in rest if each]
    return " ".join(_each(rest, version, key))


def _word(word: object, key: str) -> str:
    if not isinstance(word, str):
        raise BadConfig(f"{key}: {word!r} is not a string")
    return word


def _each(words: list[str], version: int, key: str) -> Iterator[str]:
    rest = list(words)
    while rest:
        negated = rest[0] == "!" and bool(rest.pop(0))
        field = _field(rest, version, key)
        if rest and rest[0] in ("!", "!=", "=="):
            negated ^= rest.pop(0) != "=="
        if not rest:
            raise BadConfig(f"{key}: nothing follows {field}", _SAY)
        value = _value(rest.pop(0), field, version, key)
        yield f"{field} {'!= ' if negated else ''}{value}"


def _field(rest: list[str], version: int, key: str) -> str:
    """Take the words off that name a field."""
    family = _FAMILY[version]
    first = rest.pop(0) if rest else ""
    name = _IPTABLES.get(first, first)
    if first == family and rest:
        name = rest.pop(0)
    elif first in _FAMILY.values() or (first == name and name != "iifname"):
        raise UnsupportedField(f"{key}: {first!r} cannot be said in dari's rules", _SAY)
    if name == "iifname":
        return name
    if name not in ("saddr", "daddr"):
        raise UnsupportedField(f"{key}: {name!r} cannot be said in dari's rules", _SAY)
    return f"{family} {name}"


def _value(word: str, field: str, version: int, key: str) -> str:
    if field == "iifname":
        return f'"{_link(word.strip(chr(34)), key)}"'
    network = parse_network(word if "/" in word else f"{word}/{_whole(version)}", key)
    if network.version != version:
        raise BadConfig(f"{key}: {word!r} is of IPv{network.version}")
    return str(network)


def _whole(version: int) -> int:
    return 32 if version == 4 else 128


def _link(name: str, key: str) -> str:
    """A link's name; iptables' ``eth+`` (all that begin so) is nft's ``eth*``."""
    stem = name[:-1] if name[-1:] in ("+", "*") else name
    if not stem or len(name) > _LINK_NAME_BYTES or not _SAFE.issuperset(stem):
        raise BadConfig(f"{key}: {name!r} is no name for a link")
    return stem if stem == name else f"{stem}*"
