"""The ports that a node's roles need: who listens, and whether others can get there.

May import: causes, language, snapshot, doctor.
"""

from __future__ import annotations

from collections.abc import Iterator

from dari.causes import machine
from dari.causes.finding import WARNING, Finding
from dari.doctor.node import Node
from dari.doctor.report import Note
from dari.doctor.table import REACHED_BY, ROLES, Port, of_role
from dari.language import Messages
from dari.snapshot.health import Listener

_ = Messages("doctor")


def lines_of(node: Node) -> list[Port]:
    """The table's lines that the node's roles need, each port once.

    A control-plane node whose kube-proxy does not run needs no NodePorts.
    """
    found: dict[tuple[str, int], Port] = {}
    for role in node.roles:
        for each in of_role(role):
            found.setdefault((each.protocol, each.first), each)
    return list(found.values())


def listeners(node: Node, line: Port) -> list[Listener]:
    """Who listens on a line's ports."""
    return [
        each
        for each in node.health.listeners
        if each.protocol == line.protocol and line.holds(each.port)
    ]


def silent(node: Node) -> Iterator[Finding]:
    """Somebody listens on each port that a role needs, of one generation or the other."""
    lines = lines_of(node)
    for line in lines:
        ports = [each for each in lines if each.program == line.program and each.needed]
        if not line.needed or line.until or not _is_expected(node, line):
            continue
        same = [each for each in ports if each is line or each.until]
        if not any(listeners(node, each) for each in same):
            yield Finding(
                code=machine.PORT_SILENT.code,
                where=node.name,
                what=_("nobody listens on {port}, the port of {program}").format(
                    port=line.shown, program=line.program
                ),
                severity=WARNING,
                subject=line.shown,
            )


def _is_expected(node: Node, line: Port) -> bool:
    """An etcd of its own, or a kube-proxy, is not every node's: only where there is one."""
    if line.program not in ("etcd", "kube-proxy"):
        return True
    known = {each.name for each in node.health.programs} | set(node.health.manifests)
    return line.program in known


def taken(node: Node) -> Iterator[Finding]:
    """No other program has a port that a role needs."""
    for line in lines_of(node):
        for each in listeners(node, line) if not line.last else ():
            if each.program and each.program != line.program:
                yield Finding(
                    code=machine.PORT_TAKEN.code,
                    where=node.name,
                    what=_("{found} ({pid}) listens on {port}, the port of {program}").format(
                        found=each.program, pid=each.pid, port=line.shown, program=line.program
                    ),
                    mend=(f"kill {each.pid}",),
                    subject=line.shown,
                )


def hidden(node: Node) -> Iterator[Finding]:
    """What others must reach does not listen on the loopback interface alone."""
    for line in lines_of(node):
        found = listeners(node, line)
        if line.local or line.last or line.peers == "etcd" or not found:
            continue
        if all(each.address.is_loopback for each in found):
            yield Finding(
                code=machine.PORT_UNREACHABLE.code,
                where=node.name,
                what=_("{program} listens on {port} at {address} alone").format(
                    program=line.program, port=line.shown, address=found[0].address
                ),
                subject=line.shown,
            )


def seen(node: Node) -> Iterator[Note]:
    """Roles, who listens, and what will be needed."""
    if node.machine.health is None:
        return
    for role in node.roles or ROLES:
        for line in of_role(role):
            found = listeners(node, line)
            if node.roles or found:
                yield Note(topic="ports", where=node.name, text=_now(line, found, role))
            else:
                yield Note(topic="ports", where=node.name, text=_later(line, role))


def _now(line: Port, found: list[Listener], role: str) -> str:
    if found:
        who = ", ".join(sorted({_called(each) for each in found}))
        text = _("{role}: {port} ({program}{versions}): {who}")
    else:
        who = ""
        text = _("{role}: {port} ({program}{versions}): nobody listens")
        if not line.needed or line.until:
            text = _("{role}: {port} ({program}{versions}): nobody listens, and nobody has to")
    return text.format(
        role=role, port=line.shown, program=line.program, versions=_versions(line), who=who
    )


def _later(line: Port, role: str) -> str:
    return _("{role} will need {port} ({program}{versions}), reached by {peers}").format(
        role=role,
        port=line.shown,
        program=line.program,
        versions=_versions(line),
        peers=_(REACHED_BY[line.peers]),
    )


def _versions(line: Port) -> str:
    if line.until:
        return _(", up to 1.{version}").format(version=line.until)
    return _(", since 1.{version}").format(version=line.since) if line.since else ""


def _called(one: Listener) -> str:
    program = _("the kernel, or a process that is not told")
    if one.program:
        program = _("{program}, process {pid},").format(program=one.program, pid=one.pid)
    return _("{program} at {address}").format(program=program, address=one.address)
