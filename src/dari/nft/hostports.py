"""Which host ports lead to which pods: one small file per host port, gone with the boot.

The files are the truth and are asked first, so that two pods never get the same
port; the kernel's maps are made from them (`nft.table`). A port's file tells who
holds it at which of the node's addresses, so that one pod more costs no more with a
thousand pods there than with one.

May import: addr, errors, files, jsontext, fields, model, paths, record, nft.
"""

from __future__ import annotations

import os

from dari import jsontext
from dari.addr import parse_address, parse_network
from dari.errors import BadConfig, DariError, IOFailure, TryAgain, Undecodable
from dari.fields import items, number, section, text
from dari.files import read_bounded, remove, write_whole
from dari.model import ContainerId, InterfaceName, Owner
from dari.nft.conditions import parse_conditions
from dari.nft.hostrules import DEFAULT_BIT, PROTOCOLS, Claim, Group

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence
    from typing import TypeVar

    from dari.model import Json
    from dari.paths import Paths

    T = TypeVar("T")

_GROUPS, _SUFFIX = "groups", ".json"
_LIMIT = 1 << 20  # bytes
_HIGHEST_PORT = 65535
_HIGHEST_BIT = 31


class Held(TryAgain):
    """Another attachment holds the port; `holder` is its claim."""

    def __init__(self, wanted: Claim, holder: Claim) -> None:
        owner = holder.owner
        super().__init__(
            f"hostPort {wanted.place}: held by container {owner.container_id} "
            f"({owner.ifname}, network {holder.network}) as {holder.place}",
            "end that container, or choose another hostPort or hostIP",
        )
        self.holder = holder


def claim(paths: Paths, wanted: Sequence[Claim]) -> tuple[Claim, ...]:
    """Take host ports for one attachment, all or none; under the table's lock.

    Returns:
        What the same attachment had at these ports, which is no more.

    Raises:
        Held: one of them is another's.
        Undecodable: a port's file is damaged.
    """
    before = {port: read_port(paths, *port) for port in _ports(wanted)}
    for each in wanted:
        for other in before[each.protocol, each.port]:
            if other.owner != each.owner and other.meets(each):
                raise Held(each, other)
    owners = {each.owner for each in wanted}
    for port, held in before.items():
        others = [each for each in held if each.owner not in owners]
        own = [each for each in wanted if (each.protocol, each.port) == port]
        _write_port(paths, port, [*others, *own])
    for group in {each.group for each in wanted}:
        _write_group(paths, group)
    return tuple(each for held in before.values() for each in held if each.owner in owners)


def release(paths: Paths, owner: Owner, ports: Iterable[tuple[str, int]]) -> tuple[Claim, ...]:
    """Give back what an attachment holds of these ports (protocol, number); the table's lock.

    Returns:
        What it held.

    Raises:
        Undecodable: a port's file is damaged.
    """
    lost: list[Claim] = []
    for port in dict.fromkeys(ports):
        held = read_port(paths, *port)
        own = [each for each in held if each.owner == owner]
        if own:
            _write_port(paths, port, [each for each in held if each.owner != owner])
        lost += own
    return tuple(lost)


def read_port(paths: Paths, protocol: str, port: int) -> list[Claim]:
    """Who holds a port, at whichever addresses.

    Raises:
        Undecodable: its file is damaged.
    """
    path = _port_path(paths, protocol, port)
    return _read(path, _claims) if os.path.exists(path) else []


def read_claims(paths: Paths) -> tuple[Claim, ...]:
    """All claims.

    Raises:
        Undecodable: a port's file is damaged; it names the file.
    """
    folder = paths.hostports
    return tuple(each for name in _names(folder) for each in _read(f"{folder}/{name}", _claims))


def read_groups(paths: Paths) -> tuple[Group, ...]:
    """The groups that are or were in use.

    Raises:
        Undecodable: a group's file is damaged; it names the file.
    """
    folder = f"{paths.hostports}/{_GROUPS}"
    return tuple(_read(f"{folder}/{name}", _group) for name in _names(folder))


