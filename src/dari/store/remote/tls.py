"""Who the other end has to be, and who we are: certificates, keys, contexts.

A context is made anew when a file it was made from has changed, since
certificates are rotated under a running agent.

May import: errors, record.
"""

from __future__ import annotations

import os
import ssl
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager

from dari.errors import BadConfig
from dari.record import Record


class Material(Record):
    """A certificate or key: a file's path, or its content (PEM). Both empty: none."""

    path: str = ""
    content: str = ""

    def __bool__(self) -> bool:
        return bool(self.path or self.content)


class Tls(Record):
    """How to speak TLS.

    Attributes:
        ca: who may have signed the server's certificate; empty: whom the machine trusts.
        cert: this client's certificate; empty: it has none.
        key: of that certificate; empty: it is in the same file.
        server_name: what the server's certificate is for, unless it is the host's name.
        verify: False takes any server for the right one.
    """

    ca: Material = Material()
    cert: Material = Material()
    key: Material = Material()
    server_name: str = ""
    verify: bool = True


class Contexts:
    """Gives the context of the moment."""

    def __init__(self, tls: Tls) -> None:
        self._tls = tls
        self._marks: Sequence[tuple[int, int]] = ()
        self._context: ssl.SSLContext | None = None

    @property
    def server_name(self) -> str:
        return self._tls.server_name

    def current(self) -> ssl.SSLContext:
        """The context, made anew if a file has changed.

        Raises:
            BadConfig: a file is missing or holds something else; it is named.
        """
        marks = [_mark(each.path) for each in (self._tls.ca, self._tls.cert, self._tls.key)]
        if self._context is None or marks != self._marks:
            self._context, self._marks = make_context(self._tls), marks
        return self._context


def make_context(tls: Tls) -> ssl.SSLContext:
    """Make a context for a client.

    Raises:
        BadConfig: a file is missing or holds something else; it is named.
    """
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = tls.verify
    context.verify_mode = ssl.CERT_REQUIRED if tls.verify else ssl.CERT_NONE
    with _told(f"CA certificate {tls.ca.path or 'given inline'}"):
        if tls.ca:
            context.load_verify_locations(tls.ca.path or None, cadata=tls.ca.content or None)
        elif tls.verify:
            context.load_default_certs()
    if tls.cert:
        said = f"client certificate {tls.cert.path or 'given inline'}"
        with _told(f"{said}, key {tls.key.path or 'given with it'}"), ExitStack() as stack:
            key = _path(tls.key, stack) if tls.key else None
            context.load_cert_chain(_path(tls.cert, stack), key, _no_password)
    return context


def _no_password() -> str:
    """Asked for where the key is encrypted; OpenSSL would ask at the terminal otherwise."""
    raise BadConfig("the client certificate's key is encrypted", "give one without a password")


def _path(material: Material, stack: ExitStack) -> str:
    """OpenSSL reads chains from files only; content gets one in memory, which has no name."""
    if material.path:
        return material.path
    descriptor = os.memfd_create("dari-tls", os.MFD_CLOEXEC)
    stack.callback(os.close, descriptor)
    os.write(descriptor, material.content.encode())
    return f"/proc/self/fd/{descriptor}"


@contextmanager
def _told(what: str) -> Iterator[None]:
    try:
        yield
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or str(error) or "not PEM"
        raise BadConfig(f"{what}: cannot be used: {reason}") from None


def _mark(path: str) -> tuple[int, int]:
    try:
        status = os.stat(path)
    except OSError:
        return 0, 0
    return status.st_ino, status.st_mtime_ns
