"""What surrounds the two nodes of a comparison, and who sees whom there.

A probe is one TCP connection, made and accepted by this process through sockets
that are opened inside the namespaces: what the server sees tells masquerading.
"""

from __future__ import annotations

import socket
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, suppress
from typing import TypeVar

from dari.netlink.namespace import Namespace
from dari.record import Record
from tests.support.isolation import add_namespace
from tests.support.kernel import run
from tests.support.waiting import wait_until

T = TypeVar("T")
OUTSIDE, NODE = "outside", ""
HERE = {4: "192.0.2.1", 6: "2001:db8::1"}
THERE = {4: "192.0.2.2", 6: "2001:db8::2"}
_PODS = {4: "10.0.0.0/8", 6: "fd00::/8"}
_LENGTH = {4: "24", 6: "64"}
_SECONDS = 4.0
"""Who has not answered by then was not reached: a first packet lost is sent again after 1 s."""


class Probe(Record):
    """A connection that is tried, and who should answer it.

    Attributes:
        source: the namespace that asks; empty for the node.
        target: the address it asks for.
        port: the port there.
        server: the namespace that listens.
        listens: the port at which it does.
    """

    source: str
    target: str
    port: int
    server: str
    listens: int


def add_outside() -> None:
    """A machine on a wire to the node, which knows the way to the pods."""
    add_namespace(OUTSIDE)
    for place in (NODE, OUTSIDE):
        wait_for_no_duplicates(place)
    run("ip", "link", "add", "wire", "type", "veth", "peer", "name", "eth0", "netns", OUTSIDE)
    for version, address in HERE.items():
        _give(address, version, "wire", NODE)
        _give(THERE[version], version, "eth0", OUTSIDE)
    run("ip", "link", "set", "wire", "up")
    run("ip", "link", "set", "eth0", "up", namespace=OUTSIDE)
    for link, place in (("wire", NODE), ("eth0", OUTSIDE)):
        # Being asked, the kernel notices that there is a carrier now, and sends from here on.
        run("ip", "link", "show", "dev", link, namespace=place)
    for version, prefix in _PODS.items():
        run("ip", "route", "add", prefix, "via", HERE[version], namespace=OUTSIDE)
        probe = Probe(source=NODE, target=THERE[version], port=1, server=OUTSIDE, listens=1)
        wait_until(lambda probe=probe: bool(seen(probe)))  # type: ignore[misc]


def wait_for_no_duplicates(place: str) -> None:
    """Let new links use their IPv6 addresses at once.

    Otherwise a link's first packets, and every ADD of the reference's, would wait for a
    second or two until its address is known to be the only one.
    """

    def set_it() -> None:
        with open("/proc/sys/net/ipv6/conf/default/accept_dad", "w") as setting:
            setting.write("0")

    _in(place, set_it)


def _in(place: str, work: Callable[[], T]) -> T:
    if place == NODE:
        return work()
    with Namespace.open(f"/run/netns/{place}") as namespace:
        return namespace.run(work)


def _give(address: str, version: int, link: str, place: str) -> None:
    nodad = ["nodad"] if version == 6 else []
    written = f"{address}/{_LENGTH[version]}"
    run("ip", "address", "add", written, "dev", link, *nodad, namespace=place)


def seen(probe: Probe) -> str:
    """Whose address the server sees; empty where the connection does not come about."""
    with ExitStack() as stack:
        family = _family(probe)
        server = stack.enter_context(_socket(probe.server, family))
        server.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if family == socket.AF_INET6:  # beside one that listens at the same port by IPv4
            server.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
        server.bind(("::" if family == socket.AF_INET6 else "0.0.0.0", probe.listens))
        server.listen()
        client = stack.enter_context(_socket(probe.source, family))
        with suppress(OSError):
            client.connect((probe.target, probe.port))
            peer = stack.enter_context(server.accept()[0])
            address: str = peer.getpeername()[0]
            return address
    return ""


def sights(probes: Sequence[tuple[str, Probe]]) -> dict[str, str]:
    """What each of several named probes saw; those that listen in one place take turns."""
    turns: dict[object, list[tuple[str, Probe]]] = {}
    for name, probe in probes:
        turns.setdefault((_family(probe), probe.server, probe.listens), []).append((name, probe))
    with ThreadPoolExecutor(len(turns) or 1) as watchers:
        done = watchers.map(_in_turn, turns.values())
        return dict(each for turn in done for each in turn)


def _in_turn(probes: Sequence[tuple[str, Probe]]) -> list[tuple[str, str]]:
    return [(name, seen(probe)) for name, probe in probes]


def _family(probe: Probe) -> int:
    return socket.AF_INET6 if ":" in probe.target else socket.AF_INET


def _socket(place: str, family: int) -> socket.socket:
    def opened() -> socket.socket:
        sock = socket.socket(family, socket.SOCK_STREAM)
        sock.settimeout(_SECONDS)
        return sock

    return _in(place, opened)
