"""Records of peers that do not run, written into a store as their agents would.

Runs on a node, by `Node.do`.

May import: harness, dari.model, dari.routing, dari.store, dari.errors.
"""

from __future__ import annotations

import asyncio
import subprocess
import time
from collections.abc import Callable, Iterable, Sequence
from contextlib import ExitStack, suppress
from ipaddress import ip_address, ip_network
from typing import TYPE_CHECKING, Protocol

from bench.harness import BOUND, FOLDER, BenchFailed
from dari.errors import DariError
from dari.files import write_whole
from dari.model import NodeName
from dari.routing.peer import VXLAN
from dari.routing.vxlan import mac_of_node
from dari.routing.way import PORT, VNI
from dari.store.etcd.api import Etcd, EtcdSettings, wrap
from dari.store.record import NodeRecord, encode
from dari.store.remote.connection import parse_target

if TYPE_CHECKING:
    from dari.model import IPAddress, IPNetwork

UNDERLAY = ip_network("172.16.0.0/12")
CLUSTER = ip_network("10.0.0.0/8")
_RANGE_BITS = 8  # of addresses in a /24
_FIRST = 256  # of the peers' addresses
_PORT = 23790
_PATIENCE = 30.0  # seconds
_AT_ONCE = 100  # operations in one of etcd's transactions


class Members(Protocol):
    """Where records go."""

    options: Sequence[str]
    """What the agent is told of the store."""

    def write(self, records: Iterable[NodeRecord]) -> None:
        """Write these."""


def peer(number: int, backend: str, place: int = 0) -> NodeRecord:
    """The record of one peer.

    Args:
        number: from 1; its range follows from it.
        place: its address follows from it; 0: from the number.
    """
    name = NodeName(f"peer{number}")
    speech: dict[str, object] = {"type": backend}
    if backend == VXLAN:
        speech |= {"vni": VNI, "port": PORT, "mac": mac_of_node(name)}
    return NodeRecord(
        name=name,
        addresses=(address_of(place or number),),
        pod_ranges=(range_of(number),),
        mac="02:00:00:00:00:01",
        backend=speech,
        updated=time.time(),
    )


def address_of(place: int) -> IPAddress:
    """Pure."""
    return ip_address(int(UNDERLAY.network_address) + _FIRST + place)


def range_of(number: int) -> IPNetwork:
    """Pure."""
    return ip_network((int(CLUSTER.network_address) + (number << _RANGE_BITS), 32 - _RANGE_BITS))


class LocalMembers:
    """Files of the local store."""

    def __init__(self) -> None:
        self._folder = f"{FOLDER}/members"
        self.options: Sequence[str] = ("--store-dir", self._folder)

    def write(self, records: Iterable[NodeRecord]) -> None:
        for record in records:
            write_whole(f"{self._folder}/nodes/{record.name}.json", encode(record))


class EtcdMembers:
    """Keys of an etcd that runs on the node.

    Args:
        stack: ends it.

    Raises:
        BenchFailed: it does not answer.
    """

    def __init__(self, stack: ExitStack) -> None:
        url, peer_url = (f"http://127.0.0.1:{port}" for port in (_PORT, _PORT + 1))
        flags = {
            "data-dir": f"{FOLDER}/etcd",
            "listen-client-urls": url,
            "advertise-client-urls": url,
            "listen-peer-urls": peer_url,
            "initial-advertise-peer-urls": peer_url,
            "initial-cluster": f"default={peer_url}",
            "log-level": "error",
        }
        words = ["--unsafe-no-fsync", *(f"--{name}={value}" for name, value in flags.items())]
        server = subprocess.Popen([*BOUND, "etcd", *words], stderr=subprocess.DEVNULL)
        stack.callback(end, server)
        self.options: Sequence[str] = ("--store", "etcd", "--etcd-endpoint", url)
        self._runner = stack.enter_context(asyncio.Runner())
        self._etcd = Etcd(EtcdSettings(endpoints=(parse_target(url, "url"),)))
        stack.callback(lambda: self._runner.run(self._etcd.close()))
        _until(self._answers, "etcd does not answer")

    def write(self, records: Iterable[NodeRecord]) -> None:
        waiting = list(records)
        for start in range(0, len(waiting), _AT_ONCE):
            puts = [
                {
                    "request_put": {
                        "key": wrap(f"/dari/nodes/{each.name}".encode()),
                        "value": wrap(encode(each)),
                    }
                }
                for each in waiting[start : start + _AT_ONCE]
            ]
            self._runner.run(self._etcd.call("/v3/kv/txn", {"success": puts}))

    def _answers(self) -> bool:
        """It listens before it can answer."""
        with suppress(DariError):
            self._runner.run(self._etcd.call("/v3/kv/range", {"key": wrap(b"/dari")}))
            return True
        return False


def end(process: subprocess.Popen[bytes]) -> None:
    """End a program, and wait until it has."""
    process.terminate()
    process.wait()


def _until(true: Callable[[], bool], what: str) -> None:
    deadline = time.monotonic() + _PATIENCE
    while not true():
        if time.monotonic() > deadline:
            raise BenchFailed(what)
        time.sleep(0.01)
