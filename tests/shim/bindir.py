"""A folder with the native entry in it, and a way to call it as a runtime does."""

from __future__ import annotations

import json
import os
import re
import subprocess
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from dari.native.settings import FILE_NAME, MODE, Settings
from dari.record import Record

CONFIG = b'{"cniVersion": "0.4.0", "name": "net", "type": "bridge"}'
CODE_OF_STDIN = 5
PIPE_HOLDS = 65_536
SHORT_TIMES = (0.4, 4.0, 40.0)  # seconds
SANITIZERS = {
    "ASAN_OPTIONS": "detect_leaks=0",
    "UBSAN_OPTIONS": "print_stacktrace=1",
}


class Ended(Record):
    """How one call ended."""

    status: int
    stdout: bytes
    stderr: bytes

    @property
    def error(self) -> dict[str, object]:
        """The CNI error that it printed, which has all its keys and no others."""
        error = json.loads(self.stdout)
        assert self.status == 1
        assert set(error) == {"cniVersion", "code", "msg", "details"}
        assert isinstance(error, dict)
        return error


def environment(**more: str) -> dict[str, str]:
    """What a runtime sets for an ADD, and a little of its own."""
    given = {
        "CNI_COMMAND": "ADD",
        "CNI_CONTAINERID": "pod-1",
        "CNI_NETNS": "/proc/self/ns/net",
        "CNI_IFNAME": "eth0",
        "CNI_PATH": "/opt/cni/bin",
        "PATH": "/usr/bin:/bin",
        "HOME": "/nowhere",
    }
    return {**given, **more}


def filled_pipe(config: bytes) -> int:
    """A pipe that holds all of a small configuration, so that nobody has to hurry."""
    reader, writer = os.pipe()
    os.write(writer, config)
    os.close(writer)
    return reader


class BinDir:
    """One plugin folder.

    Args:
        folder: holds the program under the name `dari`.
        socket: where its settings say that the agent listens.
    """

    def __init__(self, folder: Path, socket: str) -> None:
        self.folder = folder
        self.socket = socket
        self.settings_file = folder / FILE_NAME
        self.configure()

    def configure(self, *, timeout: float = 20, python: str = "", package: str = "") -> None:
        settings = Settings(socket=self.socket, timeout=timeout, python=python, package=package)
        self.write_settings(settings.text())

    def write_settings(self, text: str, mode: int = MODE) -> None:
        self.settings_file.unlink(missing_ok=True)
        self.settings_file.write_bytes(os.fsencode(text))
        self.settings_file.chmod(mode)

    def start(
        self,
        environ: Mapping[str, str] | Mapping[bytes, bytes],
        *,
        name: str = "/opt/cni/bin/bridge",
        stdin: int = subprocess.PIPE,
    ) -> subprocess.Popen[bytes]:
        """Start the program as `name`, which is how a link to it would be called."""
        return subprocess.Popen(
            [name],
            executable=self.folder / "dari",
            stdin=stdin,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            env={
                **{os.fsencode(k): os.fsencode(v) for k, v in SANITIZERS.items()},
                **{os.fsencode(k): os.fsencode(v) for k, v in environ.items()},
            },
        )

    def call(
        self,
        environ: Mapping[str, str] | Mapping[bytes, bytes] | None = None,
        config: bytes = CONFIG,
        *,
        name: str = "/opt/cni/bin/bridge",
    ) -> Ended:
        """Run it to its end, which must come by itself and without a sanitizer's finding."""
        if environ is None:
            environ = environment()
        if len(config) > PIPE_HOLDS:
            with self.start(environ, name=name) as process:
                return ended(process, config)
        stdin = filled_pipe(config)
        with self.start(environ, name=name, stdin=stdin) as process:
            os.close(stdin)
            return ended(process)


def given_up(
    bin_dir: BinDir,
    call: Callable[[], Ended],
    *,
    says: str = "",
    times: Sequence[float] = SHORT_TIMES,
    python: str = "",
    package: str = "",
) -> Ended:
    """It gives up after as short a time as this machine, now, is quick enough for.

    Args:
        call: how it is called; with no time left to read its stdin, again.
        says: what its message has to have come to, an expression.
        times: seconds, growing.
        python, package: where its fallback is.
    """
    for seconds in times:
        bin_dir.configure(timeout=seconds, python=python, package=package)
        done = call()
        if done.error["code"] != CODE_OF_STDIN and re.search(says, str(done.error["msg"])):
            break
    return done


def ended(process: subprocess.Popen[bytes], config: bytes | None = None) -> Ended:
    """Feed a started program, wait for it, and see that no sanitizer ended it."""
    stdout, stderr = process.communicate(config, timeout=60)
    assert process.returncode >= 0, (process.returncode, stderr)
    assert b"Sanitizer" not in stderr and b"runtime error" not in stderr, stderr.decode()
    return Ended(status=process.returncode, stdout=stdout, stderr=stderr)
