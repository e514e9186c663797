"""Servers that say whom they see, and clients that ask them: reachability by TCP, UDP and SCTP."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager

from tests.support.waiting import until_told

_SERVE = r"""
import socket, sys, threading
name, kind, ports = sys.argv[1], sys.argv[2], map(int, sys.argv[3:])
def answer(sock):
    while True:
        if kind == "udp":
            _, peer = sock.recvmsg(100)[0::3]
            sock.sendto(f"{name} {peer[0]}".encode(), peer)
        else:
            link, peer = sock.accept()
            link.sendall(f"{name} {peer[0]}".encode())
            link.close()
for port in ports:
    sort = socket.SOCK_DGRAM if kind == "udp" else socket.SOCK_STREAM
    sock = socket.socket(socket.AF_INET6, sort)
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    sock.bind(("::", port))
    if kind != "udp":
        sock.listen(64)
    threading.Thread(target=answer, args=(sock,)).start()
print("ready", flush=True)
"""
_ASK = r"""
import socket, sys
kind, target, port, own = sys.argv[1], sys.argv[2], int(sys.argv[3]), int(sys.argv[4])
family = socket.AF_INET6 if ":" in target else socket.AF_INET
sock = socket.socket(family, socket.SOCK_DGRAM if kind == "udp" else socket.SOCK_STREAM)
sock.settimeout(4)
try:
    if own:
        sock.bind(("::" if ":" in target else "0.0.0.0", own))
    sock.connect((target, port))
    if kind == "udp":
        sock.settimeout(0.3)
    for again in range(8):
        try:
            if kind == "udp":
                sock.send(b"?")
            print(sock.recv(200).decode().replace("::ffff:", ""))
            break
        except TimeoutError:
            continue
except OSError:
    pass
"""


@contextmanager
def serving(namespace: str, *ports: int, kind: str = "tcp") -> Iterator[None]:
    """Answer at these ports with the namespace's name and the address that asked."""
    words = [sys.executable, "-I", "-S", "-c", _SERVE, namespace, kind, *map(str, ports)]
    with ExitStack() as stack:
        server = stack.enter_context(
            subprocess.Popen([*_inside(namespace), *words], stdout=subprocess.PIPE, text=True)
        )
        stack.callback(server.kill)
        assert server.stdout is not None
        assert server.stdout.readline() == "ready\n"
        yield


def ask(
    target: str, port: int, namespace: str = "", *, kind: str = "tcp", own_port: int = 0
) -> str:
    """What the server says, ``NAME ADDRESS``; empty where none answers in some seconds.

    Args:
        target: an address.
        port: there.
        namespace: where to ask from; empty for the node.
        kind: ``tcp`` or ``udp``.
        own_port: the client's, where the connection must be told from no other.
    """
    words = [sys.executable, "-I", "-S", "-c", _ASK, kind, target, str(port), str(own_port)]
    done = subprocess.run([*_inside(namespace), *words], capture_output=True, text=True, check=True)
    return done.stdout.strip()


def told(
    target: str, port: int, namespace: str = "", *, kind: str = "tcp", own_port: int = 0
) -> str:
    """What the server says that is sure to be there, however slow: see `ask`."""
    return until_told(
        lambda: ask(target, port, namespace, kind=kind, own_port=own_port), f"{target} {port}"
    )


def _inside(namespace: str) -> list[str]:
    return ["ip", "netns", "exec", namespace] if namespace else []
