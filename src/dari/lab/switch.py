"""The lab's first process: the switch, and the birth of every machine.

It is process 1 of the lab's process namespace: when it ends, however it ends, the
kernel ends every process of the lab, and with them go all namespaces, links,
rules, mounts and files. Until `dari lab up` says that it has recorded and seen
enough, the end of that command is the end of this process too.

All machines go through the same phases together, one message to each and one
answer from each: `address`, `serve`, `start`, `join`, `last` (see `machine`).

May import: errors, netlink, nft, and within lab: messages, births, folders, machine, message,
privilege, programs, settings, syscalls, topology.
"""

from __future__ import annotations

import os
import socket
from collections.abc import Mapping
from contextlib import ExitStack

from dari.errors import DariError
from dari.lab import folders, machine, message, privilege, programs, settings, syscalls
from dari.lab.births import bear, reap
from dari.lab.message import Channel, Message
from dari.lab.messages import _
from dari.lab.topology import Machine, Topology
from dari.netlink.link import get_link
from dari.netlink.linkchange import add_bridge, add_veth, change_link
from dari.netlink.namespace import Namespace
from dari.netlink.sock import NetlinkSocket
from dari.nft.library import Nft

Values = Mapping[str, tuple[str, ...]]


def run(topology: Topology, report: Channel) -> None:
    """Build the lab, then last until killed.

    The conversation with `dari lab up`: ``hello`` → ``go`` (its number is
    recorded), then ``holds``, ``step`` and at last ``ready`` → ``keep`` (with the
    value ``detached`` if it shall outlive that command).

    Raises:
        DariError: the lab cannot be built; the kernel's or a program's reason.
    """
    syscalls.die_with_parent(True)
    report.send(Message(kind="hello"))
    if report.receive() is None:
        return
    build(topology, report)
    report.send(Message(kind="ready"))
    order = report.receive()
    if order is None:
        return
    syscalls.die_with_parent("detached" not in order.values)
    report.send(Message(kind="kept"))
    report.close()
    _let_go_of_streams()
    reap()


def build(topology: Topology, report: Channel) -> None:
    """Make switch and machines, and see them through all phases.

    Raises:
        DariError: as `run`.
    """
    os.umask(0o022)
    privilege.leave_host()
    with Nft():
        pass  # every agent needs the library; what is missing is better said once, and now
    socket.sethostname("switch")
    os.chdir("/")
    syscalls.keep_mounts()
    folders.make_lab(programs.launcher(os.environ))
    folders.write_names(_names(topology))
    machines = {one.name: _bear_machine(topology, one, report) for one in topology.machines}
    _phase(machines, "")
    _lay_cables(topology, machines)
    _phase(machines, "address")
    report.send(Message(kind="step", text=_("machines and cables are there")))
    _phase(machines, "serve")
    answers = _phase(machines, "start")
    pods = {name: found for name, found in answers.items() if name in topology.names}
    folders.write_names({**_names(topology), **pods})
    _phase(machines, "join", {k: v for k, v in answers.items() if k not in pods})
    _phase(machines, "last")
    for born in machines.values():
        born.channel.close()


class Born:
    """A machine's process, and the conversation with it."""

    def __init__(self, pid: int, channel: Channel) -> None:
        self.pid = pid
        self.channel = channel


def _bear_machine(topology: Topology, one: Machine, report: Channel) -> Born:
    ours, theirs = message.pair()

    def live() -> None:
        ours.close()
        machine.run(topology, one, theirs, report)

    pid = bear(live, report, one.name)
    theirs.close()
    return Born(pid, ours)


def _phase(machines: Mapping[str, Born], kind: str, values: Values | None = None) -> Values:
    """Send every machine into a phase and gather what they answer.

    The phase without a name is their birth, which nobody has to order.
    """
    if kind:
        for born in machines.values():
            born.channel.send(Message(kind=kind, values=values or {}))
    gathered: dict[str, tuple[str, ...]] = {}
    for name, born in machines.items():
        answer = born.channel.receive()
        if answer is None:
            raise DariError(_("{name}: its process has ended").format(name=name))
        gathered.update(answer.values)
    return gathered


def _lay_cables(topology: Topology, machines: Mapping[str, Born]) -> None:
    settings.be_no_host()
    with NetlinkSocket() as sock, ExitStack() as open_namespaces:
        sock.transact([change_link(name="lo", up=True)])
        sock.transact([add_bridge(segment.name) for segment in topology.segments])
        cables = []
        for one in topology.machines:
            path = f"/proc/{machines[one.name].pid}/ns/net"
            namespace = open_namespaces.enter_context(Namespace.open(path))
            for port in one.ports:
                cables.append(
                    add_veth(
                        port.cable,
                        peer=port.interface,
                        peer_netns=namespace.fd,
                        peer_mac=port.mac,
                        master=get_link(sock, name=port.segment).index,
                    )
                )
        sock.transact(cables)
        ends = [port.cable for one in topology.machines for port in one.ports]
        links = [*(segment.name for segment in topology.segments), *ends]
        sock.transact([change_link(name=link, up=True) for link in links])


def _names(topology: Topology) -> Values:
    return {one.name: tuple(str(address) for address in one.addresses) for one in topology.machines}


def _let_go_of_streams() -> None:
    """Keep no terminal, pipe or file of `dari lab up` open."""
    nothing = os.open(os.devnull, os.O_RDWR)
    for stream in (0, 1, 2):
        os.dup2(nothing, stream)
    os.close(nothing)
