"""Information about a node that is no finding: its address, and what could not be seen.

May import: language, doctor.
"""

from __future__ import annotations

from collections.abc import Iterator

from dari.doctor.node import Node
from dari.doctor.report import Note
from dari.language import Messages
from dari.snapshot.model import RIGHTS

_ = Messages("doctor")


def address(node: Node) -> Iterator[Note]:
    """Which interface and address are the node's, and why those."""
    where = node.location
    if where.addresses and node.config:
        yield Note(
            topic="address",
            where=node.name,
            text=_("peers reach this node at {addresses} on {name}: {why}").format(
                addresses=", ".join(map(str, where.addresses)),
                name=where.interface,
                why=_why(node),
            ),
        )


def _why(node: Node) -> str:
    if node.config and node.config.node_addresses:
        return _("the setting node-address says so")
    if node.config and node.config.interface:
        return _("the setting interface says so")
    device = node.location.device
    if any(one.device == device and not one.dst.prefixlen for one in node.main):
        return _("the default route leaves by it")
    return _("it is the only one with such an address")


def _legacy(node: Node) -> Iterator[str]:
    """Tables of iptables-legacy: that they are there at all is easily missed."""
    read = {f"{each.program} {each.name}" for each in node.place.legacy_tables}
    for each in node.place.legacy:
        if each not in read:
            yield _(
                "rules of iptables-legacy ({table}) could not be read, and nft does not show them"
            ).format(table=each)
    for table in node.place.legacy_tables:
        if table.rules:
            yield _(
                "rules of iptables-legacy are in use ({table}: {number}), which nft does not show"
            ).format(table=f"{table.program} {table.name}", number=len(table.rules))


def is_partly_read(node: Node) -> bool:
    """Is something missing of what findings are made of?"""
    return bool(node.place.unread) or RIGHTS in node.machine.problems


def unseen(node: Node) -> Iterator[Note]:
    """What could not be read, so that nothing is said of it."""
    troubles = [*node.place.unread, *_legacy(node)]
    troubles += [f"{pod.name}: {pod.problem}" for pod in node.machine.pods if pod.problem]
    troubles += [
        text
        for what, text in node.machine.problems.items()
        if what in ("machine", "leases", "attachments", "orders", RIGHTS)
    ]
    if not node.ours:
        troubles.append(_("dari does not run here, so that its own state is not checked"))
    for each in troubles:
        yield Note(topic="unseen", where=node.name, text=each)
