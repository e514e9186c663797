"""What keeps a node from the store of all records: a mount over it, a rule that drops.

May import: errors, explain.filters, snapshot, store, doctor.
"""

from __future__ import annotations

from collections.abc import Iterator
from ipaddress import ip_address
from typing import TYPE_CHECKING

from dari.doctor.commands import line
from dari.doctor.decisive import decisive, packet_of
from dari.doctor.node import Node
from dari.doctor.rulemends import let_through
from dari.errors import BadConfig
from dari.explain.filters.hooks import Event
from dari.store.remote.connection import Target, parse_target

if TYPE_CHECKING:
    from dari.model import IPAddress

_STORE = "/var/lib/dari/store"
_ETCD_PORT = 2379


def store_mends(node: Node) -> tuple[str, ...]:
    """The commands that give the store back; none where it is not seen what is in the way."""
    mount = (line("umount", _STORE),) if node.health.store_mount else ()
    return (*mount, *_let_through(node))


def _let_through(node: Node) -> Iterator[str]:
    """A rule of the node's own that drops what it sends to the servers."""
    for target in _targets(node):
        event = _dropped(node, target)
        if event is not None:
            yield let_through(event, "tcp", target.port)
            return


def _targets(node: Node) -> Iterator[Target]:
    orders = node.machine.orders
    for each in orders.etcd_endpoints if orders else ():
        try:
            yield parse_target(each, "--etcd-endpoint", _ETCD_PORT)
        except BadConfig:
            continue  # which the agent has said already


def _dropped(node: Node, target: Target) -> Event | None:
    for address in _addresses(node, target.host):
        own = (each for each in node.location.addresses if each.version == address.version)
        source = next(own, None)
        if source is None:
            continue
        packet = packet_of(
            source, address, "tcp", target.port, incoming="", outgoing=node.location.interface
        )
        event = decisive(node.rules, "output", packet)
        if event is not None:
            return event
    return None


def _addresses(node: Node, host: str) -> list[IPAddress]:
    try:
        return [ip_address(host)]
    except ValueError:
        names = node.machine.names.items()
        return [ip_address(each) for each, name in names if name == host]
