"""Rules that drop or rewrite packets (causes of the fifth hundred).

May import: causes, language, and within lab.faults: fault, rules, scene, sights.
"""

from __future__ import annotations

from dari.causes import filters
from dari.lab.faults.fault import DIES, Fault, nothing, run
from dari.lab.faults.rules import chain, drop, forget, rule
from dari.lab.faults.scene import Command, Scene
from dari.lab.faults.sights import both_ways, connects, only, pings
from dari.language import N_

_KUBELET = 10250
_SERVICE = 8080
_FAMILY = {4: "ip", 6: "ip6"}
_POLICY = "{ type filter hook forward priority 0 ; policy drop ; }"
_GONE = 250  # host number of a pod that ended long ago


def _wide(scene: Scene) -> tuple[Command, ...]:
    node = scene.cast.node
    return (
        *chain(node, "postrouting", "nat"),
        *(
            rule(node, "postrouting", _FAMILY[each.version], "saddr", str(each), "masquerade")
            for each in scene.ranges(node)
        ),
    )


def _left_behind(scene: Scene) -> tuple[Command, ...]:
    node, far = scene.cast.node, scene.cast.far
    found = [*chain(node, "prerouting", "nat")]
    for each in scene.ranges(scene.cast.peer):
        family, address = _FAMILY[each.version], str(scene.address(far, each.version))
        to = ("dnat", family, "to", str(each[_GONE]))
        found.append(
            rule(node, "prerouting", family, "daddr", address, "tcp", "dport", str(_SERVICE), *to)
        )
    return tuple(found)


FAULTS = (
    Fault(
        name="filter-forward-drop",
        codes=(filters.FORWARD_DROPPED.code,),
        level=1,
        symptom=N_(
            "Since the firewall of {node} was tightened, its pods reach nothing beyond {node}. "
            "{node} itself reaches everything."
        ),
        hints=(
            N_("What is the difference between a packet of {node} and one that it passes on?"),
            N_("Look at every chain of {node} that hooks forward, and at its policy."),
        ),
        inject=lambda scene: chain(scene.cast.node, "forward", "filter", policy="drop"),
        undo=lambda scene: forget(scene.cast.node),
        sights=both_ways,
    ),
    Fault(
        name="filter-forward-policy",
        codes=(filters.FORWARD_DROPPED.code,),
        level=1,
        symptom=N_(
            "Since Docker was installed on {node}, the pods there do not reach those of other "
            "nodes."
        ),
        hints=(
            N_("Docker changes a policy of the firewall: which?"),
            N_(
                "iptables -S FORWARD, or nft list ruleset: what becomes of a packet that no rule "
                "takes?"
            ),
        ),
        inject=lambda scene: (
            run(scene.cast.node, "nft", "add", "table", "ip", "filter"),
            run(scene.cast.node, "nft", "add", "chain", "ip", "filter", "FORWARD", _POLICY),
        ),
        undo=lambda scene: (run(scene.cast.node, "nft", "delete", "table", "ip", "filter"),),
        sights=lambda scene: only(4, both_ways(scene)),
    ),
    Fault(
        name="filter-kubelet-port",
        codes=(filters.PORT_DROPPED.code,),
        level=1,
        symptom=N_("kubectl logs and exec hang for every pod on {node}; its pods work."),
        hints=(
            N_("Which port does the API server use to talk to kubelet?"),
            N_("What becomes of a packet that arrives at {node} for port 10250?"),
        ),
        inject=lambda scene: drop(scene.cast.node, "input", "tcp", "dport", str(_KUBELET), "drop"),
        undo=lambda scene: forget(scene.cast.node),
        sights=lambda scene: connects(scene, scene.cast.peer, scene.cast.node, port=_KUBELET),
    ),
    Fault(
        name="masquerade-missing",
        codes=(filters.MASQUERADE_MISSING.code, filters.TABLE_DAMAGED.code),
        level=1,
        symptom=N_("Pods on {node} reach pods everywhere, but nothing outside of the cluster."),
        hints=(
            N_("Whose address does the outside host see, and does it know a way back?"),
            N_("Compare the rules of {node} with those of {peer}: nft list ruleset."),
        ),
        agent=DIES,
        inject=lambda scene: (run(scene.cast.node, "nft", "delete", "table", "inet", "dari"),),
        undo=nothing,
        sights=lambda scene: connects(scene, scene.cast.pod, "outside", as_=scene.cast.node),
    ),
    Fault(
        name="masquerade-wide",
        codes=(filters.MASQUERADE_TOO_WIDE.code,),
        level=2,
        symptom=N_(
            "In the logs of {far} everything from pods on {node} comes from {node} itself, and "
            "network policies for them do not hold."
        ),
        hints=(
            N_("Where on its way does a packet of {pod} lose its address?"),
            N_("Which rules of {node} rewrite the source, and whom do they spare?"),
        ),
        inject=_wide,
        undo=lambda scene: forget(scene.cast.node),
        sights=lambda scene: connects(scene, scene.cast.pod, scene.cast.far, as_=scene.cast.pod),
    ),
    Fault(
        name="proxy-state",
        codes=(filters.REWRITTEN.code,),
        level=3,
        symptom=N_(
            "{pod} can ping {far} and reaches all its ports but 8080, which is the one that "
            "matters. From other nodes it is reached."
        ),
        hints=(
            N_("Something treats one port unlike the others: it cannot be a route."),
            N_("A proxy that was removed may have left rules behind on {node}."),
        ),
        inject=_left_behind,
        undo=lambda scene: forget(scene.cast.node),
        sights=lambda scene: (
            *connects(scene, scene.cast.pod, scene.cast.far, port=_SERVICE),
            *pings(scene, [(scene.cast.pod, scene.cast.far)]),
        ),
    ),
)
"""All of them."""
