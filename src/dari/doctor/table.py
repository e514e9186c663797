"""The ports that Kubernetes' roles need, of both generations, as data.

Source: Kubernetes documentation, "Ports and Protocols"; the older ports went with 1.23
(scheduler 10251, controller-manager 10252, both without TLS); kubelet's read-only port is off
by default since 1.10's deprecation, and kubeadm switches it off.
May import: language, record.
"""

from __future__ import annotations

from dari.language import N_
from dari.record import Record

CONTROL_PLANE, WORKER = "control-plane", "worker"
ROLES = (CONTROL_PLANE, WORKER)
TCP, UDP = "tcp", "udp"
ALL, ETCD, SELF, CONTROL, BALANCERS = "all", "etcd", "self", "control", "balancers"
REACHED_BY = {
    ALL: N_("all nodes and clients"),
    ETCD: N_("kube-apiserver and etcd of the control plane"),
    SELF: N_("the node itself"),
    CONTROL: N_("the node itself and the control plane"),
    BALANCERS: N_("the node itself and load balancers"),
}
"""Who must reach a port, in words."""


class Port(Record):
    """One line of the table.

    Attributes:
        last: of a range; else as `first`.
        program: whose port it is, by its process's name.
        peers: who must reach it, a key of `REACHED_BY`.
        since, until: minor versions of Kubernetes 1 that use it, the last included; 0: any.
        local: may it listen on the loopback interface alone?
        needed: must somebody listen once the program runs? Proxies answer on NodePorts
            with no socket, and a single etcd needs no peers.
    """

    role: str
    protocol: str
    first: int
    program: str
    peers: str
    last: int = 0
    since: int = 0
    until: int = 0
    local: bool = False
    needed: bool = True

    def holds(self, port: int) -> bool:
        """Is this one of its ports?"""
        return self.first <= port <= (self.last or self.first)

    @property
    def shown(self) -> str:
        """Such as ``TCP 30000-32767``."""
        end = f"-{self.last}" if self.last else ""
        return f"{self.protocol.upper()} {self.first}{end}"


def _tcp(role: str, first: int, program: str, peers: str) -> Port:
    return Port(role=role, protocol=TCP, first=first, program=program, peers=peers)


PORTS = (
    _tcp(CONTROL_PLANE, 6443, "kube-apiserver", ALL),
    _tcp(CONTROL_PLANE, 2379, "etcd", ETCD),
    _tcp(CONTROL_PLANE, 2380, "etcd", ETCD).replace(needed=False),
    _tcp(CONTROL_PLANE, 10250, "kubelet", CONTROL),
    _tcp(CONTROL_PLANE, 10259, "kube-scheduler", SELF).replace(since=13, local=True),
    _tcp(CONTROL_PLANE, 10251, "kube-scheduler", SELF).replace(until=22, local=True),
    _tcp(CONTROL_PLANE, 10257, "kube-controller-manager", SELF).replace(since=13, local=True),
    _tcp(CONTROL_PLANE, 10252, "kube-controller-manager", SELF).replace(until=22, local=True),
    _tcp(WORKER, 10250, "kubelet", CONTROL),
    _tcp(WORKER, 10256, "kube-proxy", BALANCERS),
    *(
        Port(
            role=WORKER,
            protocol=protocol,
            first=30000,
            last=32767,
            program="kube-proxy",
            peers=ALL,
            needed=False,
        )
        for protocol in (TCP, UDP)
    ),
)


def of_role(role: str) -> tuple[Port, ...]:
    """The lines of one role."""
    return tuple(each for each in PORTS if each.role == role)
