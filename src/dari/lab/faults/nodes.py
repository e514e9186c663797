"""Who a node is, and the agent on it (causes of the first and eighth hundreds).

May import: causes, language, and within lab: cluster, etcd; within lab.faults: fault, rules,
scene, sights.
"""

from __future__ import annotations

from dari.causes import identity, service
from dari.lab import etcd
from dari.lab.cluster import AGENT_SETTINGS
from dari.lab.faults.fault import DIES, RESTARTS, Fault, Needs, ip, nothing, run
from dari.lab.faults.rules import drop, forget
from dari.lab.faults.scene import BRIDGE, STORE, Command, Scene
from dari.lab.faults.sights import AgentAnswers, both_ways, pings
from dari.language import N_


def _named(node: str, old: str, new: str) -> tuple[Command, ...]:
    setting = f's/^node-name = "{old}"$/node-name = "{new}"/'
    return (
        run(node, "hostname", new),
        run(node, "sed", "-i", setting, AGENT_SETTINGS),
    )


def _own_again(scene: Scene) -> tuple[Command, ...]:
    """The name, and off the bridge what the agent took for the node's under the other one."""
    node, peer = scene.cast.node, scene.cast.peer
    return (
        *_named(node, peer, node),
        *(
            ip(node, each.version, "address", "del", each, "dev", BRIDGE)
            for each in scene.gateways(peer)
        ),
    )


def _store_lost(scene: Scene) -> tuple[Command, ...]:
    """A folder is hidden by something mounted over it; a server is behind a filter."""
    node = scene.cast.node
    if scene.topology.store == "etcd":
        return drop(node, "output", "tcp", "dport", str(etcd.PORT), "drop")
    return (run(node, "mount", "-t", "tmpfs", "-o", "ro,size=64k", "none", STORE),)


def _store_back(scene: Scene) -> tuple[Command, ...]:
    node = scene.cast.node
    return forget(node) if scene.topology.store == "etcd" else (run(node, "umount", STORE),)


FAULTS = (
    Fault(
        name="duplicate-mac",
        codes=(identity.DUPLICATE_MAC.code,),
        level=2,
        symptom=N_(
            "{node} was cloned from {peer}. Since then the two do not reach each other, and "
            "others reach now the one, now the other."
        ),
        hints=(
            N_("By what does a switch tell its machines apart?"),
            N_("ip -brief link on both."),
        ),
        needs=Needs(one_segment=True),
        inject=lambda scene: (
            run(
                *(scene.cast.node, "ip", "link", "set", "eth0"),
                *("address", scene.mac(scene.cast.peer)),
            ),
        ),
        undo=lambda scene: (
            run(
                *(scene.cast.node, "ip", "link", "set", "eth0"),
                *("address", scene.mac(scene.cast.node)),
            ),
            *(
                run(one.name, "ip", "neigh", "flush", "dev", "eth0")
                for one in scene.topology.machines
            ),
        ),
        sights=lambda scene: pings(
            scene, [(scene.cast.node, scene.cast.peer), (scene.cast.pod, scene.cast.far)]
        ),
    ),
    Fault(
        name="duplicate-hostname",
        codes=(identity.DUPLICATE_NAME.code,),
        level=2,
        symptom=N_(
            "{node} was installed anew from the image of {peer}. It does not get ready, and no "
            "new pod starts there."
        ),
        hints=(
            N_("Ask its agent what it waits for: dari status."),
            N_("hostname on both."),
        ),
        agent=RESTARTS,
        inject=lambda scene: _named(scene.cast.node, scene.cast.node, scene.cast.peer),
        undo=_own_again,
        sights=lambda scene: (AgentAnswers(node=scene.cast.node), *both_ways(scene)),
    ),
    Fault(
        name="agent-dead",
        codes=(service.AGENT_DEAD.code,),
        level=1,
        symptom=N_("On {node} nothing that is broken gets mended any more; so far all works."),
        hints=(
            N_("Who mends things on a node?"),
            N_("dari status on {node}."),
        ),
        agent=DIES,
        inject=nothing,
        undo=nothing,
        sights=lambda scene: (AgentAnswers(node=scene.cast.node),),
    ),
    Fault(
        name="store-unreachable",
        codes=(service.STORE_UNREACHABLE.code,),
        level=2,
        symptom=N_("{node} learns of no new node; to the others it seems to be well."),
        hints=(
            N_("Ask its agent: dari status. Where are the nodes' records?"),
            N_("Compare what {node} and {peer} see there: a folder's content, or an answer."),
        ),
        inject=_store_lost,
        undo=_store_back,
        sights=lambda scene: (AgentAnswers(node=scene.cast.node),),
    ),
)
"""All of them."""
