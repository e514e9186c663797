"""What is on disk of a lab: enough to find it, enter it and end it.

One folder per lab holds one file. Whether the lab lives is asked of the kernel:
a lab without a living first process is gone, whatever the file says, and its
folder is only a leftover.

The lock on a lab's folder is held while somebody builds or removes it; a killed
holder loses it at once.

May import: errors, record, files, and within lab: messages, topology, process.
"""

from __future__ import annotations

import fcntl
import json
import os
import shutil
import stat
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager

from dari.errors import IOFailure, TryAgain
from dari.files import write_whole
from dari.lab import process
from dari.lab.messages import _
from dari.lab.process import Process
from dari.lab.topology import Options
from dari.record import Record

_FILE = "state.json"
_NOBODY: Mapping[str, Process] = {}


class State(Record):
    """What is recorded of a lab.

    Attributes:
        first: its first process, whose end is the end of everything in it.
        holders: the process that holds the namespaces of each machine and pod.
        ready: every pod is wired.
        own_user_namespace: an ordinary user's lab: entering it begins there.
    """

    options: Options
    first: Process
    holders: Mapping[str, Process] = _NOBODY
    ready: bool = False
    own_user_namespace: bool = False


def base_folder(environ: Mapping[str, str], uid: int) -> str:
    """Where this user's labs are recorded: in memory where the machine has it so.

    Args:
        environ: XDG_RUNTIME_DIR is used, if it is this user's.
        uid: the effective user.
    """
    if uid == 0:
        return "/run/dari-lab"
    runtime = environ.get("XDG_RUNTIME_DIR", "")
    if runtime and _owner(runtime) == uid:
        return f"{runtime}/dari-lab"
    return f"/tmp/dari-lab-{uid}"


class Records:
    """The folder of all of a user's labs.

    Args:
        base: as `base_folder` gives it.
    """

    def __init__(self, base: str) -> None:
        self._base = base

    def folder(self, name: str) -> str:
        """Where a lab's files are."""
        return f"{self._base}/{name}"

    def names(self) -> list[str]:
        """Labs of which something is on disk, dead or alive, in order."""
        try:
            return sorted(os.listdir(self._base))
        except FileNotFoundError:
            return []

    def read(self, name: str) -> State | None:
        """The record of a lab that lives; None where there is none."""
        self._refuse_foreign()
        try:
            with open(f"{self._base}/{name}/{_FILE}", encoding="utf-8") as stream:
                state = decode(stream.read())
        except (FileNotFoundError, NotADirectoryError):
            return None
        except (ValueError, LookupError, TypeError, AttributeError, RecursionError):
            return None  # of another version, or damaged: nobody's lab
        return state if state.first.alive else None

    def living(self) -> list[str]:
        """Names of the labs that live."""
        return [name for name in self.names() if self.read(name) is not None]

    def write(self, state: State) -> None:
        """Record a lab; its lock must be held."""
        write_whole(f"{self._base}/{state.options.name}/{_FILE}", encode(state).encode())

    @contextmanager
    def locked(self, name: str, *, seconds: float = 0.0) -> Iterator[None]:
        """Hold a lab's lock; its folder is made where it is missing.

        Raises:
            TryAgain: somebody else has held it for all of `seconds`.
            IOFailure: the folder cannot be made, or is somebody else's.
        """
        descriptor = self._lock(name, time.monotonic() + seconds)
        try:
            yield
        finally:
            os.close(descriptor)

    def forget(self, name: str) -> None:
        """Remove a lab's folder, and the folder of all labs with the last; under its lock."""
        shutil.rmtree(f"{self._base}/{name}", ignore_errors=True)
        try:
            os.rmdir(self._base)
        except OSError:
            return  # other labs are recorded there

    def sweep(self) -> None:
        """Forget every lab that is dead and that nobody is building."""
        for name in self.names():
            try:
                with self.locked(name):
                    if self.read(name) is None:
                        self.forget(name)
            except TryAgain:
                continue

    def _lock(self, name: str, deadline: float) -> int:
        path = f"{self._base}/{name}"
        while True:
            descriptor = self._open(path)
            try:
                fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
                if _is_still(path, descriptor):
                    return descriptor
            except BlockingIOError:
                if time.monotonic() >= deadline:
                    os.close(descriptor)
                    raise TryAgain(
                        _("lab {name!r} is being built or removed by another command").format(
                            name=name
                        ),
                        _("wait for it, or choose another --name"),
                    ) from None
            os.close(descriptor)
            time.sleep(0.01)

    def _open(self, path: str) -> int:
        try:
            os.makedirs(self._base, mode=0o700, exist_ok=True)
            self._refuse_foreign()
            os.makedirs(path, mode=0o700, exist_ok=True)
            return os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        except FileNotFoundError:
            return self._open(path)  # whoever removed a lab was quicker
        except OSError as error:
            raise IOFailure(f"make {path}: {error.strerror}") from None

    def _refuse_foreign(self) -> None:
        """Trust no folder that another user may have put there (/tmp is everybody's)."""
        try:
            found = os.lstat(self._base)
        except FileNotFoundError:
            return
        mine = stat.S_ISDIR(found.st_mode) and found.st_uid == os.geteuid()
        if not mine or found.st_mode & 0o022:
            raise IOFailure(
                _("{base} is not a folder of this user alone").format(base=self._base),
                _("remove it, or set XDG_RUNTIME_DIR to a folder of your own"),
            )


def encode(state: State) -> str:
    """The text of a record."""
    first = process.encode(state.first)
    holders = {name: process.encode(holder) for name, holder in state.holders.items()}
    flags = {"ready": state.ready, "own_user_namespace": state.own_user_namespace}
    return json.dumps(
        {
            "options": json.loads(encode_options(state.options)),
            "first": first,
            "holders": holders,
            **flags,
        }
    )


def decode(text: str) -> State:
    """Read a record.

    Raises:
        ValueError, LookupError, TypeError, AttributeError, RecursionError: it is not
            what `encode` writes.
    """
    fields = json.loads(text)
    return State(
        options=decode_options(json.dumps(fields["options"])),
        first=process.decode(fields["first"]),
        holders={name: process.decode(one) for name, one in dict(fields["holders"]).items()},
        ready=bool(fields["ready"]),
        own_user_namespace=bool(fields["own_user_namespace"]),
    )


def encode_options(options: Options) -> str:
    """Options as a JSON object."""
    return json.dumps({field: getattr(options, field) for field in Options._fields})


def decode_options(text: str) -> Options:
    """Read what `encode_options` wrote.

    Raises:
        ValueError, LookupError, TypeError: it is not that.
    """
    fields = json.loads(text)
    return Options(
        name=str(fields["name"]),
        nodes=int(fields["nodes"]),
        pods=int(fields["pods"]),
        ipv6=bool(fields["ipv6"]),
        routed=bool(fields["routed"]),
        backend=str(fields["backend"]),
        store=str(fields["store"]),
    )


def _owner(path: str) -> int:
    try:
        return os.stat(path).st_uid
    except OSError:
        return -1


def _is_still(path: str, descriptor: int) -> bool:
    """Is the folder that was locked the one that is there now?"""
    try:
        return os.path.samestat(os.stat(path), os.fstat(descriptor))
    except FileNotFoundError:
        return False
