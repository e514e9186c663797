"""One machine of a lab: a node, the router, the outside host or the one with the records.

A machine is a process in a network, mount and host name namespace of its own. It
does what the lab's first process orders, one phase at a time:

* ``address``: bring up its links, with addresses and default routes;
* ``serve``: a machine that keeps the nodes' records runs its server;
* ``start``: a node runs the real agent and wires its pods; it answers with each
  pod's addresses, and with its pod ranges under ``ranges of NODE``;
* ``join``: every node, and the router, waits until it knows the way to every range;
* ``last``: the lab is built; the machine holds its namespaces and reaps its children.

May import: netlink, and within lab: births, cluster, etcd, folders, message, privilege,
settings, topology.
"""

from __future__ import annotations

import socket
from collections.abc import Mapping
from ipaddress import ip_network

from dari.lab import cluster, etcd, folders, privilege, settings
from dari.lab.births import hold, reap
from dari.lab.message import Channel, Message
from dari.lab.topology import Machine, Topology, family_default
from dari.netlink.address import add_address
from dari.netlink.constants import RTN_UNREACHABLE, RTPROT_STATIC
from dari.netlink.link import get_link
from dari.netlink.linkchange import change_link
from dari.netlink.route import KernelRoute, add_route
from dari.netlink.sock import NetlinkSocket

RANGES_OF = "ranges of "
_CARRIERS = ("node", "router")  # what takes packets to pods
Values = Mapping[str, tuple[str, ...]]


def run(topology: Topology, one: Machine, orders: Channel, report: Channel) -> None:
    """Be this machine until killed.

    Args:
        orders: the conversation with the lab's first process.
        report: where `dari lab up` listens.
    """
    privilege.leave_host()
    socket.sethostname(one.name)
    folders.dress_machine(one.name)
    report.send(Message(kind="holds", name=one.name))
    orders.send(Message(kind="born"))
    kind = ""
    while kind != "last":
        order = orders.receive()
        if order is None:
            return
        kind = order.kind
        orders.send(Message(kind="done", values=_do(order, topology, one, report)))
    orders.close()
    report.close()
    reap()
    hold()


def _do(order: Message, topology: Topology, one: Machine, report: Channel) -> Values:
    if order.kind == "address":
        _address(one)
    elif order.kind == "serve" and one.kind == "etcd":
        etcd.start(one)
    elif order.kind == "start" and one.kind in _CARRIERS:
        ranges, pods = cluster.bring_up(topology, one, report)
        return {RANGES_OF + one.name: ranges, **pods}
    elif order.kind == "join" and one.kind in _CARRIERS:
        _join(topology, one, order.values)
    return {}


def _address(one: Machine) -> None:
    """Bring up every link; a machine with no way out says so to whoever asks it."""
    with NetlinkSocket() as sock:
        sock.transact([change_link(name="lo", up=True)])
        for port in one.ports:
            settings.use_addresses_at_once(port.interface)
            index = get_link(sock, name=port.interface).index
            addresses = [add_address(index, interface) for interface in port.addresses]
            sock.transact([*addresses, change_link(index=index, up=True)])
        sock.transact([add_route(route) for route in _defaults(one)])
    if one.kind != "node":
        settings.forward()  # a node is told to by its agent; the outside host does to nowhere


def _defaults(one: Machine) -> list[KernelRoute]:
    if one.gateways:
        return [
            KernelRoute(dst=family_default(gateway), gateway=gateway, protocol=RTPROT_STATIC)
            for gateway in one.gateways
        ]
    versions = {interface.version for port in one.ports for interface in port.addresses}
    nowhere = [ip_network("0.0.0.0/0"), ip_network("::/0")]
    return [
        KernelRoute(dst=dst, kind=RTN_UNREACHABLE, protocol=RTPROT_STATIC)
        for dst in nowhere
        if dst.version in versions
    ]


def _join(topology: Topology, one: Machine, ranges: Values) -> None:
    if one.kind == "router" and not topology.router_knows_pods:
        return
    others = [text for key, own in ranges.items() for text in own if key != RANGES_OF + one.name]
    cluster.wait_for_routes([ip_network(text) for text in others])
