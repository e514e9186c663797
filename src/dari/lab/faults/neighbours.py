"""Whose MAC is whose: neighbour entries (causes of the fourth hundred).

May import: causes, language, model, record, and within lab.faults: fault, scene, sights.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING

from dari.causes import paths
from dari.lab.faults.fault import Fault, ip
from dari.lab.faults.scene import BRIDGE, Command, Scene
from dari.lab.faults.sights import both_ways, pings
from dari.language import N_
from dari.record import Record

if TYPE_CHECKING:
    from dari.model import IPAddress

_NOBODYS_MAC = "02:00:00:00:de:ad"


class _Entries(Record):
    """Neighbours of one machine or pod, in all families.

    Attributes:
        part: whose table, of the cast: ``node`` or ``pod``.
        link: behind which link they are.
        addresses: theirs.
    """

    part: str
    link: str
    addresses: Callable[[Scene], Iterable[IPAddress]]

    def stale(self, scene: Scene) -> tuple[Command, ...]:
        """Commands that give them a MAC that nobody has, for good."""
        lasting = ("lladdr", _NOBODYS_MAC, "dev", self.link, "nud", "permanent")
        return self._each(scene, "replace", lasting)

    def fresh(self, scene: Scene) -> tuple[Command, ...]:
        """Commands that forget them, so that they are asked about anew."""
        return self._each(scene, "del", ("dev", self.link))

    def _each(self, scene: Scene, verb: str, words: tuple[str, ...]) -> tuple[Command, ...]:
        where = getattr(scene.cast, self.part)
        return tuple(
            ip(where, each.version, "neigh", verb, each, *words) for each in self.addresses(scene)
        )


_PEER = _Entries(
    part="node",
    link="eth0",
    addresses=lambda scene: [
        scene.next_hop(scene.cast.node, scene.cast.peer, version) for version in scene.versions
    ],
)
_POD = _Entries(
    part="node",
    link=BRIDGE,
    addresses=lambda scene: [scene.address(scene.cast.pod, version) for version in scene.versions],
)
_GATEWAY = _Entries(
    part="pod",
    link="eth0",
    addresses=lambda scene: [each.ip for each in scene.gateways(scene.cast.node)],
)

FAULTS = (
    Fault(
        name="arp-stale",
        codes=(paths.NEIGHBOUR_STALE.code,),
        level=2,
        symptom=N_(
            "After a network card was replaced, {node} no longer reaches {peer}, nor do its "
            "pods reach those of {peer}. The routes are right."
        ),
        hints=(
            N_("The route names a next hop: what MAC does {node} send its frames to?"),
            N_("Some neighbour entries are never asked about again."),
        ),
        inject=_PEER.stale,
        undo=_PEER.fresh,
        sights=lambda scene: pings(scene, [(scene.cast.node, scene.cast.peer)]) + both_ways(scene),
    ),
    Fault(
        name="arp-stale-pod",
        codes=(paths.NEIGHBOUR_STALE.code,),
        level=3,
        symptom=N_(
            "{pod} is reached from pods beside it on {node}, but neither from {node} nor from "
            "anywhere else."
        ),
        hints=(
            N_("What differs between a pod beside it and {node}: who asked for its MAC, and when?"),
            N_("Look at the neighbours of the bridge on {node}."),
        ),
        inject=_POD.stale,
        undo=_POD.fresh,
        sights=lambda scene: pings(
            scene, [(scene.cast.node, scene.cast.pod), (scene.cast.far, scene.cast.pod)]
        ),
    ),
    Fault(
        name="arp-stale-gateway",
        codes=(paths.NEIGHBOUR_STALE.code,),
        level=2,
        symptom=N_("{pod} reaches the pods beside it, and nothing else. Other pods of {node} do."),
        hints=(
            N_("Look from inside {pod}: which route, and by which neighbour?"),
            N_("Compare the MAC of its gateway with that of the bridge."),
        ),
        inject=_GATEWAY.stale,
        undo=_GATEWAY.fresh,
        sights=lambda scene: pings(scene, [(scene.cast.pod, scene.cast.far)]),
    ),
)
"""All of them."""
