"""Runs commands in the lab's machines and pods, and looks into them from outside.

An ordinary user's lab lies in a user namespace of its own; who has entered it cannot
come back, so that a child process does what needs to be inside (`attempt`).

May import: errors, and within lab: births, enter, message, programs, state, syscalls.
"""

from __future__ import annotations

import os
import subprocess
from collections.abc import Callable, Iterable, Sequence

from dari.errors import DariError
from dari.lab import enter, message, programs, syscalls
from dari.lab.births import bear
from dari.lab.faults.scene import Command
from dari.lab.message import Channel, Message
from dari.lab.state import State


def run(state: State, command: Command) -> subprocess.CompletedProcess[str]:
    """Run one command to its end.

    Raises:
        DariError: the lab has no such machine, or it has lost its process.
    """
    return subprocess.run(
        enter.command(state, command.where, command.words),
        input=command.given,
        capture_output=True,
        text=True,
        errors="replace",
        env=programs.environment(os.environ),
    )


def run_all(state: State, commands: Iterable[Command]) -> None:
    """Run commands, each of which has to succeed.

    Raises:
        DariError: one did not; what it said is in the message.
    """
    for command in commands:
        done = run(state, command)
        if done.returncode != 0:
            said = done.stderr.strip() or done.stdout.strip()
            raise DariError(f"{command.where}: `{' '.join(command.words)}` failed: {said}")


def text_of(state: State, where: str, path: str) -> str:
    """The text of a file in a machine; empty where there is none.

    Raises:
        DariError: as `run`.
    """
    return run(state, Command(where=where, words=("cat", path))).stdout


def attempt(state: State, work: Callable[[], Sequence[str]]) -> tuple[str, ...]:
    """Do work in a child process that is in the lab's user namespace; what it found.

    Raises:
        DariError: the work did.
    """
    ours, theirs = message.pair()
    child = bear(lambda: _tell(state, work, theirs), theirs, "dari-look")
    theirs.close()
    told = list(iter(ours.receive, None))
    ours.close()
    os.waitpid(child, 0)
    for said in told:
        if said.kind == "failed":
            raise DariError(said.text, said.details)
    return tuple(text for said in told for text in said.values["found"])


def _tell(state: State, work: Callable[[], Sequence[str]], channel: Channel) -> None:
    if state.own_user_namespace:
        descriptor = os.open(f"/proc/{state.first.pid}/ns/user", os.O_RDONLY | os.O_CLOEXEC)
        syscalls.setns(descriptor, syscalls.CLONE_NEWUSER)
    channel.send(Message(kind="found", values={"found": tuple(work())}))
