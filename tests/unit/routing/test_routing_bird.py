"""Dari's part of BIRD's configuration, held against golden texts."""

from __future__ import annotations

from ipaddress import ip_address, ip_network
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dari.routing.bird import Bgp, Neighbour, Speaker, find_mark, render
from dari.routing.peer import Claim, Peer, Speech
from dari.routing.reach import Reach
from tests.unit.routing.nodes import TABLE, node

GOLDEN = Path(__file__).parents[2] / "golden"
REACH = Reach(TABLE)


def speaking(name: str, addresses: str, ranges: str) -> Peer:
    return node(name, addresses, ranges).replace(speech=Speech(type="bgp", as_number=64512))


OWN = speaking("node1", "192.168.0.1 fd00::1", "10.244.1.0/24 10.99.1.0/24 fd00:244:1::/64")
PEERS = (
    speaking("node2", "192.168.0.2 fd00::2", "10.244.2.0/24 10.99.2.0/24 fd00:244:2::/64"),
    speaking("node-3.example", "192.168.1.3", "10.244.3.0/24"),
    speaking("node4", "192.168.0.4", ""),
)
LEARNT = tuple(Claim(network=each, peer=peer) for peer in PEERS for each in peer.ranges)
ROUTERS = (
    Neighbour(address=ip_address("192.168.0.254"), as_number=64512),
    Neighbour(address=ip_address("fd00::fe"), as_number=65000),
)
CLUSTER = (ip_network("10.244.0.0/16"), ip_network("fd00:244::/32"))
SPEAKER = Speaker(own=OWN, bgp=Bgp(), bridge="cni0", peers=PEERS, learnt=LEARNT, cluster=CLUSTER)


@pytest.mark.parametrize(
    ("name", "speaker"),
    [
        ("bird-mesh.conf", SPEAKER),
        ("bird-routers.conf", SPEAKER.replace(bgp=Bgp(neighbours=ROUTERS, mesh=False))),
        ("bird-alone.conf", SPEAKER.replace(peers=(), learnt=(), own=OWN.replace(ranges=()))),
    ],
)
def test_the_text_is_the_golden_one(name: str, speaker: Speaker) -> None:
    assert render(speaker, REACH) == (GOLDEN / name).read_text()


def test_the_mark_tells_texts_apart_and_is_found() -> None:
    text = render(SPEAKER, REACH)
    assert find_mark(text) == find_mark(render(SPEAKER, REACH)) != ""
    other = render(SPEAKER.replace(bridge="br7"), REACH)
    assert find_mark(other) not in ("", find_mark(text))
    assert find_mark("define dari_x = 1;") == ""


def test_nodes_whose_names_look_alike_have_sessions_of_their_own() -> None:
    twins = tuple(
        node(name, f"192.168.0.{number}")
        for number, name in enumerate(("a.b", "a-b", "a_b", "x" * 200, "x" * 201), 10)
    )
    text = render(SPEAKER.replace(peers=twins, learnt=()), REACH)
    heads = [line for line in text.split("\n") if line.startswith("protocol bgp")]
    assert len(set(heads)) == 5
    assert all(len(line) < 80 for line in heads)


def test_a_node_without_ipv4_has_a_router_id_all_the_same() -> None:
    six = OWN.replace(addresses=(ip_address("fd00::1"),))
    first, second = (render(SPEAKER.replace(own=six), REACH) for _ in range(2))
    assert first == second and "router id " in first
    assert "router id 192.168" not in first


@given(st.text(min_size=1, max_size=80))
def test_no_name_breaks_out_of_its_place(name: str) -> None:
    text = render(SPEAKER.replace(peers=(node(name, "192.168.0.9"),), learnt=()), REACH)
    (head,) = [line for line in text.split("\n") if line.startswith("protocol bgp")]
    word = head.removeprefix("protocol bgp ").removesuffix(" {")
    assert word.isascii() and word.replace("_", "a").isalnum()
