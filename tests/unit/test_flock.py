"""Locks: bounded, fair, and good in threads."""

from __future__ import annotations

import fcntl
import os
import shutil
import threading
from pathlib import Path

import pytest

from dari.errors import IOFailure, TryAgain
from dari.flock import exclusively, holder
from tests.support.waiting import wait_until


def test_a_lock_held_too_long_says_try_again_and_by_whom(tmp_path: Path) -> None:
    path = str(tmp_path / "lock")
    with (
        exclusively(path),
        pytest.raises(TryAgain, match=f"lock {path}: held .* by .*process {os.getpid()}") as late,
        exclusively(path, patience=0.02),
    ):
        pass
    assert late.value.code == 11


def test_who_gave_up_does_not_get_the_lock_afterwards(tmp_path: Path) -> None:
    path = str(tmp_path / "lock")
    for _ in range(20):
        with exclusively(path):
            for _ in range(3):
                with pytest.raises(TryAgain), exclusively(path, patience=0.001):
                    pass
        with exclusively(path):
            pass


def test_one_at_a_time_in_threads(tmp_path: Path) -> None:
    path = str(tmp_path / "lock")
    inside: list[int] = []
    most: list[int] = []

    def work() -> None:
        for _ in range(20):
            with exclusively(path):
                inside.append(1)
                most.append(len(inside))
                inside.pop()

    threads = [threading.Thread(target=work) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(most) == 160
    assert set(most) == {1}


def test_a_waiter_gets_the_lock_as_soon_as_it_is_free(tmp_path: Path) -> None:
    path = str(tmp_path / "lock")
    order: list[str] = []

    def wait() -> None:
        with exclusively(path):
            order.append("waiter")

    with exclusively(path):
        thread = threading.Thread(target=wait)
        thread.start()
        order.append("holder")
    thread.join()
    assert order == ["holder", "waiter"]


def test_a_lock_file_removed_meanwhile_is_not_believed(tmp_path: Path) -> None:
    folder = tmp_path / "pods"
    folder.mkdir()
    path = str(folder / "lock")
    entered = threading.Event()

    def wait() -> None:
        with exclusively(path):
            assert holder(path)
            entered.set()

    old = os.open(path, os.O_RDONLY | os.O_CREAT)
    fcntl.flock(old, fcntl.LOCK_EX)
    thread = threading.Thread(target=wait)
    thread.start()
    wait_until(lambda: is_waited_for(path), "the thread waits for the old file")
    shutil.rmtree(folder)
    folder.mkdir()
    os.close(old)
    thread.join()
    assert entered.is_set()
    assert os.listdir(folder) == ["lock"]


def is_waited_for(path: str) -> bool:
    inode = f":{os.stat(path).st_ino} "
    locks = Path("/proc/locks").read_text().splitlines()
    return any("-> FLOCK" in line and inode in line for line in locks)


def test_a_folder_that_is_not_there_is_an_io_failure(tmp_path: Path) -> None:
    with pytest.raises(IOFailure, match="No such file"), exclusively(str(tmp_path / "x" / "lock")):
        pass


def test_nobody_holds_what_is_free_or_not_there(tmp_path: Path) -> None:
    (tmp_path / "lock").touch()
    assert holder(str(tmp_path / "lock")) == ""
    assert holder(str(tmp_path / "none")) == ""
