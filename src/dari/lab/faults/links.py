"""Bridges and cables (causes of the third hundred).

May import: causes, language, and within lab.faults: fault, scene, sights.
"""

from __future__ import annotations

from dari.causes import links, paths
from dari.lab.faults.fault import DIES, Fault, Needs, ip, nothing, run
from dari.lab.faults.scene import BRIDGE, Command, Scene
from dari.lab.faults.sights import both_ways, pings
from dari.language import N_

_OTHER_BRIDGE = "docker0"


def _set(where: str, link: str, *words: str) -> Command:
    return run(where, "ip", "link", "set", link, *words)


def _overlapping(scene: Scene) -> tuple[Command, ...]:
    node = scene.cast.node
    return (
        run(node, "ip", "link", "add", _OTHER_BRIDGE, "type", "bridge"),
        _set(node, _OTHER_BRIDGE, "up"),
        *(
            ip(
                node,
                each.version,
                "address",
                "add",
                f"{each[1]}/{each.prefixlen}",
                "dev",
                "docker0",
            )
            for each in scene.halves(scene.cast.peer)
        ),
    )


def _misplaced(scene: Scene) -> tuple[Command, ...]:
    cable, mac = scene.cable(scene.cast.mate), scene.mac(scene.cast.pod)
    words = ("bridge", "fdb", "replace", mac, "dev", cable, "master", "static", "sticky")
    return (run(scene.cast.node, *words),)


def _relearnt(scene: Scene) -> tuple[Command, ...]:
    cable, mac = scene.cable(scene.cast.mate), scene.mac(scene.cast.pod)
    return (run(scene.cast.node, "bridge", "fdb", "del", mac, "dev", cable, "master"),)


FAULTS = (
    Fault(
        name="bridge-without-address",
        codes=(links.BRIDGE_ADDRESS_MISSING.code,),
        level=1,
        symptom=N_("Pods on {node} reach each other, but nothing else, not even {node}."),
        hints=(
            N_("Which gateway do the pods on {node} use, and does it answer?"),
            N_("Who should have that address?"),
        ),
        agent=DIES,
        inject=lambda scene: tuple(
            ip(scene.cast.node, each.version, "address", "del", each, "dev", BRIDGE)
            for each in scene.gateways(scene.cast.node)
        ),
        undo=nothing,
        sights=both_ways,
    ),
    Fault(
        name="bridge-down",
        codes=(links.BRIDGE_DOWN.code,),
        level=1,
        symptom=N_("Pods on {node} reach nothing, not even each other."),
        hints=(
            N_("What do all pods of one node have in common?"),
            N_("A device may be there and still not work: look at its state."),
        ),
        agent=DIES,
        inject=lambda scene: (_set(scene.cast.node, BRIDGE, "down"),),
        undo=nothing,
        sights=both_ways,
    ),
    Fault(
        name="bridge-missing",
        codes=(links.BRIDGE_MISSING.code,),
        level=1,
        symptom=N_("After a clean-up on {node} no pod there reaches anything."),
        hints=(
            N_("Compare the links of {node} with those of {peer}."),
            N_("What are the pods' cables plugged into?"),
        ),
        agent=DIES,
        inject=lambda scene: (run(scene.cast.node, "ip", "link", "del", BRIDGE),),
        undo=nothing,
        sights=both_ways,
    ),
    Fault(
        name="bridge-overlap",
        codes=(links.OVERLAPPING_BRIDGES.code, paths.ROUTE_SHADOWED.code),
        level=2,
        symptom=N_(
            "Since another container engine runs on {node}, its pods do not reach {peer}'s."
        ),
        hints=(
            N_("What did the other engine bring along?"),
            N_("Which addresses are used twice?"),
        ),
        inject=_overlapping,
        undo=lambda scene: (run(scene.cast.node, "ip", "link", "del", _OTHER_BRIDGE),),
        sights=both_ways,
    ),
    Fault(
        name="veth-down",
        codes=(links.CABLE_DOWN.code,),
        level=1,
        symptom=N_("{pod} reaches nothing. The other pods of {node} are well."),
        hints=(
            N_("A cable has two ends; {pod} sees only one."),
            N_("Look at the links of {node} that belong to pods, and at their states."),
        ),
        inject=lambda scene: (_set(scene.cast.node, scene.cable(scene.cast.pod), "down"),),
        undo=lambda scene: (_set(scene.cast.node, scene.cable(scene.cast.pod), "up"),),
        sights=both_ways,
    ),
    Fault(
        name="veth-off-bridge",
        codes=(links.CABLE_UNPLUGGED.code,),
        level=2,
        symptom=N_(
            "{pod} reaches nothing, though it has its address and routes, and its interface is up."
        ),
        hints=(
            N_("Both ends of its cable are up: what else does a cable need?"),
            N_("List the ports of the bridge on {node}: bridge link."),
        ),
        agent=DIES,
        inject=lambda scene: (_set(scene.cast.node, scene.cable(scene.cast.pod), "nomaster"),),
        undo=nothing,
        sights=both_ways,
    ),
    Fault(
        name="fdb-stale",
        codes=(paths.FORWARDING_ENTRY_WRONG.code,),
        level=3,
        symptom=N_(
            "{pod} sends and never gets an answer. {mate}, which is beside it, gets frames that "
            "are not for it."
        ),
        hints=(
            N_("By what does a bridge choose the port for a frame?"),
            N_("Behind which port does the bridge of {node} think that the MAC of {pod} is?"),
        ),
        needs=Needs(pods=2),
        inject=_misplaced,
        undo=_relearnt,
        sights=both_ways,
    ),
    Fault(
        name="duplicate-pod-mac",
        codes=(links.DUPLICATE_POD_MAC.code,),
        level=2,
        symptom=N_(
            "{pod} and {mate} never reach each other, and their connections to others break."
        ),
        hints=(
            N_("The two are on one bridge: what tells them apart there?"),
            N_("Compare the links inside of {pod} and {mate}."),
        ),
        needs=Needs(pods=2),
        inject=lambda scene: (_set(scene.cast.mate, "eth0", "address", scene.mac(scene.cast.pod)),),
        undo=lambda scene: (
            _set(scene.cast.mate, "eth0", "address", scene.mac(scene.cast.mate)),
            run(scene.cast.node, "ip", "neigh", "flush", "dev", BRIDGE),
            run(scene.cast.pod, "ip", "neigh", "flush", "dev", "eth0"),
        ),
        sights=lambda scene: pings(
            scene, [(scene.cast.pod, scene.cast.mate), (scene.cast.mate, scene.cast.pod)]
        ),
    ),
)
"""All of them."""
