"""What every fault of the lab has to be, whichever it is; and what is kept of an exercise."""

from __future__ import annotations

import json
import random
from ipaddress import ip_address, ip_network
from pathlib import Path
from string import Formatter

import pytest

from dari.causes.catalogue import CAUSES
from dari.errors import BadConfig
from dari.lab.faults import story
from dari.lab.faults.catalogue import FAULTS, find, possible
from dari.lab.faults.choice import addresses_in, cast_for
from dari.lab.faults.exercise import Exercise, Notebook
from dari.lab.faults.fault import DIES, LIVES, Fault, Needs
from dari.lab.faults.scene import Cast, Command, Scene
from dari.lab.faults.sights import AgentAnswers, Trial
from dari.lab.process import Process
from dari.lab.state import Records, State
from dari.lab.topology import BACKENDS, Options, Topology, plan
from dari.store.record import decode
from tools import exercises

LABS = tuple(
    plan(Options(nodes=3, pods=2, ipv6=ipv6, backend=backend, store=store))
    for ipv6 in (False, True)
    for backend in BACKENDS
    for store in ("local", "etcd")
)
CAST = Cast(node="node1", peer="node2", pod="pod-1-1", mate="pod-1-2", far="pod-2-1")
PARTS = set(Cast._fields)
LISTED = """
forwarding-off rp-filter-strict route-missing route-wrong route-shadowed route-blackhole
arp-stale fdb-stale mtu-pod mtu-underlay duplicate-mac duplicate-hostname duplicate-range
duplicate-address bridge-without-address bridge-down bridge-missing filter-forward-drop
filter-kubelet-port vxlan-port-blocked conf-shadowed conf-broken executable-missing
executable-broken range-full lease-leaked masquerade-missing masquerade-wide proxy-state
proxy-arp agent-dead store-unreachable veth-down veth-off-bridge pod-route-missing
pod-address-missing asymmetric-return tunnel-missing node-interface-down policy-rule
"""


def scene(topology: Topology) -> Scene:
    versions = [each.version for each in topology.cluster_ranges]
    pods = {
        pod: tuple(
            ip_network(f"10.244.{number}.0/24")[2 + place]
            if version == 4
            else ip_network(f"fd00:10:244:{number}::/64")[2 + place]
            for version in versions
        )
        for number, node in enumerate(topology.nodes)
        for place, pod in enumerate(node.pods)
    }
    machines = {one.name: one.addresses for one in topology.machines}
    tunnels = {one.name: f"02:00:00:00:00:0{place}" for place, one in enumerate(topology.nodes)}
    names = (*machines, *pods, "switch")
    return Scene(
        topology=topology,
        cast=CAST,
        addresses={**machines, **pods},
        tunnels=tunnels,
        pids={name: place + 2 for place, name in enumerate(names)},
    )


def places(fault: Fault) -> list[Topology]:
    return [each for each in LABS if fault.needs.met_by(each)]


def test_all_faults_that_were_asked_for_are_there() -> None:
    assert set(LISTED.split()) <= FAULTS.keys()
    assert len(FAULTS) >= 45


@pytest.mark.parametrize("name", FAULTS)
def test_a_fault_names_causes_of_the_catalogue_and_leads_to_them_by_hints(name: str) -> None:
    fault = find(name)
    assert fault.codes
    assert set(fault.codes) <= CAUSES.keys()
    assert len(fault.hints) >= 2
    assert fault.level in (1, 2, 3)
    for text in (fault.symptom, *fault.hints):
        assert {field for _, field, _, _ in Formatter().parse(text) if field} <= PARTS, text


@pytest.mark.parametrize("name", FAULTS)
def test_a_fault_happens_somewhere_and_touches_only_what_the_lab_has(name: str) -> None:
    fault = find(name)
    assert places(fault)
    for topology in places(fault):
        about = scene(topology)
        commands: tuple[Command, ...] = (*fault.inject(about), *fault.undo(about))
        assert commands or fault.agent == DIES
        assert {each.where for each in commands} <= {*topology.names, "switch"}
        assert all(word for each in commands for word in each.words)


@pytest.mark.parametrize("name", FAULTS)
def test_a_fault_is_seen_by_what_happens_and_undone_by_somebody(name: str) -> None:
    fault = find(name)
    for topology in places(fault):
        about = scene(topology)
        assert fault.sights(about)
        assert fault.undo(about) or fault.agent != LIVES
        for one in fault.sights(about):
            if isinstance(one, Trial):
                assert {one.source, one.target} <= set(topology.names)
                ip_address(one.address)
        if fault.agent == DIES:
            assert AgentAnswers(node="node1") in fault.watched(about)


