"""SIGKILL at any moment, and then a runtime's DEL: nothing is left."""

from __future__ import annotations

import os
import random
import selectors
import signal
import subprocess
import time
from collections.abc import Callable

import pytest

from dari.ipam.hostlocal import HostLocal
from dari.paths import Paths
from tests.kernel.ipam_mixed import (
    FOLDER,
    Conf,
    configuration,
    files,
    held,
    ours,
    parsed,
    start_ours,
    start_theirs,
    theirs,
)
from tests.unit.ipam.node import owner

BOTH = configuration([{"subnet": "10.1.0.0/24"}], [{"subnet": "fd00::/64"}])
WIDE = configuration([{"subnet": "10.1.0.0/16"}], [{"subnet": "fd00::/64"}])


def finish(program: subprocess.Popen[bytes]) -> tuple[int, bytes]:
    said, _ = program.communicate(timeout=120)
    return program.returncode, said


def nothing_is_left() -> bool:
    return all(name.startswith("last_reserved_ip.") for name in files())


@pytest.mark.long(10)
@pytest.mark.parametrize("delete", [ours, theirs])
def test_a_kill_before_any_change_of_an_add_leaks_nothing(
    delete: Callable[[Conf, str, str], object],
) -> None:
    ours(BOTH, "ADD", "stays")
    for step in range(60):
        status, _ = finish(start_ours(BOTH, "DIE", f"c{step}", "ADD", str(step)))
        if status == 0:
            break
        assert status == -signal.SIGKILL
        again = ours(BOTH, "ADD", f"c{step}")
        assert ours(BOTH, "ADD", f"c{step}") == again
        assert len(held()) == 4
        delete(BOTH, "DEL", f"c{step}")
        assert set(held().values()) == {b"stays\r\neth0"}
    assert 10 < step < 59


@pytest.mark.parametrize("delete", [ours, theirs])
def test_a_kill_before_any_change_of_an_add_is_cleared_by_a_del_alone(
    delete: Callable[[Conf, str, str], object],
) -> None:
    for step in range(60):
        status, _ = finish(start_ours(BOTH, "DIE", f"c{step}", "ADD", str(step)))
        delete(BOTH, "DEL", f"c{step}")
        # Theirs does not know our temporary file, if that is as empty as it was made.
        assert held() in ({}, {".dari-new": b""})
        if status == 0:
            break
    ours(BOTH, "DEL", "any")
    assert nothing_is_left()


def test_a_kill_before_any_change_of_a_del_is_made_good_by_the_next() -> None:
    for step in range(60):
        ours(BOTH, "ADD", f"c{step}")
        status, _ = finish(start_ours(BOTH, "DIE", f"c{step}", "DEL", str(step)))
        ours(BOTH, "DEL", f"c{step}")
        assert nothing_is_left()
        if status == 0:
            break
    assert 5 < step < 59


def names_said(program: subprocess.Popen[bytes], seconds: float) -> bytes:
    """What the program says up to a moment after its first word."""
    assert program.stdout is not None
    said = os.read(program.stdout.fileno(), 1 << 16)
    deadline = time.monotonic() + seconds
    with selectors.DefaultSelector() as ready:
        ready.register(program.stdout, selectors.EVENT_READ)
        while (rest := deadline - time.monotonic()) > 0:
            if ready.select(rest):
                said += os.read(program.stdout.fileno(), 1 << 16)
    return said


@pytest.mark.long(10)
def test_a_hundred_kills_at_random_moments_leak_nothing() -> None:
    moments = random.Random(20)
    leases = HostLocal(parsed(WIDE), Paths())
    for turn in range(0, 100, 4):
        programs = [start_ours(WIDE, "CHURN", str(turn + n)) for n in range(4)]
        said = names_said(programs[0], moments.uniform(0.0, 0.03))
        for program in programs:
            program.kill()
            said += finish(program)[1]
        names = said.decode().split()
        leased = {text for name, text in held().items() if name != ".dari-new"}
        assert leased <= {f"{name}\r\neth0".encode() for name in names}
        for name in names:
            leases.release(owner(name))
        assert nothing_is_left()


def test_what_a_kill_of_theirs_leaves_is_cleared_by_ours() -> None:
    moments = random.Random(7)
    for turn in range(40):
        program = start_theirs(BOTH, f"t{turn}")
        deadline = time.monotonic() + moments.uniform(0.0, 0.012)
        while time.monotonic() < deadline and program.poll() is None:
            pass
        program.kill()
        program.wait()
        ours(BOTH, "DEL", f"t{turn}")
        assert nothing_is_left()


def test_the_empty_lease_of_a_killed_writer_goes_with_the_next_del() -> None:
    theirs(BOTH, "ADD", "c1")
    (FOLDER / "10.1.0.250").touch()
    ours(BOTH, "DEL", "c1")
    assert nothing_is_left()
