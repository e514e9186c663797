"""Leases, ranges and addresses that two have (causes of the sixth hundred).

May import: causes, language, and within lab.faults: fault, scene, sights.
"""

from __future__ import annotations

import json

from dari.causes import addresses, identity
from dari.lab.faults.fault import Fault, Needs, ip, run
from dari.lab.faults.scene import LEASES, STORE, Command, Scene
from dari.lab.faults.sights import FilesGone, PodStarts, both_ways, connects
from dari.language import N_

_GHOST = "node99"
_FEW = 5
_RECORD = f"{STORE}/nodes/{_GHOST}.json"


def _free(scene: Scene) -> tuple[str, ...]:
    """Files of all leases that the node's first range still has room for."""
    node = scene.cast.node
    taken = {scene.address(pod, 4) for pod in scene.machine(node).pods}
    _gateway, *others = scene.ranges(node)[0].hosts()
    return tuple(f"{LEASES}/{each}" for each in others if each not in taken)


def _lease(scene: Scene, files: tuple[str, ...]) -> tuple[Command, ...]:
    """Leases of a pod that ended without a DEL, in host-local's format."""
    return (run(scene.cast.node, "tee", *files, given="gone-long-ago\r\neth0"),)


def _release(scene: Scene, files: tuple[str, ...]) -> tuple[Command, ...]:
    return (run(scene.cast.node, "rm", "-f", *files),)


def _ghost(scene: Scene) -> tuple[Command, ...]:
    """The record of a node that was taken away without being deleted."""
    node, peer = scene.cast.node, scene.cast.peer
    record = {
        "addresses": [str(scene.nobody(node, version)) for version in scene.versions],
        "backend": {"type": "direct"},
        "mac": "02:1a:0a:00:01:63",
        "name": _GHOST,
        "pod_ranges": [str(each) for each in scene.ranges(peer)],
        "updated": 1700000000.0,
    }
    return (
        run(node, "tee", f"{_RECORD}.part", given=json.dumps(record)),
        run(node, "mv", f"{_RECORD}.part", _RECORD),
    )


def _own_address(verb: str, scene: Scene) -> tuple[Command, ...]:
    node, peer = scene.cast.node, scene.cast.peer
    length = scene.underlay(node, 4).prefixlen
    return (ip(node, 4, "address", verb, f"{scene.address(peer, 4)}/{length}", "dev", "eth0"),)


def _own_pods(verb: str, scene: Scene) -> tuple[Command, ...]:
    return (
        ip(
            *(scene.cast.mate, 4, "address", verb),
            *(scene.interface(scene.cast.pod, 4), "dev", "eth0"),
        ),
    )


FAULTS = (
    Fault(
        name="range-full",
        codes=(addresses.RANGE_FULL.code, addresses.LEASE_LEAKED.code),
        level=1,
        symptom=N_("New pods on {node} stay in ContainerCreating; those that run are well."),
        hints=(
            N_("Start one yourself on {node}: ip netns add x; dari add x x."),
            N_("How many addresses does {node} have, and how many pods?"),
        ),
        inject=lambda scene: _lease(scene, _free(scene)),
        undo=lambda scene: _release(scene, _free(scene)),
        sights=lambda scene: (PodStarts(node=scene.cast.node),),
    ),
    Fault(
        name="lease-leaked",
        codes=(addresses.LEASE_LEAKED.code,),
        level=2,
        symptom=N_(
            "{node} has fewer addresses left every day, though it never runs more than a few pods."
        ),
        hints=(
            N_("Count the leases of {node}, and its pods."),
            N_("Who holds the leases that are too many, and does it live?"),
        ),
        inject=lambda scene: _lease(scene, _free(scene)[-_FEW:]),
        undo=lambda scene: _release(scene, _free(scene)[-_FEW:]),
        sights=lambda scene: (FilesGone(where=scene.cast.node, paths=_free(scene)[-_FEW:]),),
    ),
    Fault(
        name="duplicate-range",
        codes=(addresses.DUPLICATE_RANGE.code,),
        level=2,
        symptom=N_("Pods on {peer} are reached only on {peer}, since all routes to them are gone."),
        hints=(
            N_("Agents run. Ask one why it has no such route: dari status."),
            N_("Who else says that these addresses are its own?"),
        ),
        needs=Needs(store="local", backends=("direct", "vxlan", "auto")),
        inject=_ghost,
        undo=lambda scene: (run(scene.cast.node, "rm", "-f", _RECORD),),
        sights=both_ways,
    ),
    Fault(
        name="duplicate-address",
        codes=(identity.DUPLICATE_ADDRESS.code,),
        level=2,
        symptom=N_("From {node}, whatever is sent to {peer} never arrives there."),
        hints=(
            N_("On {node}, ask the kernel where it sends what is for {peer}: ip route get."),
            N_("Whose address is it?"),
        ),
        needs=Needs(one_segment=True, backends=("direct", "vxlan")),
        inject=lambda scene: _own_address("add", scene),
        undo=lambda scene: _own_address("del", scene),
        sights=lambda scene: connects(scene, scene.cast.node, scene.cast.peer)[:1],
    ),
    Fault(
        name="duplicate-pod-address",
        codes=(addresses.DUPLICATE_POD_ADDRESS.code,),
        level=2,
        symptom=N_("Sometimes {mate} answers when {pod} is asked, and {mate} never reaches {pod}."),
        hints=(
            N_("Look at the addresses inside of both pods."),
            N_("Which of them has a lease for the address?"),
        ),
        needs=Needs(pods=2),
        inject=lambda scene: _own_pods("add", scene),
        undo=lambda scene: _own_pods("del", scene),
        sights=lambda scene: connects(scene, scene.cast.mate, scene.cast.pod)[:1],
    ),
)
"""All of them."""
