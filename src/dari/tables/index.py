"""Who has an address, a MAC or a prefix: the facts, arranged to be asked.

May import: model, netlink's records and constants, wiring.names, tables.facts,
tables.messages.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from dari.netlink.constants import RT_SCOPE_UNIVERSE
from dari.netlink.link import Link
from dari.store.record import NodeRecord
from dari.tables.facts import Facts
from dari.tables.messages import _
from dari.wiring import names

if TYPE_CHECKING:
    from dari.model import IPAddress, IPNetwork, Owner


class Index:
    """Who and what is who and what, found quickly: thousands of nodes are as few.

    Args:
        facts: what is known.
    """

    def __init__(self, facts: Facts) -> None:
        self._own = facts.machine.record.name if facts.machine.record else ""
        self._names = facts.names
        self._addresses = facts.place.addresses
        self._links = {link.index: link for link in facts.place.links}
        self._pods = {
            each.container_id: pod.name for pod in facts.machine.pods for each in pod.attachments
        }
        self._macs = _macs_of(facts)
        self._holders = {address: node for node in facts.nodes for address in node.addresses}
        self._ranges = {network: node for node in facts.nodes for network in node.pod_ranges}
        self._ports = {
            entry.mac: entry.index
            for entry in facts.place.fdb
            if entry.master and entry.index != entry.master
        }
        self._callers: dict[str, str] = {}
        for one in facts.place.neighbours:
            if one.address and self.called(one.address):
                self._callers[one.mac] = self.called(one.address)

    def link(self, index: int) -> Link:
        """The link of this index; one named after the number where it is gone."""
        return self._links.get(index) or Link(index=index, name=f"link {index}" if index else "")

    def owner_behind(self, port: Link) -> Owner | None:
        """Whose cable it is that ends in this port; None where it is none of dari's."""
        return names.owner_of(port.alias)

    def name_of(self, owner: Owner) -> str:
        """An interface of a pod, by the pod's name where it is known."""
        return _of_pod(owner.ifname, self._pods.get(owner.container_id, owner.container_id))

    def mac_of(self, address: IPAddress) -> str:
        """The MAC that whoever should have an address has; empty where that is not known."""
        return self._macs.get(address, ("", ""))[0]

    def addresses_of(self, link: Link) -> list[str]:
        """A link's addresses with their prefix lengths, without the link-local ones."""
        return [
            str(one.interface)
            for one in self._addresses
            if one.index == link.index and one.scope == RT_SCOPE_UNIVERSE
        ]

    def is_own(self, node: NodeRecord) -> bool:
        """Is it the node whose tables these are?"""
        return node.name == self._own

    def node_of(self, address: IPAddress) -> NodeRecord | None:
        """The node that has this address of its own."""
        return self._holders.get(address)

    def node_of_range(self, network: IPNetwork) -> NodeRecord | None:
        """The node whose pods have addresses of this prefix."""
        return self._ranges.get(network)

    def called(self, address: IPAddress, mac: str = "") -> str:
        """Who has an address, as far as known, or empty: a node, a pod, or a name.

        Args:
            mac: its MAC where that is known; it tells more than the address.
        """
        owner = self.owner_behind(self.link(self._ports[mac])) if mac in self._ports else None
        if owner is not None:
            return self.name_of(owner)
        if address in self._macs and self._macs[address][1]:
            return self._macs[address][1]
        node = self.node_of(address)
        return node.name if node else self._names.get(str(address), "")

    def called_by_mac(self, mac: str) -> str:
        """Who has another address with this MAC, being the same machine; or empty."""
        return self._callers.get(mac, "")

    def with_name(self, address: IPAddress) -> str:
        """An address, and behind it who has it."""
        name = self.called(address)
        return f"{address} ({name})" if name else str(address)


def _macs_of(facts: Facts) -> dict[IPAddress, tuple[str, str]]:
    """MACs, and names, of peers' nodes, of the machine's own links and of its pods."""
    found: dict[IPAddress, tuple[str, str]] = {
        address: (node.mac, node.name) for node in facts.nodes for address in node.addresses
    }
    for remote in facts.expected.plan.remotes:
        found[remote.network.network_address] = (remote.mac, "")
    for pod in (None, *facts.machine.pods):
        place = pod.place if pod else facts.machine.place
        links = {link.index: link for link in place.links} if place else {}
        for one in place.addresses if place else ():
            link = links.get(one.index)
            if link is not None and one.scope == RT_SCOPE_UNIVERSE:
                name = _of_pod(link.name, pod.name) if pod else facts.machine.name
                found[one.interface.ip] = (link.mac, name)
    return found


def _of_pod(link: str, pod: str) -> str:
    return _("{link} of {pod}").format(link=link, pod=pod)
