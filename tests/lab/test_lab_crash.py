"""Whatever is killed, whenever: nothing is left, and the next `up` or `down` clears the rest."""

from __future__ import annotations

import os
import random
import signal
import time
from collections.abc import Iterator

import pytest

from tests.support.labs import (
    ORDINARY,
    ROOT,
    Caller,
    Lab,
    Traces,
    caller,
    lab,
    processes_of,
    unique_name,
)
from tests.support.waiting import wait_until

SMALL = ("--nodes", "2", "--pods", "1")


@pytest.fixture(scope="module", params=[ROOT, ORDINARY])
def by(request: pytest.FixtureRequest) -> Iterator[Caller]:
    with caller(request.param) as found:
        yield found


def up(by: Caller, traces: Traces) -> Lab:
    built = Lab(by, unique_name())
    by.ok("lab", "up", "--name", built.name, *SMALL)
    traces.remember(built)
    return built


def kill_first(built: Lab) -> None:
    """End the lab's first process behind dari's back."""
    (pid, *_) = built.record()["first"]
    os.kill(pid, signal.SIGKILL)


def all_gone(name: str) -> None:
    wait_until(lambda: not processes_of(name), f"the processes of {name} to end")


def test_killing_the_first_process_ends_everything_and_down_clears_the_rest(by: Caller) -> None:
    traces = Traces()
    built = up(by, traces)
    kill_first(built)
    traces.check()
    all_gone(built.name)
    done = by.run("lab", "status", "--name", built.name)
    assert done.returncode == 1
    assert "not up" in done.stderr
    assert by.run("lab", "exec", "--name", built.name, "node1", "true").returncode == 1
    by.ok("lab", "down", "--name", built.name)
    assert not (by.base / built.name).exists()


def test_after_that_the_same_lab_can_be_built_again(by: Caller) -> None:
    traces = Traces()
    built = up(by, traces)
    kill_first(built)
    all_gone(built.name)  # the kernel ends all others first
    by.ok("lab", "up", "--name", built.name, *SMALL)
    traces.remember(built)
    assert built.ok("pod-1-1", "ping", "-c1", "-w60", "pod-2-1")
    by.ok("lab", "down", "--name", built.name)
    traces.check()


def test_another_lab_s_up_clears_what_a_killed_one_left(by: Caller) -> None:
    traces = Traces()
    dead = up(by, traces)
    kill_first(dead)
    wait_until(lambda: not traces.left(), "the lab to end")
    with lab(by, *SMALL):
        assert not (by.base / dead.name).exists()


def test_killing_a_machine_does_not_end_the_others(by: Caller) -> None:
    with lab(by, *SMALL) as built:
        os.kill(built.record()["holders"]["node1"][0], signal.SIGKILL)
        wait_until(lambda: built.run("node1", "true").returncode == 1, "node1 to end")
        assert "lost its process" in built.run("node1", "true").stderr
        assert built.ok("node2", "hostname") == "node2\n"
        done = by.run("lab", "status", "--name", built.name)
        assert done.returncode == 1
        assert "gone" in done.stdout


@pytest.mark.long(19)
def test_up_killed_at_any_moment_leaves_nothing(by: Caller) -> None:
    """The moments are spread over the time that a whole `up` takes here."""
    began = time.monotonic()
    with lab(by, *SMALL):
        whole = time.monotonic() - began
    chance = random.Random(2)
    for number in range(8):
        name = unique_name()
        command = by.start("lab", "up", "--name", name, *SMALL)
        time.sleep(chance.uniform(0.0, whole))
        os.kill(command.pid, signal.SIGKILL)
        command.wait()
        survived = by.run("lab", "status", "--name", name).returncode == 0
        if not survived:
            all_gone(name)
        by.ok("lab", "down", "--name", name)
        all_gone(name)
        assert not (by.base / name).exists(), number


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_up_that_is_interrupted_clears_up_itself(by: Caller, number: signal.Signals) -> None:
    status = 0
    while status == 0:  # it was done before it was interrupted
        name = unique_name()
        command = by.start("lab", "up", "--name", name, *SMALL)
        wait_until((by.base / name / "state.json").exists, "the lab to begin")
        os.kill(command.pid, number)
        status = command.wait()
        if status == 0:
            by.ok("lab", "down", "--name", name)
    assert status == 128 + number
    all_gone(name)
    assert not (by.base / name).exists()


def test_down_ends_a_lab_that_is_being_built(by: Caller) -> None:
    name = unique_name()
    command = by.start("lab", "up", "--name", name, *SMALL)
    wait_until((by.base / name / "state.json").exists, "the lab to begin")
    by.ok("lab", "down", "--name", name)
    assert command.wait() in (0, 1)
    by.ok("lab", "down", "--name", name)
    all_gone(name)
    assert not (by.base / name).exists()


def test_down_of_nothing_is_no_error(by: Caller) -> None:
    assert "there is no lab" in by.ok("lab", "down", "--name", unique_name())
