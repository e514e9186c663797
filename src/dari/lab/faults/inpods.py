"""What is wrong inside of a pod.

May import: causes, language, and within lab.faults: fault, scene, sights.
"""

from __future__ import annotations

from dari.causes import links
from dari.lab.faults.fault import Fault, ip, run
from dari.lab.faults.scene import Command, Scene
from dari.lab.faults.sights import both_ways, pings
from dari.language import N_

_TOO_LARGE, _RIGHT = 9000, {"vxlan": 1450, "auto": 1450}
_ETHERNET = 1500
_LARGE_PING = 1600  # bytes of payload: more than any path of the lab carries in one piece


def _ways_out(scene: Scene) -> tuple[Command, ...]:
    return tuple(
        ip(scene.cast.pod, each.version, "route", "replace", "default", "via", each.ip)
        for each in scene.gateways(scene.cast.node)
    )


def _addresses(scene: Scene) -> tuple[Command, ...]:
    pod = scene.cast.pod
    return tuple(
        ip(pod, version, "address", "replace", scene.interface(pod, version), "dev", "eth0", *more)
        for version in scene.versions
        for more in [("nodad",) if version == 6 else ()]
    )


FAULTS = (
    Fault(
        name="pod-interface-down",
        codes=(links.POD_INTERFACE.code,),
        level=1,
        symptom=N_("{pod} says “Network is unreachable” whatever it tries to reach."),
        hints=(
            N_("Look from inside of {pod}."),
            N_("An interface can have its address and still not be in use."),
        ),
        inject=lambda scene: (run(scene.cast.pod, "ip", "link", "set", "eth0", "down"),),
        undo=lambda scene: (
            run(scene.cast.pod, "ip", "link", "set", "eth0", "up"),
            *_addresses(scene),
            *_ways_out(scene),
        ),
        sights=both_ways,
    ),
    Fault(
        name="pod-route-missing",
        codes=(links.POD_ROUTE.code,),
        level=1,
        symptom=N_("{pod} reaches the pods beside it; for everything else it says “unreachable”."),
        hints=(
            N_("Look from inside of {pod}."),
            N_("Which route does a pod need beside that to its own network?"),
        ),
        inject=lambda scene: tuple(
            ip(scene.cast.pod, version, "route", "del", "default") for version in scene.versions
        ),
        undo=_ways_out,
        sights=both_ways,
    ),
    Fault(
        name="pod-address-missing",
        codes=(links.POD_ADDRESS.code,),
        level=1,
        symptom=N_("{pod} runs, is listed with its address, and nobody reaches it."),
        hints=(
            N_("Who answers for that address? Look from inside of {pod}."),
            N_("Compare the leases of {node} with what is on the interface."),
        ),
        inject=lambda scene: tuple(
            ip(
                *(scene.cast.pod, version, "address", "del"),
                *(scene.interface(scene.cast.pod, version), "dev", "eth0"),
            )
            for version in scene.versions
        ),
        undo=lambda scene: (*_addresses(scene), *_ways_out(scene)),
        sights=both_ways,
    ),
    Fault(
        name="mtu-pod",
        codes=(links.MTU_MISMATCH.code,),
        level=2,
        symptom=N_("Large packets of {pod} get no answer from anybody; small ones do."),
        hints=(
            N_("From which size on? ping -s SIZE finds it."),
            N_("Compare the MTU at both ends of the cable of {pod}."),
        ),
        inject=lambda scene: (run(scene.cast.pod, "ip", "link", "set", "eth0", "mtu", _TOO_LARGE),),
        undo=lambda scene: (
            run(
                *(scene.cast.pod, "ip", "link", "set", "eth0", "mtu"),
                _RIGHT.get(scene.topology.backend, _ETHERNET),
            ),
        ),
        sights=lambda scene: pings(scene, [(scene.cast.pod, scene.cast.far)], size=_LARGE_PING),
    ),
)
"""All of them."""
