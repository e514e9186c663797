"""One call of the executable, from environment and stdin to stdout and exit status.

`respond` is the whole of it without streams, and serves the agent too, which
gets environment and configuration over its socket. `answer` is the same with
streams.

Whatever goes wrong becomes the protocol's error object on stdout: a `DariError`
with its own code, an operating system's refusal with 5, and anything else with
999, its traceback going to the log alone.

An ADD that worked but whose result cannot be said (in the version asked for) or
delivered (nobody reads stdout any more) is taken back, as if it had failed: the
runtime will count it as failed, and may never call DEL.

Source: CNI SPEC.md 1.1.0, section 2.
May import: errors, jsontext, model, result, cni; wiring once the call is valid.
"""

from __future__ import annotations

import os
from contextlib import suppress

from dari.cni.config import read_config, read_version, require_verb
from dari.cni.environment import read_environment
from dari.errors import BadConfig, BadNamespace, DariError, IOFailure, Undecodable
from dari.jsontext import decode, encode
from dari.model import Request
from dari.result import CURRENT, SUPPORTED, encode_result

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from typing import BinaryIO, Protocol, TextIO

    from dari.cni.environment import Environment
    from dari.model import Json, NetConf
    from dari.wiring.host import Host
    from dari.wiring.registry import Plugin

    class Memory(Protocol):
        """Configurations that were read before."""

        def find(self, content: bytes, command: str) -> NetConf | None:
            """What these bytes were read as for a verb, or None."""

        def keep(self, content: bytes, command: str, conf: NetConf) -> None:
            """Remember it."""

    HostFactory = Callable[[Mapping[str, str]], Host]

LARGEST = 1 << 20  # bytes of configuration; real ones have a few hundred
FAILED = 1  # exit status


def answer(
    name: str,
    environ: Mapping[str, str],
    stdin: BinaryIO,
    stdout: BinaryIO,
    stderr: TextIO,
    host_factory: HostFactory,
) -> int:
    """Answer a runtime's call.

    Args:
        name: what the executable was called as; see `respond`.
        environ: the process's environment.
        stdin: where the configuration comes from.
        stdout: where result or error go.
        stderr: where a traceback goes.
        host_factory: makes the `Host` of this call from the environment.

    Returns:
        The exit status: 0, or 1 for an error and for an answer that nobody took.
    """
    try:
        config = _read(stdin) if environ.get("CNI_COMMAND") else b""
    except DariError as error:
        return _deliver(stdout, stderr, refusal(error, CURRENT), FAILED)
    status, said = respond(name, environ, config, stderr, host_factory)
    delivered = _deliver(stdout, stderr, said, status)
    if delivered != status and environ["CNI_COMMAND"] == "ADD":
        withdraw(name, environ, config, stderr, host_factory)
    return delivered


def respond(
    name: str,
    environ: Mapping[str, str],
    config: bytes,
    log: TextIO,
    host_factory: HostFactory,
    memory: Memory | None = None,
) -> tuple[int, bytes]:
    """Do what a call asks for.

    Args:
        name: the executable's name, which decides the plugin; the configuration's
            `type` does where it is ``dari`` or no plugin's.
        environ: CNI_* variables, and what a delegate inherits.
        config: the bytes of stdin.
        log: where a traceback goes.
        host_factory: makes the `Host` of this call from `environ`.
        memory: of a process that lives on.

    Returns:
        Exit status, and the bytes for stdout.
    """
    call = Call(name, environ, config, host_factory, memory)
    try:
        return 0, call.run()
    except DariError as error:
        return FAILED, refusal(error, call.version)
    except OSError as error:
        failure = IOFailure(f"{error.strerror or error}: {error.filename or 'no file'}")
        return FAILED, refusal(failure, call.version)
    except Exception as error:
        from traceback import print_exc  # costs 8 ms to import

        print_exc(file=log)
        return FAILED, refusal(DariError(f"{type(error).__name__}: {error}"), call.version)


def withdraw(
    name: str,
    environ: Mapping[str, str],
    config: bytes,
    log: TextIO,
    host_factory: HostFactory,
) -> None:
    """Take back an ADD whose answer nobody got; the arguments are those of `respond`."""
    respond(name, {**environ, "CNI_COMMAND": "DEL"}, config, log, host_factory)


