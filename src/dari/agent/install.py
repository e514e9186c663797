"""Puts dari's executables where runtimes look for plugins, and takes them away again.

Each is the native entry, where the package has it, with a file beside it that says
where the agent listens and what to start where none does; else a tiny script that
starts the Python that runs now, on the package that runs now. Files appear whole, by
a rename, so that a runtime that is starting one never meets half of it and nobody is
told "text file busy".

Another's executable of the same name is kept beside ours as ``NAME.dari-saved``
and comes back when ours is taken away: nothing that was there is ever lost.

May import: errors, files, native, paths, record, wiring.registry, agent.conflist.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Iterable
from contextlib import suppress
from typing import TYPE_CHECKING

from dari import native
from dari.agent import conflist
from dari.agent.messages import _
from dari.errors import BadConfig, IOFailure
from dari.files import remove, write_whole
from dari.native import bundle, settings
from dari.paths import Paths
from dari.record import Record
from dari.wiring.registry import MODULES

if TYPE_CHECKING:
    from dari.model import IPNetwork

BIN_DIR = "/opt/cni/bin"
OWN_NAME = "dari"
MARKER = b"dari-executable"  # every executable of ours holds it, the native one too
_SAVED = ".dari-saved"
_LONGEST_SHEBANG = 255  # BINPRM_BUF_SIZE less its final NUL, linux/binfmts.h
_LARGEST = 4 << 20  # bytes of a file that are searched for the marker


class Installed(Record):
    """An executable that was put in place; `saved` is where another's went, or empty."""

    path: str
    saved: str = ""


class Executable(Record):
    """What is installed under each name, and what is put beside it, if it is the native entry.

    `settings` and `bundle` are files: see `native.settings`, `native.bundle`.
    """

    content: bytes
    settings: bytes = b""
    bundle: bytes = b""


def executable(paths: Paths, *, fallback: bool = True) -> Executable:
    """The native entry, or the script where it was not built.

    Args:
        fallback: start this Python where no agent listens; without it an agent is
            waited for, as one in a container has to be: its Python is not the node's.

    Raises:
        BadConfig: Python is somewhere that neither can name, or only the script is
            there, which is nothing but Python.
    """
    python, package = settings.this_python() if fallback else ("", "")
    entry = native.entry_path()
    if entry is None and not fallback:
        raise BadConfig(
            _(
                "--no-fallback: the native entry was not built, and nothing else does "
                "without Python"
            ),
            _("install a C compiler (Debian: musl-tools) and this package once more"),
        )
    beside = settings.Settings(socket=paths.agent_socket, python=python, package=package)
    try:
        modules = bundle.pack() if fallback else b""
        if entry is None:
            return Executable(content=script(python, package), bundle=modules)
        with open(entry, "rb") as stream:
            content = stream.read()
        return Executable(content=content, settings=os.fsencode(beside.text()), bundle=modules)
    except (OSError, ValueError) as error:
        raise BadConfig(
            _("install {path}: {error}").format(path=entry or package, error=error)
        ) from None


def script(interpreter: str, package_folder: str) -> bytes:
    """The executable's text.

    Args:
        interpreter: absolute path of Python.
        package_folder: the folder that holds the package `dari`.

    Raises:
        BadConfig: no shebang line can name this interpreter.
    """
    shebang = f"#!{interpreter} -IS\n"
    if not interpreter.startswith("/") or any(map(str.isspace, interpreter)):
        raise BadConfig(
            _("Python's path {interpreter!r} cannot stand in a script's first line").format(
                interpreter=interpreter
            )
        )
    if len(os.fsencode(shebang)) > _LONGEST_SHEBANG:
        raise BadConfig(
            _("Python's path {interpreter!r} is too long for a script's first line").format(
                interpreter=interpreter
            )
        )
    return (
        f"{shebang}"
        f"# {MARKER.decode()}: made by `dari install`, taken away by `dari uninstall`.\n"
        "import sys\n"
        "\n"
        f"sys.path.insert(0, {package_folder!r})\n"
        "from dari.native.launch import main\n"
        "\n"
        "folder, _, name = __file__.rpartition('/')\n"
        "sys.exit(main(name, folder))\n"
    ).encode()


