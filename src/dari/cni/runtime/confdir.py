"""Chooses the network configuration in a folder, as containerd does.

Of the files ending in .conf, .conflist and .json the first by name is it. An
invalid one is not passed by: the runtime would not either, and a network other
than the one meant would be the result. `<folder>/<network>/*.conf` adds plugins
to a list, unless it says `loadOnlyInlinedPlugins`.

Source: containerd's go-cni (`loadFromConfDir`), libcni's `NetworkConfFromFile`.
May import: errors, jsontext, cni.runtime.conflist.
"""

from __future__ import annotations

import os

from dari.cni.runtime.conflist import read_list, read_plugin, read_single, switch
from dari.cni.runtime.messages import _
from dari.errors import BadConfig, IncompatibleVersion, IOFailure
from dari.fields import text
from dari.jsontext import decode

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import TypeVar

    from dari.cni.runtime.conflist import NetworkList
    from dari.model import Json

    T = TypeVar("T")

SUFFIXES = (".conf", ".conflist", ".json")


def choose(folder: str) -> NetworkList:
    """The network that a runtime with this folder uses.

    Raises:
        BadConfig: there is none, or the first is wrong; the message names file and key.
        Undecodable: the first is no JSON; the message names file, line and column.
        IncompatibleVersion: dari knows none of its versions.
        IOFailure: folder or file cannot be read.
    """
    files = list_files(folder, SUFFIXES)
    if not files:
        raise BadConfig(
            _(
                "{folder}: no network configuration (a file ending in .conf, .conflist or .json)"
            ).format(folder=folder),
            _("put one there, by hand or with `dari install`"),
        )
    return load(files[0])


def load(path: str) -> NetworkList:
    """The network that one file describes; the errors are those of `choose`."""
    raw = decode(_read(path), path)
    if not path.endswith(".conflist"):
        return _of_file(path, lambda: read_single(raw))
    return _of_file(path, lambda: read_list(raw, _own_plugins(path, raw)))


def list_files(folder: str, suffixes: tuple[str, ...]) -> list[str]:
    """Paths of the files with such names, by name; a missing folder has none.

    Raises:
        IOFailure: the folder cannot be read.
    """
    try:
        with os.scandir(folder) as entries:
            names = [
                entry.name
                for entry in entries
                if entry.name.endswith(suffixes) and not entry.is_dir(follow_symlinks=False)
            ]
    except FileNotFoundError:
        return []
    except OSError as error:
        raise IOFailure(f"read {folder}: {error.strerror}") from None
    return [os.path.join(folder, name) for name in sorted(names, key=os.fsencode)]


def _own_plugins(path: str, raw: Json) -> list[Json]:
    name = text(raw, "name")
    if switch(raw, "loadOnlyInlinedPlugins") or not name or "/" in name:
        return []
    files = list_files(os.path.join(os.path.dirname(path), name), (".conf",))
    return [_plugin(file) for file in files]


def _plugin(path: str) -> Json:
    raw = decode(_read(path), path)
    return _of_file(path, lambda: read_plugin(raw))


def _of_file(path: str, read: Callable[[], T]) -> T:
    """Put the file's name before what is wrong with a key of it."""
    try:
        return read()
    except (BadConfig, IncompatibleVersion) as error:
        if error.message.startswith(os.path.dirname(path)):
            raise
        raise type(error)(f"{path}: {error.message}", error.details) from None


def _read(path: str) -> bytes:
    try:
        with open(path, "rb") as stream:
            return stream.read()
    except OSError as error:
        raise IOFailure(f"read {path}: {error.strerror}") from None