class Call:
    """One call under way; `version` is the one to report an error in, best known so far."""

    def __init__(
        self,
        name: str,
        environ: Mapping[str, str],
        config: bytes,
        host_factory: HostFactory,
        memory: Memory | None,
    ) -> None:
        self._name = name
        self._environ = environ
        self._config = config
        self._host_factory = host_factory
        self._memory = memory
        self.version = CURRENT

    def run(self) -> bytes:
        """Check everything, then hand over to the plugin; return what goes to stdout.

        Raises:
            DariError: of the class that carries the protocol's code.
        """
        environment = read_environment(self._environ)
        if environment.command == "VERSION":
            return encode(_versions(self._config))
        conf = self._recall(environment.command)
        return self._perform(_request(environment, conf), environment)

    def _recall(self, command: str) -> NetConf:
        """The configuration, from memory where it was read before."""
        known = self._memory and self._memory.find(self._config, command)
        conf = known or self._read(command)
        self.version = conf.cni_version
        if self._memory is not None and not known:
            self._memory.keep(self._config, command, conf)
        return conf

    def _read(self, command: str) -> NetConf:
        raw = decode(self._config, "configuration on stdin")
        self.version = read_version(raw)
        require_verb(command, self.version)
        return read_config(raw, command)

    def _perform(self, request: Request, environment: Environment) -> bytes:
        plugin = _plugin(self._name, request.conf)
        own = _is_own_namespace(request.netns) and not environment.own_namespace_allowed
        if own and request.command != "DEL":
            raise _own_namespace(request.netns)
        with self._host_factory(self._environ) as host:
            if request.command == "ADD":
                return self._add(plugin, request, host)
            _VERBS[request.command](plugin, request.replace(netns="") if own else request, host)
        if own:
            # Everything but the namespace has been cleared: a lease must not wait for it.
            raise _own_namespace(request.netns)
        return b""

    def _add(self, plugin: Plugin, request: Request, host: Host) -> bytes:
        result = plugin.add(request, host)
        try:
            return encode(encode_result(result, self.version))
        except DariError:
            with suppress(DariError):
                plugin.delete(request, host)
            raise


_VERBS: Mapping[str, Callable[[Plugin, Request, Host], None]] = {
    "DEL": lambda plugin, request, host: plugin.delete(request, host),
    "CHECK": lambda plugin, request, host: plugin.check(request, host),
    "GC": lambda plugin, request, host: plugin.collect(request, host),
    "STATUS": lambda plugin, request, host: plugin.status(request, host),
}


def _request(environment: Environment, conf: NetConf) -> Request:
    return Request(
        command=environment.command,
        container_id=environment.container_id,
        ifname=environment.ifname,
        netns=environment.netns,
        args=environment.args,
        path=environment.path,
        conf=conf,
    )


def _plugin(name: str, conf: NetConf) -> Plugin:
    from dari.wiring.registry import MODULES, plugin

    if name != "dari" and name in MODULES:
        return plugin(name)
    if not conf.type:
        raise BadConfig("type: missing", "name the plugin")
    return plugin(conf.type)


def _is_own_namespace(path: str) -> bool:
    if not path:
        return False
    from dari.netlink.namespace import current

    try:
        found = os.stat(path)
    except (OSError, ValueError):
        return False  # gone, or no path; the plugin says which where it matters
    return (found.st_dev, found.st_ino) == current()


def _own_namespace(path: str) -> BadNamespace:
    return BadNamespace(
        f"CNI_NETNS: {path} is the plugin's own network namespace",
        "set CNI_NETNS_OVERRIDE=1 if that is meant",
    )


def _versions(config: bytes) -> Json:
    """The answer to VERSION, in the caller's version where it names one we speak."""
    version = CURRENT
    with suppress(DariError):
        asked = decode(config, "stdin").get("cniVersion")
        version = asked if isinstance(asked, str) and asked in SUPPORTED else CURRENT
    return {"cniVersion": version, "supportedVersions": list(SUPPORTED)}


def refusal(error: DariError, version: str = CURRENT) -> bytes:
    """The protocol's error object for stdout, in the caller's version where that is known."""
    return encode(
        {
            "cniVersion": version,
            "code": error.code,
            "msg": error.message,
            "details": error.details,
        }
    )


def _read(stdin: BinaryIO) -> bytes:
    """All of stdin; nothing from a terminal, where nobody would know that we wait."""
    try:
        if stdin.isatty():
            return b""
        config = stdin.read(LARGEST + 1)
    except (OSError, ValueError) as error:
        raise IOFailure(f"read configuration on stdin: {error}") from None
    if len(config) > LARGEST:
        raise Undecodable(f"configuration on stdin: longer than {LARGEST} bytes")
    return config


def _deliver(stdout: BinaryIO, stderr: TextIO, said: bytes, status: int) -> int:
    """Write the answer; exit status 1 where it cannot be written whole."""
    rest = memoryview(said)
    try:
        while rest:
            rest = rest[stdout.write(rest) :]
        stdout.flush()
    except (OSError, ValueError) as error:
        with suppress(OSError, ValueError):
            print(f"dari: write the answer to stdout: {error}", file=stderr)
        return FAILED
    return status