def test_a_fault_that_needs_a_second_pod_is_not_possible_with_one() -> None:
    small = plan(Options(nodes=2, pods=1))
    names = {each.name for each in possible(small)}
    assert "veth-down" in names
    assert "fdb-stale" not in names
    assert "tunnel-missing" not in names


@pytest.mark.parametrize("place", ["node2", "pod-2-2", ""])
def test_parts_are_given_as_asked_and_the_same_for_the_same_seed(place: str) -> None:
    topology = LABS[0]
    cast = cast_for(topology, place, random.Random(3))
    assert cast == cast_for(topology, place, random.Random(3))
    assert cast.peer != cast.node
    assert cast.pod.startswith(f"pod-{cast.node[4]}-")
    assert cast.far.startswith(f"pod-{cast.peer[4]}-")
    assert cast.mate not in ("", cast.pod)
    assert place in ("", cast.node, cast.pod)


def test_a_place_that_the_lab_lacks_is_refused() -> None:
    with pytest.raises(BadConfig, match="node9"):
        cast_for(LABS[0], "node9", random.Random(0))
    with pytest.raises(BadConfig, match="two nodes"):
        cast_for(plan(Options(nodes=1)), "", random.Random(0))


def test_a_hosts_file_gives_each_name_all_its_addresses() -> None:
    found = addresses_in(["10.0.1.11 node1", "fd00::11 node1 other"])
    assert found["node1"] == (ip_address("10.0.1.11"), ip_address("fd00::11"))
    assert found["other"] == (ip_address("fd00::11"),)


def state(started: int) -> State:
    return State(options=Options(name="x"), first=Process(pid=1, started=started, boot="b"))


def test_exercises_are_kept_with_their_lab_and_gone_with_it(tmp_path: Path) -> None:
    (tmp_path / "x").mkdir()
    records = Records(str(tmp_path))
    one = Exercise(fault="veth-down", cast=CAST, secret=True, told=2)
    Notebook(records, state(1)).write([one])
    assert Notebook(records, state(1)).read() == (one,)
    assert Notebook(records, state(2)).read() == ()


@pytest.mark.parametrize("text", ["", "{}", "[]", '{"lab": [1, 1, "b"], "exercises": [{}]}'])
def test_a_damaged_file_of_exercises_is_none(tmp_path: Path, text: str) -> None:
    (tmp_path / "x").mkdir()
    (tmp_path / "x" / "exercises.json").write_text(text)
    assert Notebook(Records(str(tmp_path)), state(1)).read() == ()


def test_what_is_told_of_a_secret_does_not_name_it() -> None:
    one = Exercise(fault="veth-down", cast=CAST, secret=True)
    for text in (story.breaking(one), story.broken(one, ["seen"]), story.label(one)):
        assert "veth" not in text
        assert "seen" not in text


def test_hints_go_from_the_fault_s_own_to_a_command_that_shows_it() -> None:
    one = Exercise(fault="veth-down", cast=CAST)
    told = [story.hint(one.replace(told=number)) for number in (1, 2, 3)]
    assert len(set(told)) == 3
    assert CAUSES["DARI-306"].look in told[-1]


def test_the_list_has_every_fault_and_says_what_a_lab_lacks() -> None:
    lines = story.table(FAULTS.values(), possible(LABS[0]))
    assert len(lines) == len(FAULTS) + 1
    (line,) = [each for each in lines if each.startswith("tunnel-missing ")]
    assert "--backend vxlan" in line
    assert story.needs(Needs(pods=2, ipv6=True, one_segment=True, store="etcd")) == (
        "2 nodes, 2 pods on each, --store etcd, --ipv6, not --routed"
    )


def test_a_record_that_is_broken_into_the_store_is_one_that_agents_read() -> None:
    (write, _) = find("duplicate-range").inject(scene(LABS[0]))
    record = decode(write.given.encode(), "record")
    assert record.pod_ranges == scene(LABS[0]).ranges("node2")
    assert json.loads(write.given)["name"] == record.name


@pytest.mark.parametrize("language", exercises.FILES)
def test_the_documents_list_every_exercise(language: str) -> None:
    text = exercises.FILES[language].read_text(encoding="utf-8")
    assert text == exercises.text(language), "run `make pages`"
    assert all(f"break {name}<" in text for name in FAULTS)