def is_used(paths: Paths) -> bool:
    """Does anybody hold a port?"""
    return any(True for _ in _names(paths.hostports))


def forget_unused_groups(paths: Paths) -> None:
    """Forget groups that no pod is in any more; under the table's lock.

    Raises:
        Undecodable: a port's file is damaged.
    """
    kept = {_group_name(each.group) for each in read_claims(paths)}
    folder = f"{paths.hostports}/{_GROUPS}"
    for name in _names(folder):
        if name not in kept:
            remove(f"{folder}/{name}")


def _ports(claims: Iterable[Claim]) -> list[tuple[str, int]]:
    return list(dict.fromkeys((each.protocol, each.port) for each in claims))


def _names(folder: str) -> list[str]:
    try:
        names = sorted(os.listdir(folder))
    except FileNotFoundError:
        return []
    return [each for each in names if each.endswith(_SUFFIX) and not each.startswith(".")]


def _port_path(paths: Paths, protocol: str, port: int) -> str:
    return f"{paths.hostports}/{protocol}-{port}{_SUFFIX}"


def _write_port(paths: Paths, port: tuple[str, int], claims: Sequence[Claim]) -> None:
    path = _port_path(paths, *port)
    if claims:
        document = {"claims": [_encode_claim(each) for each in claims]}
        write_whole(path, jsontext.encode(document))
    else:
        remove(path)


def _group_name(group: Group) -> str:
    return f"{group.suffix}{_SUFFIX}"


def _write_group(paths: Paths, group: Group) -> None:
    path = f"{paths.hostports}/{_GROUPS}/{_group_name(group)}"
    if not os.path.exists(path):
        write_whole(path, jsontext.encode(_encode_group(group)))


def _read(path: str, decode: Callable[[Json], T]) -> T:
    content = read_bounded(path, _LIMIT)
    if content is None:
        raise IOFailure(f"read {path}: it is gone")
    try:
        return decode(jsontext.decode(content, path))
    except DariError as error:
        raise Undecodable(
            f"{path}: not a record of host ports: {error.message}",
            f"remove it, and end the pods that have a host port there: rm {path}",
        ) from None


def _encode_group(group: Group) -> Json:
    return {
        "version": group.version,
        "sources": [str(each) for each in group.sources],
        "conditions": group.conditions,
        "bit": group.bit,
    }


def _encode_claim(claim: Claim) -> Json:
    return {
        "containerID": claim.owner.container_id,
        "ifname": claim.owner.ifname,
        "network": claim.network,
        "protocol": claim.protocol,
        "port": claim.port,
        "at": str(claim.at),
        "to": str(claim.to),
        "toPort": claim.to_port,
        "group": _encode_group(claim.group),
    }


def _claims(document: Json) -> list[Claim]:
    found = [each for each in items(document, "claims") if isinstance(each, dict)]
    return [_claim(each) for each in found]


def _claim(document: Json) -> Claim:
    protocol = text(document, "protocol")
    if protocol not in PROTOCOLS:
        raise BadConfig(f"protocol: {protocol!r}")
    return Claim(
        owner=Owner(
            container_id=ContainerId(text(document, "containerID")),
            ifname=InterfaceName(text(document, "ifname")),
        ),
        network=text(document, "network"),
        protocol=protocol,
        port=number(document, "port", low=1, high=_HIGHEST_PORT),
        at=parse_network(document.get("at"), "at"),
        to=parse_address(document.get("to"), "to"),
        to_port=number(document, "toPort", low=1, high=_HIGHEST_PORT),
        group=_group(section(document, "group")),
    )


def _group(document: Json) -> Group:
    version = number(document, "version")
    if version not in (4, 6):
        raise BadConfig(f"version: {version}")
    words = text(document, "conditions").split()
    return Group(
        version=version,
        sources=tuple(parse_network(each, "sources") for each in items(document, "sources")),
        conditions=parse_conditions(words, version, "conditions"),
        bit=number(document, "bit", DEFAULT_BIT, high=_HIGHEST_BIT),
    )
