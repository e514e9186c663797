"""One HTTP/1.1 connection, as a thread uses it, that another thread may cut short.

`http.client` does the protocol. Its reads block, so that whoever waits in the
event loop needs a way to end them: shutting the socket down wakes the reader.

May import: errors, record, store.base, store.remote.
"""

from __future__ import annotations

import socket
import ssl
from contextlib import suppress
from http.client import HTTPConnection, HTTPException, HTTPResponse
from urllib.parse import urlsplit

from dari.errors import BadConfig
from dari.record import Record
from dari.store.base import Unreachable
from dari.store.remote.tls import Contexts


class Target(Record):
    """A server: `path` goes before every request's, without a slash at its end."""

    scheme: str
    host: str
    port: int
    path: str = ""

    def __str__(self) -> str:
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"{self.scheme}://{host}:{self.port}{self.path}"


def parse_target(value: object, label: str, port: int | None = None) -> Target:
    """Read a URL such as ``https://10.0.0.1:2379``.

    Args:
        value: the text.
        label: names it in errors.
        port: where it names none; None: the scheme's own.

    Raises:
        BadConfig: it is no URL of a server.
    """
    try:
        parts = urlsplit(value) if isinstance(value, str) else urlsplit("")
        given = parts.port
    except ValueError as error:
        raise BadConfig(f"{label}: {value!r}: {error}") from None
    extra = parts.query or parts.fragment or parts.username or parts.password
    if parts.scheme not in ("http", "https") or not parts.hostname or extra:
        raise BadConfig(f"{label}: {value!r} is not a URL such as https://10.0.0.1:2379")
    default = port or (443 if parts.scheme == "https" else 80)
    path = parts.path.rstrip("/")
    return Target(scheme=parts.scheme, host=parts.hostname, port=given or default, path=path)


class Slow(Unreachable):
    """It may be there, but did not answer in time."""


class Request(Record):
    """One request; `path` begins with a slash and holds the query."""

    method: str
    path: str
    headers: tuple[tuple[str, str], ...] = ()
    body: bytes | None = None


class Connection:
    """A connection to one server. One thread at a time uses it; `abort` is for any.

    Args:
        target: the server.
        contexts: TLS; None for plain HTTP.
        seconds: how long connecting may take.
    """

    def __init__(self, target: Target, contexts: Contexts | None, seconds: float) -> None:
        self._target = target
        self._contexts = contexts
        self._seconds = seconds
        self._http: HTTPConnection | None = None
        self._socket: socket.socket | None = None
        self._response: HTTPResponse | None = None
        self.aborted = False

    def send(self, request: Request, idle: float) -> HTTPResponse:
        """Send a request, connecting first if need be, and read the answer's head.

        Args:
            request: what to send.
            idle: seconds of silence after which a read fails.

        Raises:
            Unreachable: it could not be sent or was not answered.
        """
        with self.told():
            if self._http is None:
                self._connect()
            assert self._http is not None and self._socket is not None
            self._socket.settimeout(idle)
            path = self._target.path + request.path
            self._http.request(request.method, path, request.body, dict(request.headers))
            self._response = self._http.getresponse()
            return self._response

    def reusable(self) -> bool:
        """May another request be sent, its answer having been read?"""
        done = self._response is not None and self._response.isclosed()
        return done and not self.aborted and self._http is not None and self._http.sock is not None

    def abort(self) -> None:
        """Have whatever thread waits for this connection fail at once."""
        self.aborted = True
        if self._socket is not None:
            with suppress(OSError):
                # Not SSLSocket's own, which takes the session from under the reader.
                socket.socket.shutdown(self._socket, socket.SHUT_RDWR)

    def close(self) -> None:
        """Let go of the socket. Not while another thread reads."""
        for each in (self._response, self._http, self._socket):
            if each is not None:
                with suppress(OSError):
                    each.close()
        self._http = self._socket = self._response = None

    def told(self) -> _Told:
        """Turn what goes wrong in `http.client` and below into `Unreachable`, and close."""
        return _Told(self)

    def _connect(self) -> None:
        """The socket is known before TLS is spoken, so that `abort` reaches that as well."""
        target = self._target
        # For https too: it is given its socket ready-made, and HTTPSConnection would
        # first read all certificates that the machine trusts.
        http = HTTPConnection(target.host, target.port, timeout=self._seconds)
        self._socket = plain = socket.create_connection((target.host, target.port), self._seconds)
        self._refuse_aborted()
        plain.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        _keep_alive(plain)
        if self._contexts is not None:
            name = self._contexts.server_name or target.host
            wrapped = self._contexts.current().wrap_socket(
                plain, server_hostname=name, do_handshake_on_connect=False
            )
            self._socket = wrapped
            self._refuse_aborted()
            wrapped.do_handshake()
        http.sock = self._socket
        self._http = http

    def _refuse_aborted(self) -> None:
        if self.aborted:
            raise TimeoutError("given up")

    def __str__(self) -> str:
        return str(self._target)


class _Told:
    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def __enter__(self) -> None:
        return None

    def __exit__(self, _kind: object, error: BaseException | None, _trace: object) -> None:
        if error is not None:
            self._connection.close()
        if isinstance(error, TimeoutError):
            raise Slow(f"{self._connection}: {reason(error)}") from None
        if isinstance(error, (OSError, HTTPException)):
            raise Unreachable(f"{self._connection}: {reason(error)}") from None


def reason(error: BaseException) -> str:
    """Why a connection failed, in a few words.

    Certificates are named as the reason, since that does not mend by waiting.
    """
    if isinstance(error, ssl.SSLCertVerificationError):
        return f"its certificate was refused: {error.verify_message}"
    if isinstance(error, ssl.SSLError):
        return f"TLS: {error.reason or error}"
    if isinstance(error, TimeoutError):
        return "no answer in time"
    if isinstance(error, socket.gaierror):
        return "its name is unknown"
    if isinstance(error, HTTPException):
        return f"the answer broke off or is not HTTP ({type(error).__name__})"
    return getattr(error, "strerror", None) or type(error).__name__


def _keep_alive(plain: socket.socket) -> None:
    """Have the kernel notice within half a minute that a silent peer is gone."""
    plain.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
    for option, value in (
        (socket.TCP_KEEPIDLE, 10),
        (socket.TCP_KEEPINTVL, 5),
        (socket.TCP_KEEPCNT, 4),
        (socket.TCP_USER_TIMEOUT, 30_000),
    ):
        plain.setsockopt(socket.IPPROTO_TCP, option, value)
