"""What type `tuning` found before it changed anything, kept so that a DEL can put it back.

A file per attachment, in the reference's format, so that theirs and ours can
undo each other's work. `sysctl` is ours alone: theirs does not put settings back.

Source: the reference plugin's files.
May import: errors, fields, files, jsontext, model, record.
"""

from __future__ import annotations

import os

from dari import jsontext
from dari.errors import BadConfig, DariError, Undecodable
from dari.fields import flag, number, section, text
from dari.files import read_bounded, remove, write_whole
from dari.record import Record

TYPE_CHECKING = False
if TYPE_CHECKING:
    from dari.model import Json, Owner

_LIMIT = 1 << 20  # bytes
_U32 = 2**32 - 1
_NOTHING: Json = {}


class Saved(Record):
    """How things were; empty, 0 or None for what is not to be put back.

    `settings` maps paths below /proc/sys to values.
    """

    mac: str = ""
    mtu: int = 0
    promisc: bool | None = None
    allmulti: bool | None = None
    txqlen: int | None = None
    settings: Json = _NOTHING

    @property
    def has_link(self) -> bool:
        """Whether it says anything of the interface itself."""
        given = (self.promisc, self.allmulti, self.txqlen)
        return bool(self.mac or self.mtu) or any(each is not None for each in given)

    def under(self, earlier: Saved) -> Saved:
        """Both together; where both know a thing, the earlier is right."""
        return Saved(
            mac=earlier.mac or self.mac,
            mtu=earlier.mtu or self.mtu,
            promisc=_first(earlier.promisc, self.promisc),
            allmulti=_first(earlier.allmulti, self.allmulti),
            txqlen=self.txqlen if earlier.txqlen is None else earlier.txqlen,
            settings={**self.settings, **earlier.settings},
        )


def save(folder: str, owner: Owner, saved: Saved) -> None:
    """Write an attachment's file.

    Raises:
        IOFailure: it cannot be written.
    """
    known = {
        "mac": saved.mac or None,
        "promisc": saved.promisc,
        "mtu": saved.mtu or None,
        "allmulti": saved.allmulti,
        "txQLen": saved.txqlen,
        "sysctl": dict(saved.settings) or None,
    }
    document = {key: value for key, value in known.items() if value is not None}
    write_whole(_path(folder, owner), jsontext.encode(document))


def load(folder: str, owner: Owner) -> Saved | None:
    """Read an attachment's file; None where there is none.

    Raises:
        IOFailure: it cannot be read.
        Undecodable: it is no such file, as after a kill of the reference's plugin.
    """
    path = _path(folder, owner)
    content = read_bounded(path, _LIMIT)
    if content is None:
        return None
    try:
        return _decode(jsontext.decode(content, path))
    except DariError as error:
        raise Undecodable(f"{path}: {error.message}") from None


def discard(folder: str, owner: Owner) -> bool:
    """Remove an attachment's file; True where there was one.

    Raises:
        IOFailure: it cannot be removed.
    """
    return os.path.isdir(folder) and remove(_path(folder, owner))


def _path(folder: str, owner: Owner) -> str:
    return f"{folder}/{owner.container_id}_{owner.ifname}.json"


def _decode(document: Json) -> Saved:
    settings = section(document, "sysctl")
    return Saved(
        mac=text(document, "mac"),
        mtu=number(document, "mtu"),
        promisc=None if document.get("promisc") is None else flag(document, "promisc"),
        allmulti=None if document.get("allmulti") is None else flag(document, "allmulti"),
        txqlen=None if document.get("txQLen") is None else number(document, "txQLen", high=_U32),
        settings={_below_net(path): text(settings, path) for path in settings},
    )


def _below_net(path: str) -> str:
    """Nothing outside of the network's settings is written, whatever a file says."""
    first, *others = path.split("/")
    if first != "net" or not others or not {"", ".", ".."}.isdisjoint(others):
        raise BadConfig(f"sysctl: {path!r} is no setting of the network")
    return path


def _first(left: bool | None, right: bool | None) -> bool | None:
    return right if left is None else left
