"""Changes carried out one by one leave the kernel as a pass over everything would."""

from __future__ import annotations

import asyncio
import json
import os
import subprocess
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from ipaddress import ip_address, ip_network
from pathlib import Path
from typing import Any, Self

import pytest

from dari.agent import mend
from dari.agent.config import read_config
from dari.agent.options import Given
from dari.agent.reconciler import Reconciler
from dari.agent.state import State
from dari.model import NodeName
from dari.netlink.link import Link
from dari.paths import Paths
from dari.routing.vxlan import mac_of_node
from dari.store.local import LocalStore
from dari.store.record import NodeRecord
from dari.wiring.bridge import ensure_bridge
from dari.wiring.host import Host
from tests.support.kernel import links, run

PEERS = 300
TABLES = {
    "direct": ("ip -json route show proto 79",),
    "vxlan": (
        "ip -json route show proto 79",
        "ip -json neighbour show dev dari.vxlan nud permanent",
        "bridge -json fdb show dev dari.vxlan",
    ),
}


def peer(number: int, backend: str, place: int = 0, range_: int = 0) -> NodeRecord:
    speech: dict[str, object] = {"type": backend}
    if backend == "vxlan":
        speech |= {"vni": 79, "port": 4789, "mac": mac_of_node(f"peer{number}")}
    return NodeRecord(
        name=NodeName(f"peer{number}"),
        addresses=(ip_address(0xAC100100 + (place or number)),),  # 172.16.1.0 and on
        pod_ranges=(ip_network((0x0A000000 + ((range_ or number) << 8), 24)),),
        backend=speech,
        updated=float(place + range_),
    )


def tables(backend: str) -> list[list[str]]:
    """What the kernel holds, row by row, as other programs tell it."""
    found = []
    for words in TABLES[backend]:
        done = subprocess.run(words.split(), check=True, capture_output=True)
        found.append(sorted(json.dumps(row, sort_keys=True) for row in json.loads(done.stdout)))
    return found


def connect() -> None:
    """Give the node its one interface, and its address there."""
    run("ip", "link", "add", "eth0", "up", "type", "veth", "peer", "name", "wire")
    run("ip", "address", "add", "172.16.0.1/16", "dev", "eth0")
    run("ip", "link", "set", "wire", "up")


class Driven:
    """An agent's reconciler, driven step by step."""

    def __init__(self, folder: Path, backend: str) -> None:
        given = {
            "store-dir": str(folder / "store"),
            "node-name": "node1",
            "node-address": "172.16.0.1",
            "pod-range": "10.200.0.0/24",
            "cluster-range": "10.0.0.0/8",
            "backend": backend,
        }
        settings = {key: Given(value=value, label=key) for key, value in given.items()}
        config = read_config(settings, Paths(), "node1", "6.1")
        self.store = LocalStore(config.store_dir)
        self._worker = ThreadPoolExecutor(1)
        self._host = Host(Paths(), os.environ)
        self._reconciler = Reconciler(config, self.store, self._host, self._worker)
        self.state = State()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_failure: object) -> None:
        self._worker.shutdown()
        self._host.close()

    async def look_at_everything(self) -> Sequence[str]:
        """One pass, twice where this node's own record had to be written first."""
        self.state = await self._reconciler.look_and_mend(self.state, deep=True)
        assert self.state.ready and not self.state.problems, self.state
        return self.state.last.mended

    async def update(self, *names: str) -> bool:
        """Have some nodes looked at; False: everything has to be."""
        nodes = {NodeName(each) for each in names}
        state = await self._reconciler.update(self.state, nodes)
        self.state = state or self.state
        return state is not None


