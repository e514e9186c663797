"""One small file per attachment, gone with the boot: what it takes to undo it later.

A plugin later in a chain that keeps something has a record of its own beside it,
told apart by its `part`, the plugin's type.

Written before an ADD's first change and removed after a DEL's last, so that
whatever a kill leaves behind is named here. Some runtimes never call DEL or GC;
from the record the agent can make the DEL that never came, with the
configuration that the ADD had.

May import: errors, files, fields, jsontext, model, paths, record, wiring.names.
"""

from __future__ import annotations

import os
from contextlib import suppress

from dari import jsontext
from dari.errors import DariError, IOFailure, Undecodable
from dari.fields import items, number, section, text
from dari.files import read_bounded, remove, write_whole
from dari.model import ContainerId, InterfaceName, NetConf, NetworkName, Owner, Request
from dari.record import Record
from dari.wiring.names import host_end

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

    from dari.model import Json
    from dari.paths import Paths

_SUFFIX = ".json"
_ENDED = ".ended"
_LIMIT = 1 << 21  # bytes; a configuration is at most half of it


class Attachment(Record):
    """One interface of one container, as ADD was asked for it.

    `inode` is the namespace's, so that another one at the same path is told
    apart; `conf` is the plugin's whole configuration without `prevResult`; `part`
    names a chained plugin, and is empty for the one that made the interface.
    """

    owner: Owner
    netns: str
    inode: int
    path: tuple[str, ...]
    args: Json
    conf: Json
    part: str = ""

    @property
    def network(self) -> str:
        """The name of its network."""
        return text(self.conf, "name")

    @property
    def alive(self) -> bool:
        """Is its namespace still where it was?"""
        try:
            return os.stat(self.netns).st_ino == self.inode
        except OSError:
            return False


def remember(paths: Paths, request: Request, inode: int, part: str = "") -> None:
    """Record an attachment that is about to be made.

    Args:
        paths: where the run folder is.
        request: its ADD.
        inode: the namespace's.
        part: the chained plugin whose record it is; empty for the plugin that
            makes the interface.

    Raises:
        IOFailure: the run folder cannot be written.
    """
    conf = {key: value for key, value in request.conf.raw.items() if key != "prevResult"}
    document = {
        "containerID": request.container_id,
        "ifname": request.ifname,
        "netns": request.netns,
        "inode": inode,
        "path": list(request.path),
        "args": dict(request.args),
        "config": conf,
        "part": part,
    }
    path = _path(paths, request.owner, part)
    write_whole(path, jsontext.encode(document))
    if not part:
        # Of this attachment's earlier life, whose remains are this one's now.
        remove(path + _ENDED)


def forget(paths: Paths, owner: Owner, part: str = "") -> bool:
    """Remove an attachment's record, or a chained plugin's; True where there was one."""
    path = _path(paths, owner, part)
    gone = remove(path)
    return gone if part else gone | remove(path + _ENDED)


def end(paths: Paths, owner: Owner) -> None:
    """Note that an attachment's DEL came and was answered, before all of it is undone.

    Whatever becomes of this process, `half_deleted` names it to the next.
    """
    path = _path(paths, owner, "")
    with suppress(FileNotFoundError):
        os.rename(path, path + _ENDED)


def is_renewed(paths: Paths, owner: Owner) -> bool:
    """Was the attachment made again since `end`? What its DEL left undone is then in use."""
    return os.path.exists(_path(paths, owner, ""))


def find(paths: Paths, owner: Owner, part: str = "") -> Attachment | None:
    """An attachment's record, or a chained plugin's; None where there is none.

    Raises:
        Undecodable: the file is not what `remember` writes.
    """
    path = _path(paths, owner, part)
    for candidate in (path,) if part else (path, path + _ENDED):
        if os.path.exists(candidate):
            return _read(candidate)
    return None


def all_attachments(paths: Paths) -> Iterator[Attachment | Undecodable]:
    """Every record, and in place of a damaged one what is wrong with it."""
    return _all(paths, _SUFFIX)


def half_deleted(paths: Paths) -> Iterator[Attachment]:
    """Records of what `end` was noted of and is not forgotten yet; damaged ones are left."""
    return (each for each in _all(paths, _SUFFIX + _ENDED) if isinstance(each, Attachment))


def _all(paths: Paths, suffix: str) -> Iterator[Attachment | Undecodable]:
    try:
        names = sorted(os.listdir(paths.attachments))
    except FileNotFoundError:
        return
    for name in names:
        if name.endswith(suffix) and not name.startswith("."):
            try:
                yield _read(f"{paths.attachments}/{name}")
            except Undecodable as error:
                yield error
            except IOFailure:
                continue  # its DEL was quicker


def lost_attachments(paths: Paths, conf: NetConf, part: str = "") -> Iterator[Attachment]:
    """Records of a network (GC's) that belong to no valid attachment; damaged ones are left."""
    valid = conf.valid_attachments or ()
    for attachment in all_attachments(paths):
        if isinstance(attachment, Undecodable) or attachment.owner in valid:
            continue
        if attachment.network == conf.name and attachment.part == part:
            yield attachment


def as_delete(attachment: Attachment) -> Request:
    """The DEL that its runtime would have sent."""
    conf = attachment.conf
    return Request(
        command="DEL",
        container_id=attachment.owner.container_id,
        ifname=attachment.owner.ifname,
        netns=attachment.netns if attachment.alive else "",
        args={key: str(value) for key, value in attachment.args.items()},
        path=attachment.path,
        conf=NetConf(
            cni_version=text(conf, "cniVersion"),
            name=NetworkName(attachment.network),
            type=text(conf, "type"),
            raw=conf,
            ipam=section(conf, "ipam"),
            runtime_config=section(conf, "runtimeConfig"),
            args=section(conf, "args"),
        ),
    )


def _path(paths: Paths, owner: Owner, part: str) -> str:
    name = f"{host_end(owner)}.{part}" if part else host_end(owner)
    return f"{paths.attachments}/{name}{_SUFFIX}"


def _read(path: str) -> Attachment:
    content = read_bounded(path, _LIMIT)
    if content is None:
        raise IOFailure(f"read {path}: it is gone")
    try:
        return _decode(jsontext.decode(content, path))
    except DariError as error:
        raise Undecodable(
            f"{path}: not a record of an attachment: {error.message}",
            f"remove it once its pod is gone: rm {path}",
        ) from None


def _decode(document: Json) -> Attachment:
    return Attachment(
        owner=Owner(
            container_id=ContainerId(text(document, "containerID")),
            ifname=InterfaceName(text(document, "ifname")),
        ),
        netns=text(document, "netns"),
        inode=number(document, "inode", high=2**63),
        path=tuple(str(folder) for folder in items(document, "path")),
        args=section(document, "args"),
        conf=section(document, "config"),
        part=text(document, "part"),
    )
