"""Serves the map's page, on this machine alone.

It answers reading requests only, with nothing of its own to change, and refuses those that
name another host than it listens on, so that no page of the web can read it through the
user's browser (DNS rebinding).

May import: errors, language, map.page, record.
"""

from __future__ import annotations

import hashlib
import json
import socket
from collections.abc import Callable, Mapping
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING
from urllib.parse import parse_qs, urlsplit

from dari.errors import DariError, IOFailure
from dari.language import spoken
from dari.map.page import CONTENT, page, static, wanted_language

if TYPE_CHECKING:
    from dari.model import Json

Answer = Callable[[Mapping[str, str]], "Json"]
"""From the question's values, by name, to what is told as JSON."""

_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; "
    "img-src data:; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)
_LONGEST = 2048  # bytes of a question


def serve(host: str, port: int, answers: Mapping[str, Answer]) -> ThreadingHTTPServer:
    """Listen; the caller runs `serve_forever`.

    Args:
        host: an address of this machine, such as ``127.0.0.1``.
        port: 0: any that is free.
        answers: what is told under each name, such as ``cluster.json``.

    Raises:
        IOFailure: it cannot listen there.
    """

    class Handler(_Handler):
        told = answers

    kind = _Server6 if ":" in host else ThreadingHTTPServer
    try:
        server = kind((host, port), Handler)
    except OSError as error:
        raise IOFailure(
            f"listen on {host} port {port}: {error.strerror}", "choose another with --listen"
        ) from None
    server.daemon_threads = True
    return server


class _Server6(ThreadingHTTPServer):
    address_family = socket.AF_INET6


class _Handler(BaseHTTPRequestHandler):
    told: Mapping[str, Answer] = {}
    timeout = 30
    server_version, sys_version = "dari", ""

    def do_GET(self) -> None:
        """Answer one question."""
        if not self._is_for_us():
            self._send(HTTPStatus.MISDIRECTED_REQUEST, "text/plain", "this is another host\n", {})
            return
        parts = urlsplit(self.path[:_LONGEST])
        name = parts.path.lstrip("/")
        values = {key: found[0] for key, found in parse_qs(parts.query).items()}
        language = wanted_language(values.get("lang", ""), self.headers.get("Accept-Language", ""))
        if name == "":
            self._send(HTTPStatus.OK, "text/html; charset=utf-8", page(language), {})
        elif name in CONTENT:
            self._send(HTTPStatus.OK, CONTENT[name], static(name), {})
        elif name in self.told:
            self._tell(name, {**values, "lang": language})
        else:
            self._send(HTTPStatus.NOT_FOUND, "text/plain", "there is nothing of this name\n", {})

    def log_message(self, format: str, *args: object) -> None:
        """Say nothing: the page asks every few seconds."""

    def _is_for_us(self) -> bool:
        address, port = self.connection.getsockname()[:2]
        own = f"[{address}]" if ":" in address else address
        hosts = {f"{each}:{port}" for each in (own, "localhost")}
        return self.headers.get("Host", "") in hosts

    def _tell(self, name: str, values: Mapping[str, str]) -> None:
        try:
            with spoken(values["lang"]):
                told, status = self.told[name](values), HTTPStatus.OK
        except DariError as error:
            text = f"{error.message}; {error.details}" if error.details else error.message
            told, status = {"error": text}, HTTPStatus.BAD_REQUEST
        text = json.dumps(told, ensure_ascii=False)
        tag = f'"{hashlib.sha256(text.encode()).hexdigest()[:32]}"'
        if self.headers.get("If-None-Match") == tag:
            self.send_response(HTTPStatus.NOT_MODIFIED)
            self.end_headers()
            return
        self._send(status, "application/json", text, {"ETag": tag})

    def _send(self, status: HTTPStatus, kind: str, text: str, more: Mapping[str, str]) -> None:
        content = text.encode()
        self.send_response(status)
        headers = {
            "Content-Type": kind,
            "Content-Length": str(len(content)),
            "Content-Security-Policy": _POLICY,
            "X-Content-Type-Options": "nosniff",
            "Referrer-Policy": "no-referrer",
            "Cache-Control": "no-store",
            **more,
        }
        for key, value in headers.items():
            self.send_header(key, value)
        self.end_headers()
        self.wfile.write(content)
