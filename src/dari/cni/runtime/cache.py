"""What a runtime remembers of an attachment: how it was made, and what came of it.

One file for each in ``/var/lib/cni/results``, called
``<network>-<container id>-<ifname>``, in libcni's own format, so that other
runtimes' tools can read ours and the other way round.

Source: libcni's `api.go`, `cachedInfo`.
May import: errors, fields, files, jsontext, model, record.
"""

from __future__ import annotations

import os
from base64 import b64decode, b64encode

from dari.cni.runtime.messages import _
from dari.errors import DariError, Undecodable
from dari.fields import items, section, text
from dari.files import remove, write_whole
from dari.jsontext import decode, encode
from dari.model import EMPTY, ContainerId, InterfaceName, NetworkName, Owner
from dari.record import Record

TYPE_CHECKING = False
if TYPE_CHECKING:
    from dari.model import Json

_KIND = "cniCacheV1"


class Attachment(Record):
    """A container's interface in a network, as a runtime asks for it.

    `args` are CNI_ARGS' pairs; `capability_args` is what `runtimeConfig` is
    made of.
    """

    container_id: ContainerId
    ifname: InterfaceName
    netns: str
    args: tuple[tuple[str, str], ...] = ()
    capability_args: Json = EMPTY

    @property
    def owner(self) -> Owner:
        """Container and interface."""
        return Owner(container_id=self.container_id, ifname=self.ifname)


class Cached(Record):
    """One file of the cache; `config` is the list's JSON, `result` the last plugin's."""

    network: NetworkName
    attachment: Attachment
    config: bytes
    result: Json


def path_of(folder: str, network: str, owner: Owner) -> str:
    """The file of an attachment."""
    return os.path.join(folder, f"{network}-{owner.container_id}-{owner.ifname}")


def store(folder: str, cached: Cached) -> None:
    """Write an attachment's file.

    Raises:
        IOFailure: it cannot be written.
    """
    attachment = cached.attachment
    content: dict[str, object] = {
        "kind": _KIND,
        "containerId": attachment.container_id,
        "config": b64encode(cached.config).decode(),
        "ifName": attachment.ifname,
        "networkName": cached.network,
        "netns": attachment.netns,
        "result": cached.result,
    }
    if attachment.args:
        content["cniArgs"] = [list(pair) for pair in attachment.args]
    if attachment.capability_args:
        content["capabilityArgs"] = attachment.capability_args
    write_whole(path_of(folder, cached.network, attachment.owner), encode(content))


def load(folder: str, network: str, owner: Owner) -> Cached | None:
    """An attachment's file, or None where there is none that can be read."""
    return _load(path_of(folder, network, owner))


def forget(folder: str, network: str, owner: Owner) -> None:
    """Remove an attachment's file, if there is one.

    Raises:
        IOFailure: it is there and cannot be removed.
    """
    remove(path_of(folder, network, owner))


def list_cached(folder: str) -> list[Cached]:
    """Every attachment of every network; files that are something else are passed by."""
    try:
        names = sorted(os.listdir(folder))
    except OSError:
        return []
    found = (_load(os.path.join(folder, name)) for name in names)
    return [cached for cached in found if cached is not None]


def _load(path: str) -> Cached | None:
    try:
        with open(path, "rb") as stream:
            return _cached(decode(stream.read(), path))
    except (OSError, DariError):
        return None


def _cached(raw: Json) -> Cached:
    if text(raw, "kind") != _KIND:
        raise Undecodable(f"kind: not {_KIND}")
    return Cached(
        network=NetworkName(text(raw, "networkName")),
        attachment=Attachment(
            container_id=ContainerId(text(raw, "containerId")),
            ifname=InterfaceName(text(raw, "ifName")),
            netns=text(raw, "netns"),
            args=tuple(_pair(pair) for pair in items(raw, "cniArgs")),
            capability_args=section(raw, "capabilityArgs"),
        ),
        config=_base64(text(raw, "config")),
        result=section(raw, "result"),
    )


def _pair(value: object) -> tuple[str, str]:
    if isinstance(value, list) and len(value) == 2 and all(isinstance(v, str) for v in value):
        return value[0], value[1]
    raise Undecodable(_("cniArgs: {value!r} is not a pair").format(value=value))


def _base64(encoded: str) -> bytes:
    try:
        return b64decode(encoded, validate=True)
    except ValueError:
        raise Undecodable(_("config: not base64")) from None
