"""The demo reaches everything, says so, and is gone afterwards, however it ends."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
from collections.abc import Iterator

import pytest

from tests.support.labs import ORDINARY, ROOT, Caller, caller, processes_of
from tests.support.waiting import wait_until


@pytest.fixture(scope="module", params=[ROOT, ORDINARY])
def by(request: pytest.FixtureRequest) -> Iterator[Caller]:
    with caller(request.param) as found:
        yield found


def test_both_families_every_pair_every_table(by: Caller) -> None:
    text = by.ok("lab", "demo", "--ipv6")
    for version in (4, 6):
        assert f"Every pod pings every other, IPv{version}: 30 of 30 pairs" in text
    for pod in range(1, 4):
        for other in (1, 2):
            name = f"pod-{pod}-{other}"
            assert (
                len(
                    re.findall(
                        rf"{name} +-> +outside +arrived from \S+ +which is node{pod}'s", text
                    )
                )
                == 2
            )
            assert (
                len(re.findall(rf"{name} +-> +pod-\S+ +arrived from \S+ +which is {name}'s", text))
                == 2
            )
    for node in ("node1", "node2", "node3"):
        assert f"Tables of {node}" in text
    for table in ("arp", "route", "bridge", "fdb"):
        assert len(re.findall(rf"^{table}: ", text, re.MULTILINE)) == 3
    assert "everything was reached" in text
    assert "\x1b" not in text


def test_a_routed_demo_of_other_size(by: Caller) -> None:
    text = by.ok("lab", "demo", "--nodes", "2", "--pods", "1", "--routed")
    assert "2 of 2 pairs" in text


def test_one_lonely_pod_has_nobody_to_ping_but_sees_the_outside(by: Caller) -> None:
    assert "which is node1's" in by.ok("lab", "demo", "--nodes", "1", "--pods", "1")


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGKILL])
def test_a_demo_that_is_ended_half_way_leaves_nothing(by: Caller, number: signal.Signals) -> None:
    command = by.start("lab", "demo")
    name = f"demo-{command.pid}"
    wait_until((by.base / name / "state.json").exists, "the lab to begin")
    os.kill(command.pid, number)
    command.wait()
    wait_until(lambda: not processes_of(name), "the lab to end")
    by.ok("lab", "down", "--name", name)
    assert not (by.base / name).exists()


@pytest.mark.parametrize("words", ["nodes with", "agent is ready", "all is up", "Tables of node1"])
def test_ctrl_c_ends_the_demo_without_a_traceback(by: Caller, words: str) -> None:
    """As a terminal does it: the signal goes to every process of the group."""
    demo = subprocess.Popen(
        by.line("lab", "demo", "--nodes", "2"),
        env={**by.environ, "PYTHONUNBUFFERED": "1"},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        start_new_session=True,
        text=True,
    )
    assert demo.stdout is not None
    for line in demo.stdout:
        if words in line:
            break
    os.killpg(demo.pid, signal.SIGINT)
    _, complaints = demo.communicate()
    assert complaints == ""
    assert demo.returncode == 130
    assert processes_of(f"demo-{demo.pid}") == []
    by.ok("lab", "down")  # of another lab: it clears what was left in the wrong moment
    assert not (by.base / f"demo-{demo.pid}").exists()


def test_a_reader_that_has_seen_enough_ends_the_demo_quietly(by: Caller) -> None:
    demo = subprocess.Popen(
        by.line("lab", "demo", "--nodes", "1"),
        env=by.environ,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )
    assert demo.stdout is not None
    demo.stdout.readline()
    demo.stdout.close()
    assert demo.stderr is not None
    assert b"Traceback" not in demo.stderr.read()
    demo.stderr.close()
    assert demo.wait() == 1
    assert processes_of(f"demo-{demo.pid}") == []


def test_what_is_not_reached_is_told_and_is_a_failure(by: Caller) -> None:
    """The outside host is made deaf while the rest of the lab is still being built."""
    demo = subprocess.Popen(
        by.line("lab", "demo", "--nodes", "2", "--pods", "1"),
        env=by.environ,
        stdout=subprocess.PIPE,
        text=True,
    )
    state = by.base / f"demo-{demo.pid}" / "state.json"
    wait_until(state.exists, "the lab to begin")
    (first, *_) = json.loads(state.read_text())["first"]
    wait_until(lambda: has_own_network(child_called(first, "outside")), "the outside host")
    os.kill(demo.pid, signal.SIGSTOP)  # or on a busy machine it would be done before
    chain = "add chain inet deaf in { type filter hook input priority 0; policy drop; }"
    line = ["nsenter", "--target", str(child_called(first, "outside")), "--net", "--"]
    subprocess.run([*line, "nft", f"add table inet deaf; {chain}"], check=True)
    os.kill(demo.pid, signal.SIGCONT)
    text, _ = demo.communicate()
    assert demo.returncode == 1
    assert "2 of 2 pairs" in text
    assert text.count("WRONG: should be 10.0.1.1") == 2
    assert "NOT all was reached" in text


def child_called(parent: int, name: str) -> int | None:
    done = subprocess.run(
        ["ps", "--ppid", str(parent), "-o", "pid=,comm="], capture_output=True, text=True
    )
    found = [int(line.split()[0]) for line in done.stdout.splitlines() if line.split()[1] == name]
    return found[0] if found else None


def has_own_network(pid: int | None) -> bool:
    """Is there such a process, in another network than ours?"""
    try:
        return os.readlink(f"/proc/{pid}/ns/net") != os.readlink("/proc/self/ns/net")
    except FileNotFoundError:
        return False
