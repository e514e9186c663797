"""Standard streams that are closed, full, or broken off."""

from __future__ import annotations

import os
import subprocess

import pytest

from tests.fuzz.node import STDIN, Node
from tests.support.executable import BIN_DIR, SECONDS


def run(node: Node, verb: str, closed: int, stdout: str = "/dev/null") -> int:
    """Call with the stream numbered `closed` not there (-1: all are); the exit status."""
    with open("/run/stdin", "wb") as file:
        file.write(STDIN)
    actions: list[tuple[object, ...]] = [
        (os.POSIX_SPAWN_OPEN, 0, "/run/stdin", os.O_RDONLY, 0),
        (os.POSIX_SPAWN_OPEN, 1, stdout, os.O_WRONLY, 0),
        (os.POSIX_SPAWN_OPEN, 2, "/dev/null", os.O_WRONLY, 0),
    ]
    if closed >= 0:
        actions[closed] = (os.POSIX_SPAWN_CLOSE, closed)
    program = f"{BIN_DIR}/bridge"
    pid = os.posix_spawn(program, [program], node.environ(verb), file_actions=actions)
    return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])


@pytest.mark.parametrize("stdout", ["/dev/full", "/dev/null"])
def test_an_add_whose_answer_nobody_can_read_is_taken_back(stdout: str) -> None:
    node = Node()
    status = run(node, "ADD", 1 if stdout == "/dev/null" else -1, stdout)
    assert status == 1
    node.assert_unchanged()


def test_an_add_whose_reader_has_gone_is_taken_back() -> None:
    node = Node()
    receiving, sending = os.pipe()
    os.close(receiving)
    with open(sending, "wb") as nobody:
        done = subprocess.run(
            [f"{BIN_DIR}/bridge"],
            env=node.environ("ADD"),
            input=STDIN,
            stdout=nobody,
            stderr=subprocess.DEVNULL,
            timeout=SECONDS,
        )
    assert done.returncode == 1
    node.assert_unchanged()


def test_without_stdin_nothing_is_done() -> None:
    node = Node()
    assert run(node, "ADD", 0) == 1
    node.assert_unchanged()


def test_nobody_need_listen_to_stderr() -> None:
    node = Node()
    assert run(node, "ADD", 2) == 0
    assert run(node, "DEL", 2) == 0
    node.assert_unchanged()
