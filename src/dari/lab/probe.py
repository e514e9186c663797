"""Run inside a pod by `dari lab demo`: asks others who they see, and tells askers.

``python -m dari.lab.probe serve`` answers every TCP connection and UDP packet with
the address that it came from, until its stdin closes. ``… visit`` reads a `Visit`
as JSON from stdin: it pings and asks, all at once, and prints what came of it.
`ping` needs to be installed; this does not.

May import: record, explain.echo.
"""

from __future__ import annotations

import json
import os
import selectors
import socket
import sys
import time
from collections.abc import Iterable
from contextlib import suppress
from ipaddress import ip_address

from dari.explain.echo import PROTOCOL, echo_reply, echo_request
from dari.record import Record

PORT = 7  # "echo" (RFC 862), which is what it does
READY = "ready"
_TRIES, _INTERVAL = 10, 0.3  # seconds between two tries; an answer usually takes none


class Visit(Record):
    """Addresses to ping, and addresses whose `serve` to ask."""

    ping: tuple[str, ...]
    ask: tuple[str, ...]


class Report(Record):
    """What came of a visit.

    Attributes:
        seconds: for each address pinged, how long the answer took; None: none came.
        seen: for each address asked, who it was asked by, over TCP and over UDP;
            empty where there was no answer.
    """

    seconds: dict[str, float | None]
    seen: dict[str, tuple[str, str]]


def main(words: list[str]) -> int:
    """Serve or visit."""
    if words == ["serve"]:
        with suppress(BrokenPipeError):  # nobody waits for it any more
            serve()
    else:
        asked = json.load(sys.stdin)
        report = visit(Visit(ping=tuple(asked["ping"]), ask=tuple(asked["ask"])))
        json.dump({"seconds": report.seconds, "seen": report.seen}, sys.stdout)
    return 0


def serve() -> None:
    """Answer until stdin closes; both families through one socket each."""
    with _listener(socket.SOCK_STREAM) as stream, _listener(socket.SOCK_DGRAM) as packets:
        stream.listen(128)
        print(READY, flush=True)
        with selectors.DefaultSelector() as selector:
            for source in (sys.stdin, stream, packets):
                selector.register(source, selectors.EVENT_READ)
            while True:
                for key, _ in selector.select():
                    if key.fileobj is sys.stdin:
                        return
                    _answer(stream if key.fileobj is stream else packets)


def visit(wanted: Visit) -> Report:
    """Ping and ask everybody."""
    families = {socket.AF_INET: 4, socket.AF_INET6: 6}
    seconds: dict[str, float | None] = {}
    for family, version in families.items():
        own = [one for one in wanted.ping if ip_address(one).version == version]
        if own:
            seconds.update(_ping(family, own))
    seen = {
        one: (_ask(one, socket.SOCK_STREAM), _ask(one, socket.SOCK_DGRAM)) for one in wanted.ask
    }
    return Report(seconds=seconds, seen=seen)


def _ping(family: int, addresses: Iterable[str]) -> dict[str, float | None]:
    """Seconds until each answered; whoever does not is asked again, up to `_TRIES` times."""
    numbered = dict(enumerate(addresses))
    missing = dict(numbered)
    sent: dict[int, float] = {}
    took: dict[str, float | None] = dict.fromkeys(numbered.values())
    identifier = os.getpid() & 0xFFFF
    with socket.socket(family, socket.SOCK_RAW, PROTOCOL[family]) as raw:
        for _ in range(_TRIES):
            for number, address in missing.items():
                sent[number] = time.monotonic()
                _send(raw, echo_request(family, identifier, number), address)
            deadline = time.monotonic() + _INTERVAL
            while missing and (left := deadline - time.monotonic()) > 0:
                answer = _next_reply(raw, family, left)
                if answer is not None and answer[0] == identifier and answer[1] in missing:
                    took[missing.pop(answer[1])] = time.monotonic() - sent[answer[1]]
            if not missing:
                break
    return took


def _send(raw: socket.socket, packet: bytes, address: str) -> None:
    try:
        raw.sendto(packet, (address, 0))
    except OSError:
        return  # no route yet, or an earlier packet's error: asked again later


def _next_reply(raw: socket.socket, family: int, seconds: float) -> tuple[int, int] | None:
    raw.settimeout(seconds)
    try:
        return echo_reply(family, raw.recv(2048))
    except OSError:
        return None


def _listener(kind: int) -> socket.socket:
    """A socket that takes IPv6 and, as mapped addresses, IPv4; IPv4 alone without IPv6."""
    if socket.has_dualstack_ipv6():
        listener = socket.socket(socket.AF_INET6, kind)
        listener.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 0)
    else:
        listener = socket.socket(socket.AF_INET, kind)
    listener.bind(("", PORT))
    return listener


def _answer(listener: socket.socket) -> None:
    if listener.type == socket.SOCK_STREAM:
        connection, peer = listener.accept()
        with connection:
            connection.sendall(_plain(peer[0]))
    else:
        _, peer = listener.recvfrom(2048)
        listener.sendto(_plain(peer[0]), peer)


def _plain(host: str) -> bytes:
    """An address as it is written; an IPv4 one that came mapped is unmapped."""
    return host.removeprefix("::ffff:").encode()


def _ask(address: str, kind: int) -> str:
    """Which address the asked one sees; empty where there is no answer."""
    family = socket.AF_INET if ip_address(address).version == 4 else socket.AF_INET6
    for _ in range(_TRIES):
        with socket.socket(family, kind) as asker:
            asker.settimeout(_INTERVAL)
            try:
                asker.connect((address, PORT))
                if kind == socket.SOCK_DGRAM:
                    asker.sendall(b"who am I?")
                return asker.recv(128).decode()
            except OSError:
                continue
    return ""


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
