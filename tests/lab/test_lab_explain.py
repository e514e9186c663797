"""What `dari explain` reads is what real packets do, and its mend mends."""

from __future__ import annotations

import json
import random
from collections.abc import Iterator
from typing import Any

import pytest

from bench.faults.agreement import compare
from dari.lab.faults.choice import cast_for, scene_of
from dari.lab.faults.desk import Desk
from dari.lab.faults.exercise import Exercise
from dari.lab.state import Records
from dari.lab.survey import survey
from dari.lab.topology import plan
from tests.support.labs import ROOT, Lab, caller, lab


@pytest.fixture(scope="module")
def built() -> Iterator[Lab]:
    """Two nodes with a pod each, of both families, joined by a tunnel."""
    options = ("--nodes", "2", "--pods", "1", "--ipv6", "--backend", "vxlan")
    with caller(ROOT) as by, lab(by, *options) as found:
        yield found


def explain(built: Lab, *words: str) -> tuple[int, Any]:
    """Exit status and what is printed as JSON, with real packets beside the reading."""
    done = built.caller.run("explain", *words, "--lab", built.name, "--live", "-o", "json")
    assert not done.stderr, done.stderr
    return done.returncode, json.loads(done.stdout)


@pytest.mark.parametrize(
    "words",
    [
        ("pod-1-1", "pod-2-1"),
        ("pod-1-1", "pod-2-1", "-6"),
        ("pod-2-1", "outside", "--port", "7"),
        ("node1", "pod-2-1", "--port", "53", "--proto", "udp"),
    ],
    ids=" ".join,
)
def test_a_healthy_way_is_read_as_packets_take_it(built: Lab, words: tuple[str, ...]) -> None:
    status, told = explain(built, *words)
    assert (status, told["works"], told["complete"], told["findings"]) == (0, True, True, [])
    assert told["live"]["answered"] and told["live"]["large"] is not False
    read = list(dict.fromkeys(hop["where"] for hop in told["there"]))
    assert told["live"]["there"] == read


def test_a_tunnel_s_packets_are_followed_within_the_tunnel(built: Lab) -> None:
    _status, told = explain(built, "pod-1-1", "pod-2-1")
    rows = [(hop["where"], hop["step"]) for hop in told["there"]]
    assert ("node1", "fdb") in rows and ("node2", "tunnel") in rows
    assert told["largest_packet"] == 1450


def test_where_packets_stop_is_said_by_both_and_the_printed_mend_mends(built: Lab) -> None:
    rules = "add table inet site; add chain inet site forward "
    rules += "{ type filter hook forward priority 0; policy drop; }"
    built.ok("node1", "nft", rules)
    status, told = explain(built, "pod-2-1", "pod-1-1")
    (finding,) = told["findings"]
    assert (status, finding["code"], finding["where"]) == (1, "DARI-501", "node1")
    assert told["there"][-1]["where"] == told["live"]["there"][-1] == "node1"
    assert not told["live"]["answered"]
    for line in finding["mend"]:
        built.ok(finding["where"], "sh", "-c", line)
    status, told = explain(built, "pod-2-1", "pod-1-1")
    assert (status, told["live"]["answered"], told["findings"]) == (0, True, [])


@pytest.mark.parametrize("fault", ["", "bridge-down", "tunnel-fdb-stale", "route-blackhole"])
def test_every_pair_is_read_as_packets_go_and_lost_where_they_are(built: Lab, fault: str) -> None:
    records = Records(str(built.caller.base))
    state = records.read(built.name)
    assert state is not None
    desk = Desk(records, state)
    topology = plan(state.options)
    exercise = Exercise(fault=fault, cast=cast_for(topology, "node2", random.Random(1)))
    if fault:
        desk.break_(exercise)
    try:
        found = compare(state, scene_of(state, exercise.cast), survey(state))
    finally:
        if fault:
            desk.mend(exercise)
    assert (found.differing, found.misplaced, found.open) == ((), (), 0)
    assert bool(found.placed) == bool(fault)


def test_a_way_that_two_snapshots_have_is_read_from_files(built: Lab, tmp_path: Any) -> None:
    files = []
    for node in ("node1", "node2"):
        files.append(tmp_path / f"{node}.json")
        files[-1].write_text(built.ok(node, "dari", "snapshot"))
    words = ("explain", "pod-1-1", "pod-2-1", "-o", "json", "--from", *map(str, files))
    told = json.loads(built.caller.ok(*words))
    assert told["works"] and told["complete"]
    assert {hop["where"] for hop in told["there"]} == {"pod-1-1", "node1", "node2", "pod-2-1"}
