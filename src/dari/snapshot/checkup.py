"""Reads a node's health: all parts of it together.

May import: paths, snapshot.
"""

from __future__ import annotations

from dari.paths import Paths
from dari.snapshot.apiservers import read_servers
from dari.snapshot.features import read_lacking
from dari.snapshot.health import Health, Probe
from dari.snapshot.listeners import read_listeners
from dari.snapshot.model import Machine
from dari.snapshot.probes import aims_at, probe
from dari.snapshot.room import peer_of, read_room
from dari.snapshot.runtimeconf import CONF_DIR
from dari.snapshot.runtimes import read_runtimes
from dari.snapshot.steps import RUNTIMES, Tell
from dari.snapshot.tunnels import tunnels_of


def read_health(paths: Paths, machine: Machine, *, probing: int, tell: Tell) -> Health:
    """Read it, from within the node's own namespaces.

    Args:
        machine: what else was read of the node.
        probing: how many of its peers to send packets to.
        tell: is told each step.
    """
    tell(RUNTIMES, 0, 0)
    orders = machine.orders
    local = orders is None or orders.store == "local"
    health = read_room(peer_of(paths.agent_socket), f"{paths.var}/store" if local else "")
    conf_dir = orders.conf_dir if orders else CONF_DIR
    return health.replace(
        listeners=read_listeners(),
        lacking=read_lacking(),
        runtimes=read_runtimes(health.programs, conf_dir),
        probes=_probed(machine, probing, tell),
        servers=read_servers(health.programs, machine.names) if probing else (),
    )


def _probed(machine: Machine, most: int, tell: Tell) -> tuple[Probe, ...]:
    """Peers in the order of their names, from this node's own on, so that all are probed."""
    peers = sorted(machine.peers, key=lambda one: (one.name <= machine.name, one.name))
    record = machine.record
    own = {each.version for each in (record.addresses if record else ())}
    chosen = [(one.name, one.addresses) for one in peers[:most]]
    return probe(aims_at(chosen, own, tunnels_of(machine.place)), tell) if chosen else ()
