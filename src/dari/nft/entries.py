"""Which traffic is masqueraded: one small file per network, gone with the boot.

The files are the truth; the kernel's table is made from them (`nft.table`).
Whoever wires a network with `ipMasq` writes its entry once, so that a pod's
start changes nothing in the firewall.

May import: addr, errors, fields, files, jsontext, model, paths, record.
"""

from __future__ import annotations

import os

from dari import jsontext
from dari.addr import parse_network
from dari.errors import BadConfig, Undecodable
from dari.fields import items
from dari.files import read_bounded, remove, write_whole
from dari.record import Record

TYPE_CHECKING = False
if TYPE_CHECKING:
    from dari.model import IPNetwork
    from dari.paths import Paths

_SUFFIX = ".json"
_LIMIT = 1 << 20  # bytes of a record


class Masqueraded(Record):
    """What leaves `sources` is masqueraded, unless it goes to one of `spared`.

    Multicast is never masqueraded.
    """

    sources: tuple[IPNetwork, ...] = ()
    spared: tuple[IPNetwork, ...] = ()

    def merged(self, other: Masqueraded) -> Masqueraded:
        """Both entries together, each prefix once, in order."""
        return Masqueraded(
            sources=_union(self.sources, other.sources), spared=_union(self.spared, other.spared)
        )


def _union(left: tuple[IPNetwork, ...], right: tuple[IPNetwork, ...]) -> tuple[IPNetwork, ...]:
    return tuple(sorted({*left, *right}, key=_order))


def _order(network: IPNetwork) -> tuple[int, bytes, int]:
    return network.version, network.network_address.packed, network.prefixlen


def write_entry(paths: Paths, network: str, entry: Masqueraded) -> None:
    """Record what a network wants masqueraded, in place of what it wanted before.

    Raises:
        IOFailure: the run folder cannot be written.
    """
    document = {field: [str(each) for each in getattr(entry, field)] for field in entry._fields}
    write_whole(_path(paths, network), jsontext.encode(document))


def remove_entry(paths: Paths, network: str) -> bool:
    """Forget a network's entry; True where there was one."""
    return remove(_path(paths, network))


def has_entry(paths: Paths, network: str) -> bool:
    """Has the network an entry, whatever it says?"""
    return os.path.exists(_path(paths, network))


def read_entry(paths: Paths, network: str) -> Masqueraded | None:
    """A network's entry, or None where it has none.

    Raises:
        Undecodable: the file is not what `write_entry` writes.
    """
    path = _path(paths, network)
    content = read_bounded(path, _LIMIT)
    return None if content is None else _decode(path, content)


def read_all(paths: Paths) -> Masqueraded:
    """All networks' entries together.

    Raises:
        Undecodable: a file is not what `write_entry` writes; it names the file.
    """
    try:
        names = sorted(os.listdir(paths.masquerade))
    except FileNotFoundError:
        names = []
    merged = Masqueraded()
    for name in names:
        if name.endswith(_SUFFIX) and not name.startswith("."):
            merged = merged.merged(read_entry(paths, name.removesuffix(_SUFFIX)) or Masqueraded())
    return merged


def _path(paths: Paths, network: str) -> str:
    return f"{paths.masquerade}/{network}{_SUFFIX}"


def _decode(path: str, content: bytes) -> Masqueraded:
    try:
        document = jsontext.decode(content, path)
        read = {
            field: tuple(parse_network(each, field) for each in items(document, field))
            for field in Masqueraded._fields
        }
    except (Undecodable, BadConfig) as error:
        raise Undecodable(
            f"{path}: not a record of masqueraded networks: {error.message}",
            f"remove the file; the next pod of that network writes it anew: rm {path}",
        ) from None
    return Masqueraded(sources=read["sources"], spared=read["spared"])
