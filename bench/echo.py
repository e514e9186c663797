"""A request and its response, over and over: ``echo.py serve`` and ``echo.py ask ADDRESS N``.

Started by its path as a program of its own inside a pod, one on each side.

May import: the standard library.
"""

from __future__ import annotations

import sys
from socket import IPPROTO_TCP, TCP_NODELAY, create_connection, create_server, socket
from time import perf_counter

PORT = 7007
_SIZE = 64  # bytes, both ways
_WARM_UPS = 50
_SECONDS = 10.0


def serve() -> None:
    """Answer one client until it goes."""
    with create_server(("", PORT)) as listener:
        print("listening", flush=True)
        connection, _ = listener.accept()
    with connection:
        connection.setsockopt(IPPROTO_TCP, TCP_NODELAY, 1)
        while _read(connection):
            connection.sendall(b"a" * _SIZE)


def ask(address: str, questions: int) -> float:
    """Ask one question after the other; how many are answered in a second."""
    with create_connection((address, PORT), timeout=_SECONDS) as connection:
        connection.setsockopt(IPPROTO_TCP, TCP_NODELAY, 1)
        _ask_all(connection, _WARM_UPS)
        start = perf_counter()
        _ask_all(connection, questions)
        return questions / (perf_counter() - start)


def _ask_all(connection: socket, questions: int) -> None:
    for _ in range(questions):
        connection.sendall(b"q" * _SIZE)
        if not _read(connection):
            raise ConnectionError("the server went away")


def _read(connection: socket) -> bool:
    """Read one message whole; False where the other side went."""
    left = _SIZE
    while left:
        data = connection.recv(left)
        if not data:
            return False
        left -= len(data)
    return True


if __name__ == "__main__":
    if sys.argv[1] == "serve":
        serve()
    else:
        print(ask(sys.argv[2], int(sys.argv[3])))
