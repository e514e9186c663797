"""Which parts the lab's nodes and pods play, and all that a fault needs to know of them.

May import: errors, language, and within lab: state, topology; within lab.faults: fault,
inside, scene.
"""

from __future__ import annotations

import json
import random
from collections.abc import Iterable, Mapping
from ipaddress import ip_address
from typing import TYPE_CHECKING

from dari.errors import BadConfig
from dari.lab.faults import inside
from dari.lab.faults.fault import run
from dari.lab.faults.scene import TUNNEL, Cast, Scene, host_of
from dari.lab.state import State
from dari.lab.topology import Topology, plan
from dari.language import Messages

if TYPE_CHECKING:
    from dari.model import IPAddress

_ = Messages("lab")


def cast_for(topology: Topology, place: str, dice: random.Random) -> Cast:
    """Give the parts.

    Args:
        place: a node or pod where it shall break; empty: wherever the dice say.

    Raises:
        BadConfig: the lab has no such node or pod, or too few for any fault.
    """
    nodes = [one for one in topology.nodes if one.pods]
    if len(nodes) < 2:
        raise BadConfig(
            _("a lab to break things in has two nodes with a pod each"),
            _("`dari lab up --nodes 3 --pods 2` builds one"),
        )
    names = {one.name for one in nodes} | {pod for one in nodes for pod in one.pods}
    if place and place not in names:
        raise BadConfig(
            _("--on {place}: no node or pod of this lab").format(place=place),
            ", ".join(sorted(names)),
        )
    chosen = place or dice.choice(nodes).name
    node = chosen if chosen in {one.name for one in nodes} else host_of(topology, chosen)
    pods = topology_pods(topology, node)
    pod = chosen if chosen in pods else dice.choice(pods)
    peer = dice.choice([one.name for one in nodes if one.name != node])
    return Cast(
        node=node,
        peer=peer,
        pod=pod,
        mate=next((one for one in pods if one != pod), ""),
        far=dice.choice(topology_pods(topology, peer)),
    )


def topology_pods(topology: Topology, node: str) -> tuple[str, ...]:
    """The pods of a node."""
    return next(one.pods for one in topology.nodes if one.name == node)


def scene_of(state: State, cast: Cast) -> Scene:
    """What faults need to know of a lab, broken or not.

    Raises:
        DariError: the lab has lost a process.
    """
    topology = plan(state.options)
    hosts = inside.text_of(state, topology.outside.name, "/etc/hosts")
    return Scene(
        topology=topology,
        cast=cast,
        addresses=addresses_in(hosts.splitlines()),
        tunnels=_tunnels(state, topology),
        pids={name: _number_inside(holder.pid) for name, holder in state.holders.items()},
    )


def addresses_in(hosts: Iterable[str]) -> Mapping[str, tuple[IPAddress, ...]]:
    """Names and addresses in the lines of a hosts file (hosts(5))."""
    found: dict[str, tuple[IPAddress, ...]] = {}
    for line in hosts:
        address, *names = line.split()
        for name in names:
            found[name] = (*found.get(name, ()), ip_address(address))
    return found


def _tunnels(state: State, topology: Topology) -> Mapping[str, str]:
    if topology.backend not in ("vxlan", "auto"):
        return {}
    texts = {
        one.name: inside.run(state, run(one.name, "ip", "-json", "link", "show", TUNNEL)).stdout
        for one in topology.nodes
    }
    return {name: str(json.loads(text)[0]["address"]) for name, text in texts.items() if text}


def _number_inside(pid: int) -> int:
    """A process's number in its innermost process namespace (proc(5), NSpid)."""
    with open(f"/proc/{pid}/status", encoding="ascii", errors="replace") as stream:
        (line,) = [line for line in stream if line.startswith("NSpid:")]
    return int(line.split()[-1])