@pytest.mark.parametrize("backend", TABLES)
def test_after_changes_one_by_one_a_pass_over_everything_finds_nothing_to_mend(
    tmp_path: Path, backend: str
) -> None:
    connect()
    steps: Sequence[Mapping[int, NodeRecord | None]] = [
        {7: peer(7, backend, place=1007)},
        {8: peer(8, backend, range_=1008), 9: peer(9, backend, place=1009, range_=1009)},
        {400: peer(400, backend)},
        {10: None},
        {11: None, 12: peer(12, backend, range_=11, place=1012)},
        {401: peer(401, backend, range_=12), 7: peer(7, backend, place=2007)},
    ]

    async def body(driven: Driven) -> None:
        for number in range(1, PEERS + 1):
            await driven.store.put(peer(number, backend))
        await driven.look_at_everything()
        await driven.look_at_everything()
        for step in steps:
            for number, record in step.items():
                if record is None:
                    await driven.store.remove(NodeName(f"peer{number}"))
            for record in step.values():
                if record is not None:
                    await driven.store.put(record)
            assert await driven.update(*(f"peer{number}" for number in step))
        kept_up = tables(backend)
        assert len(kept_up[0]) == driven.state.routes == PEERS
        assert list(await driven.look_at_everything()) == []
        assert tables(backend) == kept_up
        assert (driven.state.routes, len(driven.state.peers)) == (PEERS, PEERS)
        # Where the kernel is not as it was left, everything is looked at.
        run("ip", "route", "delete", "10.0.20.0/24")
        await driven.store.put(peer(20, backend, place=1020, range_=1020))
        assert not await driven.update("peer20")
        await driven.look_at_everything()
        assert [row for row in tables(backend)[0] if '"10.3.252.0/24"' in row]

    with Driven(tmp_path, backend) as driven:
        asyncio.run(body(driven))


def test_peers_hear_of_a_tunnel_when_it_is_there(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Else they would send through it what nobody receives yet."""
    connect()
    with Driven(tmp_path, "direct") as driven:
        asyncio.run(driven.look_at_everything())
    with Driven(tmp_path, "vxlan") as driven:
        put, told = driven.store.put, []

        async def noted(record: NodeRecord) -> None:
            told.append((record.backend["type"], links("dari.vxlan")))
            await put(record)

        monkeypatch.setattr(driven.store, "put", noted)
        asyncio.run(driven.look_at_everything())
    assert told == [("vxlan", ["dari.vxlan"])]


@pytest.mark.parametrize("backend", TABLES)
def test_a_node_that_only_holds_a_range_is_shown_as_joining_until_it_tells(
    tmp_path: Path, backend: str
) -> None:
    """It is as good as every node is while it starts: nothing is wrong with it."""
    connect()
    late, prompt = peer(2, backend), peer(3, backend)

    async def body(driven: Driven) -> None:
        await driven.store.put(NodeRecord(name=late.name, pod_ranges=late.pod_ranges))
        await driven.store.put(peer(1, backend))
        await driven.look_at_everything()
        assert (driven.state.joining, driven.state.routes) == ((late.name,), 1)
        await driven.store.put(late)
        assert await driven.update(late.name)
        assert (driven.state.joining, driven.state.routes) == ((), 2)
        await driven.store.put(NodeRecord(name=prompt.name, pod_ranges=prompt.pod_ranges))
        assert await driven.update(prompt.name)
        assert (driven.state.joining, driven.state.routes) == ((prompt.name,), 2)
        await driven.store.put(prompt)
        assert await driven.update(prompt.name)
        assert (driven.state.joining, driven.state.routes) == ((), 3)
        assert list(await driven.look_at_everything()) == []

    with Driven(tmp_path, backend) as driven:
        asyncio.run(body(driven))


def test_a_bridge_that_goes_while_it_is_mended_is_made_anew_in_the_same_pass(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    connect()
    made: list[int] = []

    def made_and_gone(host: Host, *what: Any) -> Link:
        link = ensure_bridge(host, *what)
        made.append(link.index)
        if len(made) == 1:
            run("ip", "link", "delete", link.name)
        return link

    with Driven(tmp_path, "direct") as driven:
        asyncio.run(driven.look_at_everything())
        run("ip", "link", "set", "eth0", "mtu", "1400")  # which the bridge is to follow
        monkeypatch.setattr(mend, "ensure_bridge", made_and_gone)
        assert "made bridge cni0" in asyncio.run(driven.look_at_everything())
    assert len(made) == 2
    assert links("cni0") == ["cni0"]
