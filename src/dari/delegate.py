"""Runs a CNI plugin's executable: found by its type, fed and heard as the protocol says.

Both who delegates (a plugin whose address manager is somebody else's) and who
plays the runtime (`dari.cni.runtime`) call plugins, so this lies below both. No
shell is involved; a plugin that does not answer in time is killed with all that
it started; its own words on stderr go to ours.

Source: CNI SPEC.md 1.1.0, sections 2 and 4; libcni's `pkg/invoke` for where the
text leaves room.
May import: result, jsontext, fields, model, errors; `subprocess` only when a
plugin is really run, since it costs more than the rest of a call.
"""

from __future__ import annotations

import errno
import os
import signal
import stat
import sys
import time
from contextlib import suppress

from dari.errors import BadConfig, BadEnvironment, DariError, IOFailure, TryAgain, Undecodable
from dari.fields import number, text
from dari.jsontext import decode, encode
from dari.result import OLDEST, decode_result

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from subprocess import Popen

    from dari.model import Json, Result

LIMIT = 60.0  # seconds; kubelet gives a pod's sandbox two minutes in all
_BUSY_TRIES, _BUSY_PAUSE = 50, 0.1  # an executable that is being written over


class PluginFailed(DariError):
    """Another plugin's error, with its own code.

    Args:
        plugin: the plugin's type.
        code: the `code` it gave, or 999 where it gave none.
        message: its `msg`.
        details: its `details`.
    """

    def __init__(self, plugin: str, code: int, message: str, details: str = "") -> None:
        super().__init__(f"{plugin}: {message}", details)
        self.plugin = plugin
        self.code = code


def find(plugin: str, folders: Sequence[str]) -> str:
    """The executable of a type: the first regular file of that name in the folders.

    Raises:
        BadConfig: there is none, or the type is no file name.
    """
    if not plugin or "/" in plugin or plugin in (".", ".."):
        raise BadConfig(f"type: {plugin!r} is no plugin's name")
    for folder in folders:
        program = os.path.join(folder, plugin)
        try:
            if stat.S_ISREG(os.stat(program).st_mode):
                return program
        except OSError:
            continue  # not here; the folder itself may be missing too
    raise BadConfig(
        f"type: there is no plugin {plugin!r} in {':'.join(folders) or 'an empty plugin path'}",
        "put it there (`dari install` does for dari's own), or correct the type",
    )


def folders_of(environ: Mapping[str, str]) -> tuple[str, ...]:
    """The folders that CNI_PATH lists.

    Raises:
        BadEnvironment: it is missing or lists none.
    """
    found = tuple(folder for folder in environ.get("CNI_PATH", "").split(":") if folder)
    if not found:
        raise BadEnvironment("CNI_PATH: missing, and needed to find another plugin")
    return found


def add(plugin: str, conf: Json, environ: Mapping[str, str]) -> Result:
    """Call a plugin's ADD and read its result.

    Args:
        plugin: its type, looked up in CNI_PATH.
        conf: the whole configuration for its stdin.
        environ: its environment, with the attachment's CNI_* variables.

    Raises:
        PluginFailed: it refused, with its own code.
        Undecodable: its answer is no result.
        BadConfig, BadEnvironment, IOFailure, TryAgain: it could not be run.
    """
    answer = call(plugin, conf, {**environ, "CNI_COMMAND": "ADD"})
    version = text(conf, "cniVersion") or OLDEST
    try:
        return decode_result(decode(answer, "the answer to ADD"), version)
    except DariError as error:
        raise Undecodable(f"{plugin}: {error.message}", error.details) from None


def call(plugin: str, conf: Json, environ: Mapping[str, str], *, seconds: float = LIMIT) -> bytes:
    """Call a plugin and return what it printed.

    Args:
        plugin: its type, looked up in CNI_PATH.
        conf: the whole configuration for its stdin.
        environ: its environment, with CNI_COMMAND and the verb's variables.
        seconds: how long it may take before it is killed.

    Raises:
        PluginFailed: it refused, with its own code.
        BadConfig: no folder holds it.
        BadEnvironment: CNI_PATH is missing.
        IOFailure: it cannot be started.
        TryAgain: it did not end in time.
    """
    program = find(plugin, folders_of(environ))
    with _start(program, environ) as child:
        output, said = _converse(child, plugin, encode(conf), seconds)
    if said:
        print(said, file=sys.stderr, end="")
    if child.returncode:
        raise _failure(plugin, child.returncode, output, said)
    return output


def _start(program: str, environ: Mapping[str, str]) -> Popen[bytes]:
    from subprocess import PIPE, Popen

    for _ in range(_BUSY_TRIES):
        try:
            # A group of its own, so that what it starts can be ended with it.
            return Popen(
                [program], stdin=PIPE, stdout=PIPE, stderr=PIPE, env=environ, process_group=0
            )
        except OSError as error:
            if error.errno != errno.ETXTBSY:
                raise IOFailure(f"run {program}: {error.strerror}") from None
        time.sleep(_BUSY_PAUSE)
    raise TryAgain(f"run {program}: it is being written to", "is an installation under way?")


def _converse(child: Popen[bytes], plugin: str, stdin: bytes, seconds: float) -> tuple[bytes, str]:
    from subprocess import TimeoutExpired

    try:
        output, said = child.communicate(stdin, timeout=seconds)
    except BaseException as error:
        with suppress(ProcessLookupError):
            os.killpg(child.pid, signal.SIGKILL)
        if isinstance(error, TimeoutExpired):
            raise TryAgain(f"{plugin}: killed, as it took longer than {seconds:g} s") from None
        raise
    return output, said.decode(errors="replace")


def _failure(plugin: str, status: int, output: bytes, said: str) -> PluginFailed:
    """Its error as it told it, or what can be said of one that told none."""
    try:
        told = decode(output, "its error")
        code, said_so = number(told, "code", high=2**32 - 1), text(told, "msg")
        if not code and not said_so:  # the result of one that was killed just then
            raise Undecodable("no error")
        return PluginFailed(plugin, code or 999, said_so, text(told, "details"))
    except DariError:
        how = f"exit status {status}" if status > 0 else f"killed by signal {-status}"
        return PluginFailed(
            plugin, 999, f"{how}, with no CNI error", (said.strip() or repr(output))[-400:]
        )
