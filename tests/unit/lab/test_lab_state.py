"""What is on disk of a lab: whole, one's own, and never taken for a living one when dead."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dari.errors import IOFailure, TryAgain
from dari.lab.process import Process, observe
from dari.lab.state import Records, State, base_folder, decode, encode
from dari.lab.topology import Options
from tests.support.waiting import PATIENCE

PROCESSES = st.builds(
    Process, pid=st.integers(1, 2**22), started=st.integers(0), boot=st.text(max_size=36)
)
STATES = st.builds(
    State,
    options=st.builds(
        Options,
        name=st.text(max_size=10),
        nodes=st.integers(),
        pods=st.integers(),
        ipv6=st.booleans(),
        routed=st.booleans(),
    ),
    first=PROCESSES,
    holders=st.dictionaries(st.text(max_size=10), PROCESSES, max_size=4),
    ready=st.booleans(),
    own_user_namespace=st.booleans(),
)


def me() -> Process:
    found = observe(os.getpid())
    assert found is not None
    return found


def a_state(name: str, first: Process) -> State:
    return State(options=Options(name=name), first=first)


@pytest.fixture
def records(tmp_path: Path) -> Records:
    return Records(str(tmp_path / "labs"))


@given(STATES)
def test_a_record_is_read_as_it_was_written(state: State) -> None:
    assert decode(encode(state)) == state


def test_a_living_lab_is_found(records: Records) -> None:
    with records.locked("lab"):
        records.write(a_state("lab", me()))
    assert records.read("lab") == a_state("lab", me())
    assert records.living() == ["lab"]


@pytest.mark.parametrize("change", [{"started": 1}, {"boot": "another"}, {"pid": 2**22}])
def test_a_recycled_number_is_not_the_lab(records: Records, change: dict[str, object]) -> None:
    fields = {"pid": me().pid, "started": me().started, "boot": me().boot, **change}
    other = Process(
        pid=int(str(fields["pid"])), started=int(str(fields["started"])), boot=str(fields["boot"])
    )
    with records.locked("lab"):
        records.write(a_state("lab", other))
    assert records.read("lab") is None
    other.end()  # and is not killed, or this test would not end well


@pytest.mark.parametrize("text", ["", "{", "[]", "{}", '{"options": 1}', "null", "\xff"])
def test_a_damaged_record_is_no_lab(records: Records, tmp_path: Path, text: str) -> None:
    folder = tmp_path / "labs" / "lab"
    with records.locked("lab"):
        (folder / "state.json").write_text(text, encoding="latin-1")
    assert records.read("lab") is None
    records.sweep()
    assert not folder.exists()


def test_a_stray_file_among_the_labs_hurts_nobody(records: Records, tmp_path: Path) -> None:
    with records.locked("lab"):
        (tmp_path / "labs" / "stray").write_text("?")
        assert records.read("stray") is None
        assert records.living() == []


def test_dead_labs_are_swept_and_living_and_locked_ones_stay(
    records: Records, tmp_path: Path
) -> None:
    child = subprocess.Popen(["cat"], stdin=subprocess.PIPE)  # until we let it go
    dead = observe(child.pid)
    assert dead is not None
    child.communicate()
    for name, first in (("dead", dead), ("alive", me()), ("building", dead)):
        with records.locked(name):
            records.write(a_state(name, first))
    with records.locked("building"):
        records.sweep()
    assert records.names() == ["alive", "building"]
    records.sweep()
    assert records.names() == ["alive"]
    with records.locked("alive"):
        records.forget("alive")
    assert not (tmp_path / "labs").exists()


def test_a_lab_s_lock_is_held_once(records: Records) -> None:
    with records.locked("lab"), pytest.raises(TryAgain), records.locked("lab"):
        pytest.fail("locked twice")


def test_a_lock_waits_for_its_holder_and_notices_a_folder_made_anew(records: Records) -> None:
    entered = threading.Event()

    def remove() -> None:
        with records.locked("lab"):
            entered.set()
            records.forget("lab")

    with records.locked("lab"):
        thread = threading.Thread(target=lambda: remove_when_free(remove))
        thread.start()
    assert entered.wait(PATIENCE)
    thread.join()
    with records.locked("lab", seconds=PATIENCE):
        assert records.names() == ["lab"]


def remove_when_free(remove: object) -> None:
    assert callable(remove)
    while True:
        try:
            remove()
        except TryAgain:
            continue
        return


def test_the_folder_is_for_its_owner_alone(records: Records, tmp_path: Path) -> None:
    with records.locked("lab"):
        records.write(a_state("lab", me()))
    for path in (tmp_path / "labs", tmp_path / "labs" / "lab"):
        assert path.stat().st_mode & 0o077 == 0


@pytest.mark.parametrize("trap", ["link", "writable", "file"])
def test_a_folder_that_others_may_have_made_is_not_trusted(tmp_path: Path, trap: str) -> None:
    base = tmp_path / "labs"
    if trap == "link":
        (tmp_path / "real").mkdir(mode=0o700)
        base.symlink_to(tmp_path / "real")
    elif trap == "writable":
        base.mkdir()
        base.chmod(0o777)
    else:
        base.write_text("")
    with pytest.raises(IOFailure):
        Records(str(base)).read("lab")
    with pytest.raises(IOFailure), Records(str(base)).locked("lab"):
        pytest.fail("trusted")


def test_where_labs_are_recorded(tmp_path: Path) -> None:
    own = os.geteuid() or 1000
    os.chown(tmp_path, own, -1)
    environ = {"XDG_RUNTIME_DIR": str(tmp_path)}
    assert base_folder(environ, own) == f"{tmp_path}/dari-lab"
    assert base_folder(environ, own + 1) == f"/tmp/dari-lab-{own + 1}"
    assert base_folder({"XDG_RUNTIME_DIR": "/nowhere"}, own) == f"/tmp/dari-lab-{own}"
    assert base_folder({}, own) == f"/tmp/dari-lab-{own}"
    assert base_folder(environ, 0) == "/run/dari-lab"


def test_a_zombie_is_not_alive() -> None:
    waiting = [sys.executable, "-c", "import sys; sys.stdin.read()"]
    child = subprocess.Popen(waiting, stdin=subprocess.PIPE)
    found = observe(child.pid)
    assert found is not None
    assert child.stdin is not None
    child.stdin.close()
    os.waitid(os.P_PID, child.pid, os.WEXITED | os.WNOWAIT)
    assert not found.alive
    assert child.wait() == 0
    assert observe(child.pid) is None


def test_ending_a_process_waits_until_it_has_ended() -> None:
    child = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(1000)"])
    reaper = threading.Thread(target=child.wait)
    reaper.start()
    found = observe(child.pid)
    assert found is not None
    found.end()
    assert not found.alive
    found.end()
    reaper.join()
    assert child.returncode == -9
