"""The tunnel between nodes, where the backend is vxlan.

May import: causes, language, and within lab.faults: fault, rules, scene, sights.
"""

from __future__ import annotations

from dari.causes import filters, paths
from dari.lab.faults.fault import DIES, Fault, Needs, nothing, run
from dari.lab.faults.rules import drop, forget
from dari.lab.faults.scene import TUNNEL, Command, Scene
from dari.lab.faults.sights import both_ways, pings
from dari.language import N_

_MAC = "02:00:00:00:79:79"
_PORT = 4789
_NEEDS = Needs(backends=("vxlan",))


def _misled(scene: Scene) -> tuple[Command, ...]:
    """The peer's MAC is said to be behind an address that nobody has."""
    node, mac = scene.cast.node, scene.tunnels[scene.cast.peer]
    nowhere = scene.nobody(node, 4)
    return (run(node, "bridge", "fdb", "replace", mac, "dev", TUNNEL, "dst", nowhere),)


FAULTS = (
    Fault(
        name="tunnel-missing",
        codes=(paths.TUNNEL_MISSING.code,),
        level=1,
        symptom=N_("Pods on {node} reach no pod of any other node, and are reached by none."),
        hints=(
            N_("How do pods' packets go from node to node in this lab?"),
            N_("Compare the links of {node} with those of {peer}."),
        ),
        needs=_NEEDS,
        agent=DIES,
        inject=lambda scene: (run(scene.cast.node, "ip", "link", "del", TUNNEL),),
        undo=nothing,
        sights=both_ways,
    ),
    Fault(
        name="tunnel-fdb-stale",
        codes=(paths.FORWARDING_ENTRY_WRONG.code,),
        level=3,
        symptom=N_(
            "{node} sends nothing to {peer} while {pod} pings {far}, though tunnel, route and "
            "neighbour are there. The other nodes are reached."
        ),
        hints=(
            N_("A tunnel needs to know behind which node a MAC is."),
            N_("Compare dst in the tunnel's forwarding entries with the address of {peer}."),
        ),
        needs=_NEEDS,
        agent=DIES,
        inject=_misled,
        undo=nothing,
        sights=both_ways,
    ),
    Fault(
        name="tunnel-settings",
        codes=(paths.TUNNEL_SETTINGS.code,),
        level=3,
        symptom=N_(
            "Packets for the pods of {node} arrive at {node} through the tunnel, and come out "
            "of it nowhere. What the pods send is seen on the other nodes."
        ),
        hints=(
            N_("The others address what they send to the MAC that the record of {node} has."),
            N_("What MAC does the tunnel device of {node} have?"),
        ),
        needs=_NEEDS,
        agent=DIES,
        inject=lambda scene: (run(scene.cast.node, "ip", "link", "set", TUNNEL, "address", _MAC),),
        undo=nothing,
        sights=both_ways,
    ),
    Fault(
        name="vxlan-port-blocked",
        codes=(filters.TUNNEL_PORT_DROPPED.code,),
        level=2,
        symptom=N_(
            "Since the firewall of {node} was tightened, nodes still reach {node}, but no pod "
            "of theirs reaches a pod of {node}."
        ),
        hints=(
            N_("What carries pods' packets between nodes: which protocol, which port?"),
            N_("Which rule of {node} might drop it on arrival?"),
        ),
        needs=_NEEDS,
        inject=lambda scene: drop(scene.cast.node, "input", "udp", "dport", str(_PORT), "drop"),
        undo=lambda scene: forget(scene.cast.node),
        sights=lambda scene: pings(scene, [(scene.cast.far, scene.cast.pod)]),
    ),
)
"""All of them."""
