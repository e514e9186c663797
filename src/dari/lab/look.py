"""What is there of a lab right now: asked of the kernel and of the agents, not remembered.

An ordinary user's lab lies in a user namespace of its own. Whoever looks has to be
in it and cannot come back, so that a child process looks and tells.

May import: errors, netlink, agent, and within lab: births, message, state, syscalls,
topology.
"""

from __future__ import annotations

import os
from collections.abc import Mapping

from dari.agent.client import AgentAbsent, ask_status
from dari.errors import BadNamespace, DariError
from dari.lab import message, syscalls
from dari.lab.births import bear
from dari.lab.message import Channel, Message
from dari.lab.state import State
from dari.lab.topology import Machine, plan
from dari.netlink.address import list_addresses
from dari.netlink.constants import RT_SCOPE_UNIVERSE
from dari.netlink.link import list_links
from dari.netlink.namespace import Namespace
from dari.record import Record

AGENT_SOCKET = "/run/dari/agent.sock"
READY, SYNCING, ABSENT, GONE, NONE = "ready", "syncing", "absent", "gone", "none"


class SeenNode(Record):
    """A node, or the router.

    `agent` is ready, syncing, absent, or gone with its machine; none where a router needs none.
    """

    name: str
    addresses: tuple[str, ...]
    pod_ranges: tuple[str, ...]
    agent: str


class SeenPod(Record):
    """A pod and the node that it runs on; without addresses where it is not wired."""

    name: str
    node: str
    addresses: tuple[str, ...]


class Seen(Record):
    """All of a lab. `etcd` holds the addresses of the machine with the records, if any."""

    name: str
    nodes: tuple[SeenNode, ...]
    pods: tuple[SeenPod, ...]
    outside: tuple[str, ...]
    router: SeenNode | None = None
    etcd: tuple[str, ...] = ()


def look(state: State) -> Seen:
    """Look at a lab that lives.

    Raises:
        DariError: it ended meanwhile, or may not be looked into.
    """
    ours, theirs = message.pair()
    child = bear(lambda: _tell(state, theirs), theirs, "dari-look")
    theirs.close()
    told = list(iter(ours.receive, None))
    ours.close()
    os.waitpid(child, 0)
    for said in told:
        if said.kind == "failed":
            raise DariError(said.text, said.details)
    return _assemble(state, {said.name: said.values for said in told})


def _tell(state: State, channel: Channel) -> None:
    """In the child: enter the lab's user namespace, and tell of each machine and pod."""
    if state.own_user_namespace:
        descriptor = os.open(f"/proc/{state.first.pid}/ns/user", os.O_RDONLY | os.O_CLOEXEC)
        syscalls.setns(descriptor, syscalls.CLONE_NEWUSER)
    topology = plan(state.options)
    for machine in topology.machines:
        ports = {port.interface for port in machine.ports}
        values = {"addresses": _addresses(state, machine.name, ports)}
        if topology.has_agent(machine):
            values.update(_agent(state, machine.name))
        channel.send(Message(kind="seen", name=machine.name, values=values))
        for pod in machine.pods:
            addresses = _addresses(state, pod, None)
            channel.send(Message(kind="seen", name=pod, values={"addresses": addresses}))


def _addresses(state: State, name: str, interfaces: set[str] | None) -> tuple[str, ...]:
    """Addresses that others reach it at, IPv4 first, of these interfaces or of all."""
    if not state.holders[name].alive:
        return ()
    try:
        with (
            Namespace.open(f"/proc/{state.holders[name].pid}/ns/net") as namespace,
            namespace.socket() as sock,
        ):
            links = list_links(sock, settled=False)
            found = list_addresses(sock, settled=False)
    except BadNamespace:
        return ()  # it ended just now
    wanted = {one.index for one in links if interfaces is None or one.name in interfaces}
    usable = [
        one.interface.ip for one in found if one.index in wanted and one.scope == RT_SCOPE_UNIVERSE
    ]
    return tuple(str(ip) for ip in sorted(usable, key=lambda ip: ip.version))


def _agent(state: State, name: str) -> dict[str, tuple[str, ...]]:
    if not state.holders[name].alive:
        return {"agent": (GONE,)}
    try:
        told = ask_status(f"/proc/{state.holders[name].pid}/root{AGENT_SOCKET}")
    except DariError as error:
        return {"agent": (ABSENT if isinstance(error, AgentAbsent) else error.message,)}
    ranges = told.get("pod_ranges")
    return {
        "agent": (READY if told.get("ready") else SYNCING,),
        "pod_ranges": tuple(map(str, ranges)) if isinstance(ranges, list) else (),
    }


def _assemble(state: State, found: Mapping[str, Mapping[str, tuple[str, ...]]]) -> Seen:
    topology = plan(state.options)

    def value(name: str, key: str) -> tuple[str, ...]:
        return found.get(name, {}).get(key, ())

    def node(machine: Machine) -> SeenNode:
        missing = GONE if topology.has_agent(machine) else NONE
        return SeenNode(
            name=machine.name,
            addresses=value(machine.name, "addresses"),
            pod_ranges=value(machine.name, "pod_ranges"),
            agent=" ".join(value(machine.name, "agent")) or missing,
        )

    return Seen(
        name=topology.name,
        nodes=tuple(map(node, topology.nodes)),
        pods=tuple(
            SeenPod(name=pod, node=machine.name, addresses=value(pod, "addresses"))
            for machine in topology.nodes
            for pod in machine.pods
        ),
        outside=value(topology.outside.name, "addresses"),
        router=next((node(one) for one in topology.machines if one.kind == "router"), None),
        etcd=value("etcd", "addresses"),
    )
