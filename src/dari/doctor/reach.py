"""What packets to the peers showed.

May import: causes, language, snapshot, doctor.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

from dari.causes import filters, machine, paths, settings
from dari.causes.finding import ERROR, WARNING, Finding
from dari.doctor.commands import line
from dari.doctor.node import Node
from dari.language import N_, Messages
from dari.snapshot.datagrams import FORBIDDEN, OPEN, REFUSED, SILENT
from dari.snapshot.health import Probe, TunnelProbe

_ = Messages("doctor")
_SILENT = "silent"
_KUBELET = "kubelet"
# What keeps a tunnel silent: who a node is, its ways, its filters; and a strict source check.
_WHY_SILENT = ("DARI-1", "DARI-4", "DARI-5", settings.REVERSE_PATH_FILTER.code)
_NOT_THROUGH = N_(
    "{peer} answers pings, and {at}, its end of the tunnel, does not: what is sent to its UDP "
    "port {port} is dropped there or on the way, or its tunnel is set up otherwise"
)
_STATES = {
    REFUSED: N_(
        "{by} refuses what is sent to UDP port {port} of {peer}, which is the tunnel's: "
        "nobody listens there, or a filter says so"
    ),
    FORBIDDEN: N_("{by} forbids what is sent to UDP port {port} of {peer}, which is the tunnel's"),
    SILENT: _NOT_THROUGH,
    OPEN: _NOT_THROUGH,
}
_SLACK = 8  # bytes to which the largest size that passes is found out


def tunnels(nodes: Sequence[Node], known: Iterable[Finding]) -> Iterator[Finding]:
    """Each peer that answers pings answers through its tunnel too.

    Args:
        known: what else was found. Where that says already why nothing passes through a
            tunnel, at one of its ends or on the way, silence tells nothing more.
    """
    explained = {one.where for one in known if one.code.startswith(_WHY_SILENT)}
    machines = {each.name for each in nodes}
    if explained - machines:
        return  # a machine between the nodes
    for node in nodes:
        for probe in node.health.probes:
            for each in probe.tunnels if probe.answers else ():
                if not each.answers and not {node.name, probe.peer} & explained:
                    yield _closed(node, probe, each)


def _closed(node: Node, probe: Probe, tunnel: TunnelProbe) -> Finding:
    cause = machine.PORT_UNREACHABLE if tunnel.state == REFUSED else filters.TUNNEL_PORT_DROPPED
    return Finding(
        code=cause.code,
        where=node.name,
        what=_(_STATES[tunnel.state]).format(
            peer=probe.peer, port=tunnel.port, at=tunnel.at, by=tunnel.by or "?"
        ),
        severity=WARNING,
        subject=f"{probe.peer} udp {tunnel.port}",
    )


def answers(node: Node) -> Iterator[Finding]:
    """Each peer answers: a ping, or at least a connection."""
    for each in node.health.probes:
        if not each.answers and all(state == _SILENT for state in each.tcp.values()):
            yield Finding(
                code=paths.NEXT_HOP_SILENT.code,
                where=node.name,
                what=_("{peer} does not answer at {address}").format(
                    peer=each.peer, address=each.address
                ),
                severity=WARNING,
                subject=f"{each.peer} {each.address}",
            )


def sizes(node: Node) -> Iterator[Finding]:
    """Packets as large as the MTU here pass to each peer."""
    lost = [
        each for each in node.health.probes if each.answers and each.passes + _SLACK < each.size
    ]
    if not lost:
        return
    passes, name = min(each.passes for each in lost), node.location.interface
    yield Finding(
        code=paths.LARGE_PACKETS_LOST.code,
        where=node.name,
        what=_("packets of {size} bytes to {peers} are lost; up to {passes} pass").format(
            size=max(each.size for each in lost),
            peers=", ".join(f"{each.peer} ({each.address})" for each in lost),
            passes=passes,
        ),
        mend=() if node.lab or not name else (line("ip", "link", "set", name, "mtu", passes),),
        subject=name,
    )


def servers(node: Node) -> Iterator[Finding]:
    """kubelet reaches the API server that it is told to use."""
    runs = any(each.name == _KUBELET for each in node.health.programs)
    for each in node.health.servers:
        if each.state == OPEN:
            continue
        what = _("kube-apiserver at {address} port {port} ({path}) does not answer")
        if each.state == REFUSED:
            what = _("kube-apiserver at {address} port {port} ({path}) refuses connections")
        yield Finding(
            code=machine.PORT_UNREACHABLE.code,
            where=node.name,
            what=what.format(address=each.address, port=each.port, path=each.path),
            severity=ERROR if runs else WARNING,
            subject=f"{each.address} {each.port}",
        )


def ports(node: Node) -> Iterator[Finding]:
    """Nothing on the way drops connections to the port of each peer's kubelet.

    Whether somebody listens there is for the peer's own doctor to say.
    """
    for each in node.health.probes:
        for port, state in each.tcp.items():
            if state == _SILENT and each.answers:
                yield Finding(
                    code=machine.PORT_UNREACHABLE.code,
                    where=node.name,
                    what=_(
                        "{peer} answers pings, and nothing that is sent to its TCP port {port}"
                    ).format(peer=each.peer, port=port),
                    severity=WARNING,
                    subject=f"{each.peer} {port}",
                )
