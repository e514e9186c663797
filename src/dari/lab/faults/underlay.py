"""The network between nodes: their interfaces, cables and what the switch does.

May import: causes, language, and within lab.faults: fault, scene, sights.
"""

from __future__ import annotations

from dari.causes import links, paths
from dari.lab.faults.fault import Fault, Needs, ip, run
from dari.lab.faults.scene import Command, Scene
from dari.lab.faults.sights import both_ways, pings
from dari.language import N_

_SWITCH = "switch"
_NARROW, _ETHERNET = 1300, 1500
_LARGE_PING = 1400  # bytes of payload, which every backend carries in one piece


def _up_again(scene: Scene) -> tuple[Command, ...]:
    node = scene.cast.node
    return (
        run(node, "ip", "link", "set", "eth0", "up"),
        *(
            ip(node, gateway.version, "route", "replace", "default", "via", gateway)
            for gateway in scene.machine(node).gateways
        ),
    )


FAULTS = (
    Fault(
        name="mtu-underlay",
        codes=(paths.LARGE_PACKETS_LOST.code, links.MTU_MISMATCH.code),
        level=3,
        symptom=N_(
            "Connections between pods on {node} and pods elsewhere open, and hang as soon as "
            "much is sent. ping works; ping -s 1400 does not."
        ),
        hints=(
            N_("Do large packets pass between the nodes themselves? ping -M do -s SIZE."),
            N_("Something on the way carries less than both ends think, and tells nobody."),
        ),
        inject=lambda scene: (
            run(_SWITCH, "ip", "link", "set", scene.switch_port(scene.cast.node), "mtu", _NARROW),
        ),
        undo=lambda scene: (
            run(_SWITCH, "ip", "link", "set", scene.switch_port(scene.cast.node), "mtu", _ETHERNET),
        ),
        sights=lambda scene: pings(
            scene,
            [(scene.cast.pod, scene.cast.far), (scene.cast.far, scene.cast.pod)],
            size=_LARGE_PING,
        ),
    ),
    Fault(
        name="node-interface-down",
        codes=(links.NODE_INTERFACE_DOWN.code,),
        level=1,
        symptom=N_("{node} is not reached by anybody; on its console its pods reach each other."),
        hints=(
            N_("Look on {node} itself, as at its console: dari lab exec {node}."),
            N_("Which of its links leads to the other nodes, and in which state is it?"),
        ),
        needs=Needs(one_segment=True, backends=("direct", "vxlan")),
        inject=lambda scene: (
            run(scene.cast.node, "sysctl", "-qw", "net.ipv6.conf.eth0.keep_addr_on_down=1"),
            run(scene.cast.node, "ip", "link", "set", "eth0", "down"),
        ),
        undo=_up_again,
        sights=both_ways,
    ),
)
"""All of them."""
