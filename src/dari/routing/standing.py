"""A decision that is kept up while single nodes change: pure.

Most changes in a large cluster concern one node alone: it has moved, or is new.
Then nothing has to be decided about the thousands of others, and what is
decided about this one is what `desired` would decide. What cannot be judged
alone (ranges or MACs that meet another node's, a device that is needed or no
longer, whatever was refused before) is not judged here: all is decided anew.

May import: model, netlink.route, record, and within routing: all that is pure.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING

from dari.netlink.route import KernelRoute
from dari.record import Record
from dari.routing import vxlan
from dari.routing.desired import BACKENDS, Considered
from dari.routing.peer import AUTO, BGP, VXLAN, Claim, Peer
from dari.routing.prefixes import Key, Prefixes, key_of, key_of_host
from dari.routing.way import Learnt, Remote, Way

if TYPE_CHECKING:
    from dari.model import IPAddress, IPNetwork, NodeName

Plain = KernelRoute | Remote


class Shift(Record):
    """What the change of some nodes comes to; everything else stays."""

    withdrawn: tuple[Plain, ...] = ()
    granted: tuple[Plain, ...] = ()


class Standing:
    """The last decision, by node.

    Args:
        considered: what was decided about all nodes.
    """

    def __init__(self, considered: Considered) -> None:
        self._site = site = considered.site
        self._find = BACKENDS[site.overlay.type]
        self._ways: dict[NodeName, tuple[Way, ...]] = {}
        for claim, way in considered.ways:
            name = claim.peer.name
            self._ways[name] = (*self._ways.get(name, ()), way)
        self._peers = {peer.name: peer for peer in considered.others}
        self._entangled = {claim.peer.name for claim in considered.refused}
        self._barred = [claim.network for claim in considered.refused]
        every = [site.own, *considered.others]
        self._ranges = Prefixes(key_of(each) for peer in every for each in peer.ranges)
        self._addresses = Prefixes(host for peer in every for host in _hosts(peer))
        self._holders = {mac: peer.name for peer in every for mac in _macs(peer)}
        self._underlays = Counter(map(self._underlay, considered.others))
        self._vteps = _vteps(way for _, way in considered.ways)

        self.reached = sum(not isinstance(way, str) for _, way in considered.ways)
        """How many of the others' ranges there is a way to."""

    def peer(self, name: NodeName) -> Peer | None:
        """What a node was when it was last judged."""
        return self._peers.get(name)

    def vtep(self, tunnel: str, mac: str) -> IPAddress | None:
        """Where the end of a tunnel with this MAC is; None: there should be none."""
        return self._vteps.get((tunnel, mac))

    def change(self, peers: Mapping[NodeName, Peer | None]) -> Shift | None:
        """Take over what some nodes are now.

        Args:
            peers: nodes other than the own one; None: it is gone.

        Returns:
            None where it cannot be judged alone; this object is of no use any more then.
        """
        old = [self._peers[name] for name in peers if name in self._peers]
        new = [peer for peer in peers.values() if peer is not None]
        if not all(map(self._is_alone, old)) or any(peer.trouble for peer in new):
            return None
        needed = self._needed()
        withdrawn = [way for peer in old for way in self._forget(peer)]
        if not self._learn(new) or self._needed() != needed:
            return None
        granted = [way for peer in new for way in self._ways_to(peer)]
        plain = _plain(withdrawn), _plain(granted)
        return None if None in plain else self._shifted(*plain)  # type: ignore[arg-type]

    def _shifted(self, withdrawn: tuple[Plain, ...], granted: tuple[Plain, ...]) -> Shift:
        self.reached += len(granted) - len(withdrawn)
        for end in _vteps(withdrawn):
            del self._vteps[end]
        self._vteps.update(_vteps(granted))
        return Shift(withdrawn=withdrawn, granted=granted)

    def _is_alone(self, peer: Peer) -> bool:
        """Was nothing of this node refused, nor anything of others because of it?"""
        if peer.name in self._entangled or peer.trouble or self._speaks_bgp(peer):
            return False
        return not any(_holds(barred, each) for barred in self._barred for each in peer.addresses)

    def _speaks_bgp(self, peer: Peer) -> bool:
        """A routing daemon's configuration lists all nodes that have one too."""
        return self._site.overlay.type == BGP and peer.speech.type == BGP

    def _underlay(self, peer: Peer) -> int:
        """Which of the devices goes towards this node; 0: none does."""
        speaks = peer.speech.type in (VXLAN, AUTO) and self._site.overlay.type in (VXLAN, AUTO)
        return vxlan.underlay(self._site.own, peer) if speaks else 0

    def _needed(self) -> frozenset[int]:
        """Which devices there have to be: IP versions of the underlay."""
        return frozenset(self._underlays) - {0}

    def _forget(self, peer: Peer) -> tuple[Way, ...]:
        del self._peers[peer.name]
        for network in peer.ranges:
            self._ranges.remove(key_of(network))
        for host in _hosts(peer):
            self._addresses.remove(host)
        for mac in _macs(peer):
            self._holders.pop(mac, None)
        version = self._underlay(peer)
        self._underlays[version] -= 1
        if not self._underlays[version]:
            del self._underlays[version]
        return self._ways.pop(peer.name, ())

    def _learn(self, peers: Sequence[Peer]) -> bool:
        """Take nodes in; False where one meets another."""
        for peer in peers:
            for host in _hosts(peer):
                self._addresses.add(host)
        return all(map(self._takes_in, peers)) and not any(
            self._ranges.touch(host) for peer in peers for host in _hosts(peer)
        )

    def _takes_in(self, peer: Peer) -> bool:
        if self._speaks_bgp(peer) or any(mac in self._holders for mac in _macs(peer)):
            return False
        for key in map(key_of, peer.ranges):
            if self._ranges.touch(key) or self._addresses.touch(key):
                return False
            self._ranges.add(key)
        self._peers[peer.name] = peer
        self._holders.update(dict.fromkeys(_macs(peer), peer.name))
        self._underlays[self._underlay(peer)] += 1
        return True

    def _ways_to(self, peer: Peer) -> tuple[Way, ...]:
        ranges = () if peer.joining else peer.ranges
        ways = tuple(self._find(Claim(network=each, peer=peer), self._site) for each in ranges)
        self._ways[peer.name] = ways
        return ways


def _plain(ways: Iterable[Way]) -> tuple[Plain, ...] | None:
    """None where one is not the kernel's alone: refused, or left to a daemon."""
    found = tuple(ways)
    if any(isinstance(way, str | Learnt) for way in found):
        return None
    return tuple(way for way in found if not isinstance(way, str | Learnt))


def _vteps(ways: Iterable[Way]) -> dict[tuple[str, str], IPAddress]:
    return {(way.tunnel, way.mac): way.address for way in ways if isinstance(way, Remote)}


def _hosts(peer: Peer) -> list[Key]:
    return [key_of_host(each) for each in peer.addresses]


def _macs(peer: Peer) -> set[str]:
    """MACs of its tunnels; of a node without ranges they meet nobody's."""
    return {peer.speech.mac, peer.speech.mac6} - {""} if peer.ranges else set()


def _holds(network: IPNetwork, address: IPAddress) -> bool:
    return network.version == address.version and address in network
