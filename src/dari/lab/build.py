"""`dari lab up`, seen from outside: start the lab's processes, record them, watch.

The lab is built by processes of its own (`launch`, `switch`, `machine`). This side
records each of them before anything is made, passes on what they say, and ends
all of it when something fails or the user gives up.

May import: errors, and within lab: messages, interrupts, message, privilege, process,
programs, state, topology.
"""

from __future__ import annotations

import os
import subprocess
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager

from dari.errors import DariError
from dari.lab import message, programs
from dari.lab.interrupts import deferred
from dari.lab.message import Message
from dari.lab.messages import _
from dari.lab.privilege import needs_user_namespace
from dari.lab.process import Process, observe
from dari.lab.state import Records, State, encode_options
from dari.lab.topology import Options, plan

_PATIENCE = 2.0  # seconds; another command's sweep holds a lock for a moment
Say = Callable[[str], None]


def up(options: Options, records: Records, say: Say) -> State:
    """Build a lab that outlives this process.

    Args:
        say: is told of each step, in a few words.

    Raises:
        DariError: it is up already, or cannot be built; nothing of it is left then.
    """
    state, launcher = _build(options, records, say, detached=True)
    launcher.kill()  # it only tied the lab's life to ours
    launcher.wait()
    return state


@contextmanager
def attached(options: Options, records: Records, say: Say) -> Iterator[State]:
    """Build a lab that ends with the `with` block, or with this process, even if killed.

    Raises:
        DariError: it is up already, or cannot be built; nothing of it is left then.
    """
    state, launcher = _build(options, records, say, detached=False)
    try:
        yield state
    finally:
        state.first.end()
        launcher.wait()
        with records.locked(options.name, seconds=10.0):
            records.forget(options.name)


def _build(
    options: Options, records: Records, say: Say, *, detached: bool
) -> tuple[State, subprocess.Popen[bytes]]:
    plan(options)  # refuses what no lab can have, before anything is touched
    programs.refuse_hidden()
    records.sweep()
    with records.locked(options.name, seconds=_PATIENCE):
        if records.read(options.name) is not None:
            raise DariError(
                _("lab {name!r} is up already").format(name=options.name),
                _("`dari lab down --name {name}` ends it; --name NAME builds another").format(
                    name=options.name
                ),
            )
        with ExitStack() as undo:
            undo.callback(records.forget, options.name)
            with deferred():
                launch = _Launch(options)
                undo.callback(launch.give_up)
            state = launch.watch(records, say, detached=detached)
            undo.pop_all()
        return state, launch.launcher


class _Launch:
    """The lab's processes while it is being built, and the conversation with them."""

    def __init__(self, options: Options) -> None:
        self._options = options
        self._errors = os.memfd_create("lab-errors")
        self._channel, theirs = message.pair()
        self._first: Process | None = None
        self.launcher = subprocess.Popen(
            programs.python("dari.lab.launch", [str(theirs.fileno()), encode_options(options)]),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=self._errors,
            pass_fds=[theirs.fileno()],
            start_new_session=True,
            env=programs.environment(os.environ),
        )
        theirs.close()

    def watch(self, records: Records, say: Say, *, detached: bool) -> State:
        """Record what is born, until the lab is ready.

        Raises:
            DariError: it cannot be built.
        """
        first = self._first = self._sender(self._hear())
        state = State(
            options=self._options,
            first=first,
            own_user_namespace=needs_user_namespace(),
        )
        records.write(state)
        self._channel.send(Message(kind="go"))
        holders: dict[str, Process] = {}
        while (said := self._hear()).kind != "ready":
            if said.kind == "holds":
                holders[said.name] = self._sender(said)
            else:
                say(said.text)
        state = state.replace(holders=holders, ready=True)
        records.write(state)
        self._channel.send(Message(kind="keep", values={"detached": ()} if detached else {}))
        self._hear()
        self._close()
        return state

    def give_up(self) -> None:
        """End everything that was begun, and wait until it has ended."""
        self.launcher.kill()
        self._channel.hang_up()
        self._channel.wait_for_end()
        self.launcher.wait()
        if self._first is not None:
            self._first.end()  # it ends last; pods, which keep no channel, before it
        self._close()

    def _hear(self) -> Message:
        said = self._channel.receive()
        if said is None:
            raise DariError(
                _("the lab's processes have ended while it was built"), self._last_words()
            )
        _refuse_failure(said)
        return said

    def _sender(self, said: Message) -> Process:
        found = observe(said.sender)
        if found is None:
            # Why it ended it has said before, behind what made us look for it.
            while (last := self._channel.receive(wait=False)) is not None:
                _refuse_failure(last)
            name = said.name or _("the first process")
            raise DariError(_("{name} ended while the lab was built").format(name=name))
        return found

    def _last_words(self) -> str:
        return os.pread(self._errors, 10_000, 0).decode(errors="replace").strip()

    def _close(self) -> None:
        self._channel.close()
        os.close(self._errors)


def _refuse_failure(said: Message) -> None:
    if said.kind == "failed":
        raise DariError(f"{said.name}: {said.text}" if said.name else said.text, said.details)
