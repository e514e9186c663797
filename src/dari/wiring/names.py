"""What dari's own links are called, and how an attachment is read back from them.

The name of a cable's host end follows from the attachment alone, so that a DEL
finds it with no state on disk. The alias is set last: a cable without one is
half-done, left by an ADD that was killed.

May import: model.
"""

from __future__ import annotations

from _blake2 import blake2b  # hashlib costs 4 ms to import; this is what it uses
from functools import lru_cache

from dari.model import ContainerId, InterfaceName, Owner

TYPE_CHECKING = False
if TYPE_CHECKING:
    from dari.model import NetworkName

PREFIX = "dari"
_CONDEMNED = "dari-"
_ALIAS_LIMIT = 250  # IFALIASZ is 256, and kernels differ in what they count to it
_LETTERS = "abcdefghijklmnopqrstuvwxyz234567"
_DIGITS = 11  # IFNAMSIZ allows 15 characters in all; 11 of base32 are 55 bits
_SHAPER = f"{PREFIX}s"
_SHAPER_DIGITS = 9
OWN_LINKS = (
    (PREFIX.encode(), len(PREFIX) + _DIGITS),
    (_SHAPER.encode(), len(_SHAPER) + _SHAPER_DIGITS),
)
"""How the names of pods' links on the node begin, and how many bytes they have."""


def host_end(owner: Owner) -> str:
    """Name of the host end of an attachment's cable, 15 characters."""
    return PREFIX + _digest(owner)[:_DIGITS]


def shaper(owner: Owner) -> str:
    """Name of the device that shapes what an attachment sends: 14 characters, so no host end."""
    return _SHAPER + _digest(owner)[:_SHAPER_DIGITS]


def is_host_end(name: str) -> bool:
    """Could this link be the host end of one of dari's cables?"""
    return name.startswith(PREFIX) and len(name) == len(PREFIX) + _DIGITS


def is_own_link(name: str) -> bool:
    """Could this link be one that comes and goes with a pod of dari's?"""
    return any(name.startswith(b.decode()) and len(name) == size for b, size in OWN_LINKS)


def alias(network: NetworkName, owner: Owner, *, condemned: bool = False) -> str:
    """What `ip link` shows of the attachment; cut where it is longer than the kernel takes."""
    mark = _CONDEMNED if condemned else PREFIX
    return f"{mark} {network} {owner.container_id} {owner.ifname}"[:_ALIAS_LIMIT]


def is_condemned(link_alias: str) -> bool:
    """Was the link's pod deleted, and the link itself left to be deleted soon?"""
    return link_alias.startswith(f"{_CONDEMNED} ")


def belongs_to(link_alias: str, network: NetworkName) -> bool:
    """Does a link with this alias belong to the network?"""
    return link_alias.startswith((f"{PREFIX} {network} ", f"{_CONDEMNED} {network} "))


def owner_of(link_alias: str) -> Owner | None:
    """The attachment that an alias names, or None where it is none of dari's, or cut."""
    words = link_alias.split(" ")
    if len(words) != 4 or words[0] not in (PREFIX, _CONDEMNED):
        return None
    return Owner(container_id=ContainerId(words[2]), ifname=InterfaceName(words[3]))


def _digest(owner: Owner) -> str:
    return _letters(f"{owner.container_id}\0{owner.ifname}")


@lru_cache(maxsize=64)  # a call asks for the names of its one attachment a dozen times
def _letters(owner: str) -> str:
    text = owner.encode()
    return "".join(_LETTERS[byte & 31] for byte in blake2b(text, digest_size=_DIGITS).digest())
