"""A snapshot, arranged to be walked: places, what is in each, and cables between them.

May import: model, netlink's records and constants, snapshot, explain's lookup and filters.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from functools import cached_property
from typing import TYPE_CHECKING

from dari.explain.lookup import Tables
from dari.netlink.link import Link
from dari.netlink.neighbour import Neighbour
from dari.netlink.vxlan import Vxlan
from dari.snapshot.model import SWITCH, Machine, Place, Pod, Snapshot
from dari.tables.ruleset import Ruleset

if TYPE_CHECKING:
    from dari.model import IPAddress, IPNetwork

_LOOPBACK = 0x8  # IFF_LOOPBACK


class Spot:
    """One place, of a machine or of a pod on it.

    Args:
        machine: where it is.
        pod: whose it is; None: the machine's own.
        place: its tables.
    """

    def __init__(self, machine: Machine, pod: Pod | None, place: Place) -> None:
        self.machine = machine
        self.pod = pod
        self.place = place
        self.links = {link.index: link for link in place.links}
        self.by_name = {link.name: link for link in place.links}
        self.vxlans: dict[int, Vxlan] = {one.link.index: one for one in place.vxlans}

    @property
    def name(self) -> str:
        """What a person calls it."""
        return self.pod.name if self.pod else self.machine.name

    @cached_property
    def names(self) -> dict[int, str]:
        """Names of links by index."""
        return {index: link.name for index, link in self.links.items()}

    @cached_property
    def tables(self) -> Tables:
        """Its routes and rules."""
        return Tables(self.place)

    @cached_property
    def ruleset(self) -> Ruleset:
        """Its rules."""
        return Ruleset(self.place.ruleset)

    @cached_property
    def addresses(self) -> dict[IPAddress, int]:
        """Its own addresses, each with the link that holds it."""
        return {one.interface.ip: one.index for one in self.place.addresses if not one.duplicate}

    @cached_property
    def neighbours(self) -> dict[tuple[int, IPAddress], Neighbour]:
        """Entries by link and address."""
        return {(one.index, one.address): one for one in self.place.neighbours if one.address}

    @cached_property
    def forwarding(self) -> dict[tuple[int, str], list[Neighbour]]:
        """Forwarding entries by bridge (or by vxlan device of its own) and MAC."""
        found: dict[tuple[int, str], list[Neighbour]] = defaultdict(list)
        for one in self.place.fdb:
            found[one.master or one.index, one.mac].append(one)
        return found

    @cached_property
    def ports(self) -> dict[int, list[Link]]:
        """Ports by bridge."""
        found: dict[int, list[Link]] = defaultdict(list)
        for link in self.place.links:
            if link.master:
                found[link.master].append(link)
        return found

    def setting(self, name: str, default: str = "0") -> str:
        """A sysctl's value."""
        return self.place.sysctls.get(name, default)

    def holds(self, address: IPAddress) -> bool:
        """Is it one of its own?"""
        return address in self.addresses


class World:
    """All places of a snapshot."""

    def __init__(self, snapshot: Snapshot) -> None:
        self.snapshot = snapshot
        self.spots: list[Spot] = []
        self._of_machine: dict[int, list[Spot]] = {}
        self._holders: dict[IPAddress, list[Spot]] = defaultdict(list)
        for machine in snapshot.machines:
            own = [Spot(machine, None, machine.place)]
            own += [Spot(machine, pod, pod.place) for pod in machine.pods if pod.place]
            self._of_machine[id(machine)] = own
            self.spots += own
        for spot in self.spots:
            for address in spot.addresses:
                self._holders[address].append(spot)
        self._switch = next((one for one in self.spots if one.machine.kind == SWITCH), None)
        self._cables: dict[tuple[int, int], tuple[Spot, Link] | None] = {}

    def holders(self, address: IPAddress) -> list[Spot]:
        """Who has an address."""
        return self._holders.get(address, [])

    def spot(self, machine: str, pod: str = "") -> Spot | None:
        """The place of a machine's or pod's name."""
        for one in self.spots:
            if one.machine.name == machine and (one.pod.name if one.pod else "") == pod:
                return one
        return None

    def own_spot(self, spot: Spot) -> Spot:
        """The place of the machine that a place is on."""
        return self._of_machine[id(spot.machine)][0]

    def other_end(self, spot: Spot, link: Link) -> tuple[Spot, Link] | None:
        """The other end of a veth's cable; None where it is in no place that was read."""
        key = id(spot), link.index
        if key not in self._cables:
            self._cables[key] = self._find_other_end(spot, link)
        return self._cables[key]

    def _find_other_end(self, spot: Spot, link: Link) -> tuple[Spot, Link] | None:
        if link.kind != "veth":
            return None
        for other in self._neighbourhood(spot):
            found = other.links.get(link.peer_index)
            if found is None or found.kind != "veth" or found.peer_index != link.index:
                continue
            if (other, found) != (spot, link) and self._may_be_joined(spot, link, other, found):
                return other, found
        return self._across(spot, link)

    def _across(self, spot: Spot, link: Link) -> tuple[Spot, Link] | None:
        """In a lab, the other end of a cable that somebody laid from machine to machine.

        Indexes repeat between namespaces, so that both ends have to be on one network too.
        """
        if spot.pod is not None or not self._switch or spot is self._switch:
            return None
        for other in self.spots:
            found = other.links.get(link.peer_index)
            if other.pod is not None or other in (spot, self._switch) or found is None:
                continue
            joined = found.kind == "veth" and found.peer_index == link.index
            if joined and _networks(spot, link) & _networks(other, found):
                return other, found
        return None

    def _neighbourhood(self, spot: Spot) -> Iterator[Spot]:
        """Where the other end can be: pods and their node; in a lab machines and the switch."""
        own = self._of_machine[id(spot.machine)]
        yield from own[1:] if spot.pod is None else [own[0], *own[1:]]
        if spot is self._switch:
            yield from (one for one in self.spots if one.pod is None and one is not spot)
        elif spot.pod is None and self._switch:
            yield self._switch
        yield spot

    def _may_be_joined(self, spot: Spot, link: Link, other: Spot, found: Link) -> bool:
        """Indexes repeat between namespaces: in a lab the switch names its cables."""
        if spot is other:
            return link.netns_id < 0 and found.netns_id < 0
        if link.netns_id < 0 or found.netns_id < 0:
            return False
        for switch, cable, end in ((spot, link, other), (other, found, spot)):
            if switch is self._switch:
                return _is_cable_to(cable.name, end.machine.name)
        return True

    def endpoints_beyond(self, spot: Spot, link: Link) -> list[tuple[Spot, Link]]:
        """Where frames may arrive that leave by a link whose cable nobody read.

        The underlay of real machines: other machines' links of the same kind.
        """
        if link.kind not in ("", "veth") or link.flags & _LOOPBACK or self._switch:
            return []
        return [
            (other, one)
            for other in self.spots
            if other.pod is None and other is not spot
            for one in other.place.links
            if one.kind in ("", "veth") and not one.master and not one.flags & _LOOPBACK
            if self.other_end(other, one) is None
        ]


def _networks(spot: Spot, link: Link) -> set[IPNetwork]:
    """The prefixes that a link's addresses are in, but for those that each link has."""
    own = (one for one in spot.place.addresses if one.index == link.index)
    return {one.interface.network for one in own if not one.interface.is_link_local}


def _is_cable_to(cable: str, machine: str) -> bool:
    """A lab's switch calls a cable by its machine, with a number where there are several."""
    return cable == machine or cable.rpartition("-")[0] == machine
