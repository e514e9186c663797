"""Metrics, health and readiness over HTTP, for this machine's own programs by default.

``/metrics`` is Prometheus's text; ``/healthz`` says that the agent lives;
``/readyz`` answers 200 once pods can start here, and until then 503 with what it
waits for.

May import: errors.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from socket import AF_INET6
from socketserver import TCPServer

from dari.errors import IOFailure

METRICS_TYPE = "text/plain; version=0.0.4; charset=utf-8"
_PLAIN = "text/plain; charset=utf-8"
_GLANCE = 0.1  # seconds between looks whether to stop
_SECONDS = 5.0  # that a client may take

Page = tuple[int, str, bytes]
"""Status, content type, body."""


class Endpoint:
    """Serves between `start` and `stop`, in threads of its own.

    Args:
        address: host and port to listen on; port 0 for any.
        metrics: makes Prometheus's text.
        waiting: what readiness waits for, in words; ready where it is empty.
    """

    def __init__(
        self,
        address: tuple[str, int],
        metrics: Callable[[], bytes],
        waiting: Callable[[], tuple[str, ...]],
    ) -> None:
        self._address = address
        self._metrics = metrics
        self._waiting = waiting
        self._server: ThreadingHTTPServer | None = None

    def start(self) -> tuple[str, int]:
        """Listen; the address that it is.

        Raises:
            IOFailure: the address cannot be listened on.
        """
        host, port = self._address
        try:
            kind = _Server6 if ":" in host else _Server
            self._server = kind((host, port), self._handler())
        except OSError as error:
            raise IOFailure(
                f"listen on {host} port {port}: {error.strerror}",
                "choose another with --metrics-listen, or off",
            ) from None
        serve = self._server.serve_forever
        threading.Thread(target=serve, args=(_GLANCE,), name="http", daemon=True).start()
        return host, self._server.server_address[1]

    def stop(self) -> None:
        """Close the listening socket; a second call does nothing."""
        if self._server is not None:
            self._server.shutdown()
            self._server.server_close()
            self._server = None

    def page(self, path: str) -> Page:
        """What is answered to a GET of `path`."""
        if path == "/metrics":
            return 200, METRICS_TYPE, self._metrics()
        if path == "/healthz":
            return 200, _PLAIN, b"ok\n"
        if path == "/readyz":
            waiting = self._waiting()
            text = "".join(f"waiting for {each}\n" for each in waiting) or "ready\n"
            return (503 if waiting else 200), _PLAIN, text.encode()
        return 404, _PLAIN, b"there is /metrics, /healthz and /readyz\n"

    def _handler(self) -> type[BaseHTTPRequestHandler]:
        page = self.page

        class Handler(BaseHTTPRequestHandler):
            timeout = _SECONDS

            def do_GET(self) -> None:
                status, kind, body = page(self.path.partition("?")[0])
                self.send_response(status)
                self.send_header("Content-Type", kind)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, format: str, *args: object) -> None:
                """Requests are not worth a line each."""

        return Handler


class _Server(ThreadingHTTPServer):
    daemon_threads = True

    def server_bind(self) -> None:
        """Bind, and not ask the DNS for this machine's name: it may be served by pods."""
        TCPServer.server_bind(self)


class _Server6(_Server):
    address_family = AF_INET6
