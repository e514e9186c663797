"""Which MAC each guarded port of a bridge may send from: one small file per port.

The files, gone with the boot, are the truth; the table `bridge dari` in the kernel is
made from them and is there only as long as a port is guarded. It is a table of its own
since that of the routed packets (`nft.table`) sees no frame that stays on a bridge.

May import: errors, fields, files, jsontext, netlink, nft, paths, record.
"""

from __future__ import annotations

import os

from dari import files, jsontext
from dari.errors import DariError, FirewallRefused, IOFailure, Undecodable
from dari.fields import text
from dari.files import read_bounded
from dari.netlink.constants import NETLINK_NETFILTER
from dari.netlink.sock import NetlinkSocket
from dari.nft import probe
from dari.nft.library import Nft
from dari.nft.listing import Listing
from dari.nft.section import TABLE, Section, changes, merged, removal, replacement
from dari.record import Record

TYPE_CHECKING = False
if TYPE_CHECKING:
    from contextlib import AbstractContextManager

    from dari.nft.section import Elements
    from dari.paths import Paths

FAMILY = "bridge"
_CHAIN = "spoofing"
_SUFFIX = ".json"
_LIMIT = 1 << 12  # bytes


class Guarded(Record):
    """A port that may send from one MAC alone; `network` is its pod's."""

    port: str
    mac: str
    network: str


def guard(paths: Paths, guarded: Guarded) -> None:
    """Drop what a port sends from another MAC, from now on.

    Raises:
        FirewallRefused: libnftables is missing or says no.
    """
    with _locked(paths):
        lost = _elements_on_file(paths, guarded.port)
        document = {"mac": guarded.mac, "network": guarded.network}
        files.write_whole(_path(paths, guarded.port), jsontext.encode(document))
        _change(paths, _elements(guarded), lost)


def release(paths: Paths, port: str) -> bool:
    """Let a port send what it will, if it was guarded at all; True where it was.

    Raises:
        FirewallRefused: libnftables is missing or says no.
    """
    if not os.path.exists(_path(paths, port)):
        return False
    with _locked(paths):
        lost = _elements_on_file(paths, port)
        found = files.remove(_path(paths, port))
        _change(paths, {}, lost)
    return found


def read_all(paths: Paths) -> list[Guarded]:
    """All guarded ports, in order.

    Raises:
        Undecodable: a file is damaged; it names the file.
    """
    return [_read(paths, port) for port in ports(paths)]


def ports(paths: Paths) -> list[str]:
    """The guarded ports' names, in order."""
    try:
        names = sorted(os.listdir(paths.spoofing))
    except FileNotFoundError:
        return []
    whole = [each for each in names if each.endswith(_SUFFIX) and not each.startswith(".")]
    return [each.removesuffix(_SUFFIX) for each in whole]


def is_guarded(paths: Paths, port: str, mac: str) -> bool:
    """Is the port, by its file, held to this MAC?"""
    try:
        return _read(paths, port).mac == mac
    except (IOFailure, Undecodable):
        return False


def verify(paths: Paths) -> bool:
    """Is the kernel's table as the files say, and as it was built?

    Raises:
        FirewallRefused: libnftables is missing.
        Undecodable: a file is damaged.
    """
    with _locked(paths):
        wanted = merged(_elements(each) for each in read_all(paths))
        if not wanted and not os.path.exists(_built(paths)):
            return True
        with Nft() as nft:
            listing = Listing(nft, FAMILY)
        if not wanted:
            return listing.is_empty
        return files.holds(_built(paths), listing.digest()) and listing.holds_just(wanted)


def rebuild(paths: Paths) -> None:
    """Replace the table by what the files say, in one transaction.

    Raises:
        FirewallRefused: libnftables is missing or says no.
        Undecodable: a file is damaged.
    """
    with _locked(paths):
        _build(paths)


def remove_table() -> None:
    """Take the table out of the kernel; nothing happens where it is not there.

    Raises:
        FirewallRefused: libnftables is missing or says no.
    """
    with Nft() as nft:
        if not Listing(nft, FAMILY).is_empty:
            nft.run(removal(FAMILY))


def spoofing_section() -> Section:
    """The chain and its sets, empty: from a guarded port come only allowed MACs."""
    lines = ["\tset guarded {", "\t\ttype ifname", "\t}"]
    lines += ["\tset allowed {", "\t\ttype ifname . ether_addr", "\t}"]
    lines += [
        f"\tchain {_CHAIN} {{",
        "\t\ttype filter hook prerouting priority -300; policy accept;",
        "\t\tiifname @guarded iifname . ether saddr != @allowed drop",
        "\t}",
        "",
    ]
    return Section(chain=_CHAIN, uses=1, text="\n".join(lines))


def _change(paths: Paths, gained: Elements, lost: Elements) -> None:
    if ports(paths) and _is_current(paths):
        try:
            with Nft() as nft:
                nft.run(changes(gained, lost, FAMILY))
            return
        except FirewallRefused:
            pass  # an element is not as the files had it: all is built from them
    _build(paths)


def _is_current(paths: Paths) -> bool:
    if not os.path.exists(_built(paths)):
        return False
    with NetlinkSocket(NETLINK_NETFILTER) as sock:
        return probe.is_current(sock, spoofing_section(), FAMILY)


def _build(paths: Paths) -> None:
    elements = merged(_elements(each) for each in read_all(paths))
    files.remove(_built(paths))
    if not elements:
        return remove_table()
    with Nft() as nft:
        nft.run(replacement([spoofing_section()], elements, FAMILY))
        digest = Listing(nft, FAMILY).digest()
    return files.write_whole(_built(paths), digest.encode())


def _elements(guarded: Guarded) -> Elements:
    port = f'"{guarded.port}"'
    return {"guarded": (port,), "allowed": (f"{port} . {guarded.mac}",)}


def _elements_on_file(paths: Paths, port: str) -> Elements:
    try:
        return _elements(_read(paths, port))
    except (IOFailure, Undecodable):
        return {}


def _read(paths: Paths, port: str) -> Guarded:
    path = _path(paths, port)
    content = read_bounded(path, _LIMIT)
    if content is None:
        raise IOFailure(f"read {path}: it is gone")
    try:
        document = jsontext.decode(content, path)
    except DariError as error:
        raise _damaged(path, error.message) from None
    mac, network = text(document, "mac"), text(document, "network")
    if not mac or {*mac} - {*"0123456789abcdef:"}:
        raise _damaged(path, f"mac: {mac!r}")
    return Guarded(port=port, mac=mac, network=network)


def _damaged(path: str, reason: str) -> Undecodable:
    return Undecodable(
        f"{path}: not a record of a guarded port: {reason}",
        f"remove it once its pod is gone: rm {path}",
    )


def _locked(paths: Paths) -> AbstractContextManager[None]:
    return files.locked(f"{paths.table}/lock")


def _path(paths: Paths, port: str) -> str:
    return f"{paths.spoofing}/{port}{_SUFFIX}"


def _built(paths: Paths) -> str:
    return f"{paths.table}/built-{FAMILY}-{TABLE}"