def install_executables(
    folder: str, names: Iterable[str], program: Executable
) -> tuple[Installed, ...]:
    """Put the executable under `dari` and each of the names.

    Args:
        folder: made where it is missing.
        names: plugin types that dari has.
        program: from `executable`.

    Raises:
        BadConfig: dari has no plugin of a name; nothing is changed then.
        IOFailure: the folder cannot be written.
    """
    for name in names:
        if name not in MODULES:
            raise BadConfig(
                _("--as: dari has no plugin {name!r}").format(name=name),
                _("it has {modules}").format(modules=", ".join(MODULES)),
            )
    for each, beside in ((settings, program.settings), (bundle, program.bundle)):
        if beside:
            write_whole(f"{folder}/{each.FILE_NAME}", beside, mode=each.MODE)
    return tuple(
        _install(f"{folder}/{name}", program.content) for name in dict.fromkeys((OWN_NAME, *names))
    )


def _install(path: str, content: bytes) -> Installed:
    saved = _save(path) if os.path.lexists(path) and not is_ours(path) else ""
    write_whole(path, content, mode=0o755)
    return Installed(path=path, saved=saved)


def _save(path: str) -> str:
    """Give another's executable a second name; it keeps the first until ours takes it."""
    saved = f"{path}{_SAVED}"
    unfinished = f"{saved}.tmp"
    try:
        with suppress(FileNotFoundError):
            os.unlink(unfinished)
        os.link(path, unfinished, follow_symlinks=False)
        os.rename(unfinished, saved)
    except OSError as error:
        raise IOFailure(
            _("keep {path} as {saved}: {reason}").format(
                path=path, saved=saved, reason=error.strerror
            )
        ) from None
    return saved


def remove_executables(folder: str) -> tuple[str, ...]:
    """Take away every executable of ours, and put back what it stood in for.

    Returns:
        In words what was done.

    Raises:
        IOFailure: the folder cannot be read or written.
    """
    try:
        names = sorted(os.listdir(folder))
    except FileNotFoundError:
        return ()
    except OSError as error:
        raise IOFailure(
            _("read {folder}: {reason}").format(folder=folder, reason=error.strerror)
        ) from None
    done = tuple(_remove(f"{folder}/{name}") for name in names if is_ours(f"{folder}/{name}"))
    if done:
        for each in (settings, bundle):
            remove(f"{folder}/{each.FILE_NAME}")
    return done


def _remove(path: str) -> str:
    saved = f"{path}{_SAVED}"
    if not os.path.lexists(saved):
        remove(path)
        return _("removed {path}").format(path=path)
    try:
        os.rename(saved, path)
    except OSError as error:
        raise IOFailure(
            _("put {saved} back as {path}: {reason}").format(
                saved=saved, path=path, reason=error.strerror
            )
        ) from None
    return _("put back {path}, which was there before").format(path=path)


def is_ours(path: str) -> bool:
    """Is it a regular file that `install_executables` made?"""
    try:
        if not stat.S_ISREG(os.lstat(path).st_mode):
            return False
        with open(path, "rb") as stream:
            return MARKER in stream.read(_LARGEST)
    except OSError:
        return False


def write_conflist(folder: str, text: str) -> str:
    """Write the runtime's configuration in the way that it notices; the file's path.

    Raises:
        IOFailure: the folder cannot be written.
    """
    path = f"{folder}/{conflist.FILE}"
    write_whole(path, text.encode(), mode=0o644)
    return path


def read_conflist(folder: str) -> tuple[IPNetwork, ...] | None:
    """The pod ranges that the runtime's configuration names; None where dari's is not there."""
    try:
        with open(f"{folder}/{conflist.FILE}", "rb") as stream:
            return conflist.parse_ranges(stream.read(_LARGEST))
    except OSError:
        return None


def remove_conflist(folder: str) -> tuple[str, ...]:
    """Remove the configuration of dari's network; in words what was done.

    Raises:
        IOFailure: it cannot be removed.
    """
    path = f"{folder}/{conflist.FILE}"
    if not os.path.lexists(path):
        return ()
    if read_conflist(folder) is None:
        return (_("left {path}, which is none of dari's").format(path=path),)
    remove(path)
    return (_("removed {path}").format(path=path),)
