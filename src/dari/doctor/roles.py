"""Which roles of Kubernetes a node has: told, or seen by what runs.

May import: snapshot, doctor.table.
"""

from __future__ import annotations

from collections.abc import Iterable

from dari.doctor.table import CONTROL_PLANE, PORTS, WORKER
from dari.snapshot.health import Health

_CONTROL = frozenset({"kube-apiserver", "kube-scheduler", "kube-controller-manager"})
_WORKER = frozenset({"kubelet", "kube-proxy"})


def roles_of(health: Health | None, told: Iterable[str] = ()) -> tuple[str, ...]:
    """The roles of a node.

    Args:
        told: by a person; empty: they are found out by processes, by who holds the
            ports of the table, and by the static pods that kubelet is to run.
    """
    given = tuple(dict.fromkeys(told))
    if given or health is None:
        return given
    seen = {each.name for each in health.programs} | set(health.manifests)
    seen |= {
        each.program
        for each in health.listeners
        if any(line.holds(each.port) and line.program == each.program for line in PORTS)
    }
    found = [(CONTROL_PLANE, _CONTROL), (WORKER, _WORKER)]
    return tuple(role for role, programs in found if seen & programs)
