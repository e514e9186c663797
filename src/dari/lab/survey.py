"""Takes a snapshot of a lab: each machine is read from inside, as a real one would be.

Whoever looks has to enter the lab's namespaces and cannot come back, so that children
do it: one enters the user and process namespaces, and has one child of its own for
each machine, which writes what it reads into a file in memory.

May import: errors, paths, record, snapshot, and within lab: births, message, messages, process,
state, syscalls, topology.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterator, Sequence
from functools import partial

from dari.errors import DariError
from dari.lab import message, syscalls
from dari.lab.births import bear, reap
from dari.lab.message import Channel, Message
from dari.lab.messages import _
from dari.lab.process import Process
from dari.lab.state import State
from dari.lab.topology import plan
from dari.language import N_
from dari.paths import Paths
from dari.record import Record
from dari.snapshot.codec import decode, encode
from dari.snapshot.model import SWITCH, Machine, Snapshot
from dari.snapshot.node import read_machine
from dari.snapshot.steps import MACHINES, Tell, silently

_OF_MACHINE = (
    ("mnt", syscalls.CLONE_NEWNS),
    ("uts", syscalls.CLONE_NEWUTS),
    ("net", syscalls.CLONE_NEWNET),
)
GONE = N_("its process was killed")
_DONE = "done"


class _Visit(Record):
    """One machine, its holder, and the file to write into."""

    name: str
    kind: str
    holder: Process
    file: int
    thorough: bool
    probing: int
    connections: int


def survey(
    state: State,
    *,
    thorough: bool = False,
    probing: int = 0,
    connections: int = 0,
    tell: Tell = silently,
) -> Snapshot:
    """Read all machines of a lab, and their pods.

    Args:
        state: of a lab that lives.
        thorough: read the nodes' health too.
        probing: to how many of its peers each node sends packets.
        connections: how many of each place's to read; `ALL` for all.
        tell: is told how many machines are read.

    Raises:
        DariError: it ended meanwhile, or may not be looked into.
    """
    kinds = {one.name: one.kind for one in plan(state.options).machines}
    kinds[SWITCH] = SWITCH
    holders = {**state.holders, SWITCH: state.first}
    files = {name: os.memfd_create(f"snapshot-{name}") for name in kinds}
    try:
        _send(
            state,
            [
                _Visit(
                    name=name,
                    kind=kind,
                    holder=holders[name],
                    file=files[name],
                    thorough=thorough,
                    probing=probing,
                    connections=connections,
                )
                for name, kind in kinds.items()
            ],
            tell,
        )
        machines = tuple(_machine(name, kinds[name], file) for name, file in files.items())
    finally:
        for file in files.values():
            os.close(file)
    return Snapshot(machines=machines, lab=state.options.name)


def _send(state: State, visits: Sequence[_Visit], tell: Tell) -> None:
    ours, theirs = message.pair()
    tell(MACHINES, 0, len(visits))
    child = bear(lambda: _enter_lab(state, visits, theirs), theirs, "dari-survey")
    theirs.close()
    failed, done = [], 0
    for said in iter(ours.receive, None):
        if said.kind == _DONE:
            done += 1
            tell(MACHINES, done, len(visits))
        else:
            failed.append(said)
    ours.close()
    os.waitpid(child, 0)
    for said in failed:
        raise DariError(f"{said.name}: {said.text}" if said.name else said.text, said.details)


def _enter_lab(state: State, visits: Sequence[_Visit], report: Channel) -> None:
    """In the child: what is born of it from now on is in the lab's process namespace."""
    if state.own_user_namespace:
        _enter(state.first.pid, "user", syscalls.CLONE_NEWUSER)
    doors = [(list(_doors(one.holder)), one) for one in visits if one.holder.alive]
    _enter(state.first.pid, "pid", syscalls.CLONE_NEWPID)
    for descriptors, one in doors:
        bear(partial(_visit, descriptors, one, report), report, one.name)
    reap()


def _doors(process: Process) -> Iterator[tuple[int, int]]:
    for name, flag in _OF_MACHINE:
        path = f"/proc/{process.pid}/ns/{name}"
        yield os.open(path, os.O_RDONLY | os.O_CLOEXEC), flag


def _enter(pid: int, name: str, flag: int) -> None:
    descriptor = os.open(f"/proc/{pid}/ns/{name}", os.O_RDONLY | os.O_CLOEXEC)
    syscalls.setns(descriptor, flag)
    os.close(descriptor)


def _visit(doors: list[tuple[int, int]], one: _Visit, report: Channel) -> None:
    """In a machine's child: enter it, read it, write that down."""
    for descriptor, flag in doors:
        syscalls.setns(descriptor, flag)
    machine = read_machine(
        Paths(),
        one.name,
        one.kind,
        thorough=one.thorough,
        probing=one.probing,
        connections=one.connections,
    )
    document = encode(machine)
    with open(one.file, "w", encoding="utf-8", closefd=False) as stream:
        json.dump(document, stream)
    report.send(Message(kind=_DONE, name=one.name))


def _machine(name: str, kind: str, file: int) -> Machine:
    os.lseek(file, 0, os.SEEK_SET)
    with open(file, encoding="utf-8", closefd=False) as stream:
        text = stream.read()
    if not text:
        return Machine(name=name, kind=kind, problems={"machine": _(GONE)})
    return decode(Machine, json.loads(text), name)
