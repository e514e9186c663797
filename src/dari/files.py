"""Files written whole, and locks on them: what every record on disk needs.

May import: errors, flock.
"""

from __future__ import annotations

import os
from _thread import get_ident
from contextlib import contextmanager, suppress
from errno import EINVAL, EISDIR, ENOENT, EOPNOTSUPP
from stat import S_ISREG

from dari.errors import IOFailure
from dari.flock import exclusively

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

NO_NAMELESS_FILES = frozenset({EOPNOTSUPP, EISDIR, EINVAL, ENOENT})  # open(2), O_TMPFILE
_UMASKED = 0o077  # bits that a umask takes away from a new file
_LONGEST_SETTING = 1 << 16  # bytes


def write_whole(path: str, content: bytes, *, mode: int = 0o600) -> None:
    """Write a file so that neither a reader nor a kill ever meets half of it.

    A new file is written without a name, and linked to its name when it is whole;
    a kill before that leaves nothing. One that replaces another is written under a
    temporary name (it starts with a dot and ends in ``.tmp``, so that nobody takes
    it for a record) and renamed; what a killed writer left of that is removed by
    the next. Folders above are made where they are missing.

    Args:
        path: where the file will be.
        content: all of it.
        mode: permission bits, whatever the umask has against group and others.

    Raises:
        IOFailure: the folder or the file cannot be written.
    """
    folder, name = os.path.split(path)
    try:
        made = _appear(path, folder, content, mode)
        if not made and not os.path.isdir(folder):
            os.makedirs(folder, mode=0o755, exist_ok=True)
            made = _appear(path, folder, content, mode)
        if not made:
            _sweep(folder, f".{name}.")
            _replace(path, f"{folder}/.{name}.{os.getpid()}.{get_ident()}.tmp", content, mode)
    except OSError as error:
        raise IOFailure(
            f"write {path}: {error.strerror}", "is the disk full or read-only?"
        ) from None


def _appear(path: str, folder: str, content: bytes, mode: int) -> bool:
    """Make a new file at once; False where there is one, or no folder, or no way to."""
    try:
        descriptor = os.open(folder, os.O_TMPFILE | os.O_WRONLY | os.O_CLOEXEC, mode)
    except OSError as error:
        if error.errno in NO_NAMELESS_FILES:
            return False
        raise
    try:
        _fill(descriptor, content, mode)
        give_name(descriptor, path)
    except (FileExistsError, FileNotFoundError):
        return False  # there is one, or there is no /proc
    finally:
        os.close(descriptor)
    return True


def give_name(descriptor: int, path: str) -> None:
    """Give a file that was opened without a name (O_TMPFILE) one.

    Raises:
        FileExistsError: another has it.
        OSError: the file cannot be linked there.
    """
    # The descriptor given makes this linkat(2) with AT_SYMLINK_FOLLOW: open(2), O_TMPFILE.
    os.link(f"/proc/self/fd/{descriptor}", path, src_dir_fd=descriptor)


def _replace(path: str, temporary: str, content: bytes, mode: int) -> None:
    descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, mode)
    try:
        try:
            _fill(descriptor, content, mode)
        finally:
            os.close(descriptor)
        os.rename(temporary, path)
    except BaseException:
        with suppress(OSError):
            os.unlink(temporary)
        raise


def _fill(descriptor: int, content: bytes, mode: int) -> None:
    if mode & _UMASKED:
        os.fchmod(descriptor, mode)
    rest = memoryview(content)
    while rest:
        rest = rest[os.write(descriptor, rest) :]


def _sweep(folder: str, prefix: str) -> None:
    """Remove temporary files of this target whose writers are gone."""
    for name in os.listdir(folder):
        if name.startswith(prefix) and name.endswith(".tmp"):
            writer = name.removeprefix(prefix).partition(".")[0]
            if not os.path.exists(f"/proc/{writer}"):
                with suppress(OSError):
                    os.unlink(f"{folder}/{name}")


def read_bounded(path: str, limit: int) -> bytes | None:
    """Read a regular file that anybody may have put there, or None where there is none.

    A pipe, or a link to an endless device, holds nobody up.

    Args:
        path: the file.
        limit: bytes to read at most.

    Raises:
        IOFailure: it is no regular file, or cannot be read.
    """
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    except (FileNotFoundError, NotADirectoryError):
        return None
    except OSError as error:
        raise IOFailure(f"read {path}: {error.strerror}") from None
    try:
        if not S_ISREG(os.fstat(descriptor).st_mode):
            raise IOFailure(f"read {path}: it is no regular file", f"remove it: rm {path}")
        return os.read(descriptor, limit)
    except OSError as error:
        raise IOFailure(f"read {path}: {error.strerror}") from None
    finally:
        os.close(descriptor)


def read_setting(path: str) -> str:
    """A kernel setting below /proc/sys, without white space around it.

    By bare system calls, of which Python's files make twice as many.

    Raises:
        OSError: it is not there, or may not be read.
    """
    descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        return os.read(descriptor, _LONGEST_SETTING).decode("ascii", errors="replace").strip()
    finally:
        os.close(descriptor)


def write_setting(path: str, value: str) -> None:
    """Set a kernel setting below /proc/sys.

    Equivalent to: ``sysctl -w``.

    Raises:
        OSError: it is not there, may not be written, or does not take the value.
    """
    descriptor = os.open(path, os.O_WRONLY | os.O_CLOEXEC)
    try:
        os.write(descriptor, value.encode())
    finally:
        os.close(descriptor)


def holds(path: str, text: str) -> bool:
    """Is there a file with exactly this text?"""
    try:
        return read_bounded(path, len(text.encode()) + 1) == text.encode()
    except IOFailure:
        return False


def remove(path: str) -> bool:
    """Remove a file; True where there was one.

    Raises:
        IOFailure: it is there and cannot be removed.
    """
    try:
        os.unlink(path)
    except FileNotFoundError:
        return False
    except OSError as error:
        raise IOFailure(f"remove {path}: {error.strerror}") from None
    return True


@contextmanager
def locked(path: str, *, seconds: float = 10.0) -> Iterator[None]:
    """Hold an exclusive flock on a file, which is made where it is missing, folder and all.

    Equivalent to: ``flock --timeout SECONDS PATH …``.

    Args:
        path: the lock file; it stays when the lock is given back.
        seconds: how long to wait for whoever holds it.

    Raises:
        IOFailure: the file cannot be opened.
        TryAgain: others held it all that time.
    """
    folder = os.path.dirname(path)
    try:
        if not os.path.isdir(folder):
            os.makedirs(folder, mode=0o755, exist_ok=True)
    except OSError as error:
        raise IOFailure(f"make folder {folder}: {error.strerror}") from None
    with exclusively(path, seconds):
        yield
