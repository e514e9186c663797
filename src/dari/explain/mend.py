"""Command lines that mend: as they are to be run in a root shell on the machine.

May import: explain's world, tables.rows and tables.expected, netlink's records.
"""

from __future__ import annotations

from shlex import quote
from typing import TYPE_CHECKING

from dari.explain.world import Spot
from dari.netlink.link import Link
from dari.netlink.neighbour import Neighbour
from dari.netlink.route import KernelRoute
from dari.tables import rows
from dari.tables.expected import Way

if TYPE_CHECKING:
    from dari.model import IPAddress, IPInterface
    from dari.snapshot.model import Machine, Place

_MOST = "net.netfilter.nf_conntrack_max"
_LOG = "/run/agent.log"


def inside(spot: Spot, command: str) -> str:
    """A command as it is run in a place: in a pod by way of its namespace."""
    return f"nsenter --net={quote(spot.pod.netns)} {command}" if spot.pod else command


def ip(spot: Spot, version: int, words: str) -> str:
    """A command of ip(8); IPv6's routes and neighbours need the family said."""
    return inside(spot, f"ip {'-6 ' if version == 6 else ''}{words}")


def up(spot: Spot, link: Link) -> str:
    """Set a link up."""
    return inside(spot, f"ip link set dev {quote(link.name)} up")


def room_for_connections(place: Place) -> str:
    """Raise how many a table holds; from where that cannot be done, forget what is there."""
    if place.most_is_fixed:
        return "conntrack -F"
    return f"sysctl -w {_MOST}={max(4 * place.most_connections, 65536)}"


def mtu(spot: Spot, link: Link, size: int) -> str:
    """Give a link an MTU."""
    return inside(spot, f"ip link set dev {quote(link.name)} mtu {size}")


def plug(spot: Spot, link: Link, bridge: str) -> str:
    """Make a link a port of a bridge."""
    return inside(spot, f"ip link set dev {quote(link.name)} master {quote(bridge)}")


def delete_route(spot: Spot, route: KernelRoute) -> str:
    """Delete exactly this route."""
    return ip(spot, route.dst.version, f"route del {rows.route(route, spot.names)}")


def put_route(spot: Spot, way: Way) -> str:
    """Put the route there that the records ask for."""
    names = spot.names
    row = rows.route(way.route, names)
    if way.device:
        row = row.replace(f"via {way.route.gateway}", f"via {way.route.gateway} dev {way.device}")
    return ip(spot, way.route.dst.version, f"route replace {row}")


def delete_rule(spot: Spot, rule: object) -> str:
    """Delete a policy rule."""
    from dari.netlink.rule import Rule

    assert isinstance(rule, Rule)
    words = rows.rule(rule).partition(": ")[2]
    return ip(spot, rule.version, f"rule del priority {rule.priority} {words}")


def forget_neighbour(spot: Spot, link: Link, address: IPAddress) -> str:
    """Delete a neighbour entry; it is learned anew."""
    return ip(spot, address.version, f"neighbour del {address} dev {quote(link.name)}")


def put_neighbour(spot: Spot, device: str, address: IPAddress, mac: str) -> str:
    """Write down a neighbour of a tunnel."""
    words = f"neighbour replace {address} lladdr {mac} dev {device} nud permanent"
    return ip(spot, address.version, words)


def forget_entry(spot: Spot, entry: Neighbour) -> str:
    """Delete a bridge's forwarding entry; it is learned anew."""
    device = spot.names.get(entry.index, str(entry.index))
    return inside(spot, f"bridge fdb del {entry.mac} dev {quote(device)} master")


def put_entry(spot: Spot, device: str, mac: str, remote: IPAddress) -> str:
    """Write down whose end of a tunnel a MAC is."""
    return inside(spot, f"bridge fdb replace {mac} dev {device} dst {remote} self permanent")


def add_address(spot: Spot, device: str, interface: IPInterface) -> str:
    """Give a link an address."""
    return inside(spot, f"ip address add {interface} dev {quote(device)}")


def sysctl(spot: Spot, setting: str, value: str) -> str:
    """Set a setting of the kernel."""
    return inside(spot, f"sysctl -w {setting}={value}")


def start_agent(machine: Machine) -> str:
    """Start the agent that does not run, by systemd where that knows it."""
    by_systemd = "systemctl start dari-agent"
    by_hand = f"setsid --fork dari agent </dev/null >>{_LOG} 2>&1"
    if machine.health is None:
        return f"{by_systemd} || {by_hand}"
    return by_systemd if machine.health.unit else by_hand


def restart_agent(machine: Machine) -> str:
    """End the agent, if it runs, and start it anew."""
    if machine.health and machine.health.unit:
        return "systemctl restart dari-agent"
    pid = machine.health.agent if machine.health else 0
    ending = f"kill {pid}; while kill -0 {pid} 2>/dev/null; do sleep 0.1; done; " if pid else ""
    return ending + start_agent(machine)


def have_agent(machine: Machine) -> str:
    """Have the agent look at everything: start it, or start it anew."""
    return restart_agent(machine) if machine.agent else start_agent(machine)
