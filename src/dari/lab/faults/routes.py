"""The way from node to node: routes and rules (causes of the fourth hundred).

May import: causes, language, model, record, and within lab.faults: fault, scene, sights.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING

from dari.causes import paths
from dari.lab.faults.fault import DIES, Commands, Fault, Needs, ip, nothing
from dari.lab.faults.scene import Command, Scene, everything
from dari.lab.faults.sights import both_ways, pings
from dari.language import N_
from dari.record import Record

if TYPE_CHECKING:
    from dari.model import IPAddress, IPNetwork

_ROUTED = ("direct", "vxlan", "auto")
_TABLE, _PREFERENCE = 4000, 1000


class _Routes(Record):
    """Routes of one machine, of all families.

    Attributes:
        part: whose, of the cast: ``node`` or ``peer``.
        to: what they lead to.
        kind: ``blackhole``, or nothing.
        astray: they lead by way of an address that nobody has.
        more: other words of `ip route`.
    """

    part: str
    to: Callable[[Scene], Iterable[IPNetwork | IPAddress]]
    kind: tuple[str, ...] = ()
    astray: bool = False
    more: tuple[str, ...] = ()

    def commands(self, verb: str) -> Commands:
        """`ip route` with a verb, for each of them."""
        return lambda scene: tuple(self._command(scene, verb, each) for each in self.to(scene))

    def _command(self, scene: Scene, verb: str, to: IPNetwork | IPAddress) -> Command:
        where = getattr(scene.cast, self.part)
        way = ("via", scene.nobody(where, to.version)) if self.astray else ()
        return ip(where, to.version, "route", verb, *self.kind, to, *way, *self.more)


_WHOLE = _Routes(part="node", to=lambda scene: scene.ranges(scene.cast.peer))
_WRONG = _WHOLE.replace(astray=True, more=("dev", "eth0", "proto", "79"))
_HALVES = _Routes(part="node", to=lambda scene: scene.halves(scene.cast.peer))
_SHADOW = _HALVES.replace(astray=True)
_REFUSED = _HALVES.replace(kind=("blackhole",))
_BACK = _Routes(
    part="peer",
    to=lambda scene: [scene.address(scene.cast.pod, version) for version in scene.versions],
    astray=True,
)


def _ruled(verb: str) -> Commands:
    def commands(scene: Scene) -> tuple[Command, ...]:
        node, found = scene.cast.node, list[Command]()
        for each in scene.ranges(node):
            rule = ("from", each, "lookup", _TABLE, "pref", _PREFERENCE)
            route = ("unreachable", everything(each.version), "table", _TABLE)
            found.append(ip(node, each.version, "route", verb, *route))
            found.append(ip(node, each.version, "rule", verb, *rule))
        return tuple(found)

    return commands


FAULTS = (
    Fault(
        name="route-missing",
        codes=(paths.ROUTE_MISSING.code,),
        level=1,
        symptom=N_("Pods on {node} reach each other, but none of {peer}."),
        hints=(
            N_("Compare the routes of {node} with those of another node."),
            N_("Who puts routes to the peers' pods there, and does it still run?"),
        ),
        needs=Needs(backends=_ROUTED, own_routes=True),
        agent=DIES,
        inject=_WHOLE.commands("del"),
        undo=nothing,
        sights=both_ways,
    ),
    Fault(
        name="route-wrong",
        codes=(paths.ROUTE_WRONG.code,),
        level=2,
        symptom=N_(
            "Since somebody worked on {node}, its pods do not reach those of {peer}. There is "
            "a route to them."
        ),
        hints=(
            N_("Read the route to the pods of {peer} on {node} to its end."),
            N_("Does anybody have the address of the next hop?"),
        ),
        needs=Needs(backends=_ROUTED),
        agent=DIES,
        inject=_WRONG.commands("replace"),
        undo=nothing,
        sights=both_ways,
    ),
    Fault(
        name="route-shadowed",
        codes=(paths.ROUTE_SHADOWED.code,),
        level=2,
        symptom=N_(
            "{pod} does not reach {far}. The route to the pods of {peer} is right, and the "
            "agent of {node} is content."
        ),
        hints=(
            N_("Ask the kernel of {node} which route it takes: ip route get ADDRESS."),
            N_("Of two routes that fit, the one with the longer prefix wins."),
        ),
        inject=_SHADOW.commands("add"),
        undo=_SHADOW.commands("del"),
        sights=both_ways,
    ),
    Fault(
        name="route-blackhole",
        codes=(paths.ROUTE_REFUSES.code,),
        level=1,
        symptom=N_("What {pod} sends to {far} gets no answer and no error: it vanishes on {node}."),
        hints=(
            N_("Does {node} pass the packet on? Its routes say so."),
            N_("Not every route leads somewhere: look at the first word of each."),
        ),
        inject=_REFUSED.commands("add"),
        undo=_REFUSED.commands("del"),
        sights=both_ways,
    ),
    Fault(
        name="policy-rule",
        codes=(paths.ROUTE_SHADOWED.code, paths.ROUTE_REFUSES.code),
        level=3,
        symptom=N_(
            "Pods on {node} reach only each other. From {node} itself everything is reached, "
            "and its main table of routes is as it should be."
        ),
        hints=(
            N_("The main table is not the only one: which others are there?"),
            N_("What decides which table is read for a packet from a pod?"),
        ),
        inject=_ruled("add"),
        undo=_ruled("del"),
        sights=lambda scene: pings(scene, [(scene.cast.pod, scene.cast.far)]),
    ),
    Fault(
        name="asymmetric-return",
        codes=(paths.ASYMMETRIC.code, paths.ROUTE_SHADOWED.code),
        level=3,
        symptom=N_(
            "{pod} gets no answer from any pod on {peer}; other pods do. Watched on {peer}, "
            "its requests arrive."
        ),
        hints=(
            N_("A request that arrives needs a way back: look from the other side."),
            N_("Which route does {peer} take for the address of {pod} alone?"),
        ),
        inject=_BACK.commands("add"),
        undo=_BACK.commands("del"),
        sights=both_ways,
    ),
)
"""All of them."""
