"""Switches of the kernel (causes of the second hundred).

May import: causes, language, and within lab: programs; within lab.faults: crowd, fault,
scene, sights.
"""

from __future__ import annotations

from functools import partial

from dari.causes import settings
from dari.lab import programs
from dari.lab.faults import crowd
from dari.lab.faults.fault import DIES, Fault, Needs, nothing, run
from dari.lab.faults.scene import BRIDGE, Command, Scene
from dari.lab.faults.sights import ARP, Trial, both_ways, only
from dari.language import N_

_SECOND = "storage"  # name of a second interface, and of its cable's other end
_OWN, _THEIRS, _LENGTH = "10.0.99.1", "10.0.99.2", 30
_FORWARDING = {4: "net.ipv4.ip_forward", 6: "net.ipv6.conf.all.forwarding"}


def set_to(where: str, name: str, value: int) -> Command:
    """Set a switch of the kernel."""
    return run(where, "sysctl", "-qw", f"{name}={value}")


def _second_way(scene: Scene) -> tuple[Command, ...]:
    """A second cable between two nodes, over which the peer sends what it has for our pods."""
    node, peer = scene.cast.node, scene.cast.peer
    far_end = ("peer", "name", _SECOND, "netns", scene.pids[peer])
    return (
        run(node, "ip", "link", "add", _SECOND, "type", "veth", *far_end),
        *(
            command
            for where, address in ((node, _OWN), (peer, _THEIRS))
            for command in (
                run(where, "ip", "address", "add", f"{address}/{_LENGTH}", "dev", _SECOND),
                run(where, "ip", "link", "set", _SECOND, "up"),
            )
        ),
        *(
            run(peer, "ip", "route", "add", each, "via", _OWN)
            for each in scene.halves(node)
            if each.version == 4
        ),
        set_to(peer, "net.ipv4.conf.all.rp_filter", 1),
    )


def _one_way(scene: Scene) -> tuple[Command, ...]:
    return (
        set_to(scene.cast.peer, "net.ipv4.conf.all.rp_filter", 0),
        run(scene.cast.peer, "ip", "link", "del", _SECOND),
    )


def _crowd(verb: str, scene: Scene) -> tuple[Command, ...]:
    return (run(scene.cast.node, *programs.python("dari.lab.faults.crowd", [verb])),)


def _nobody_answers(scene: Scene) -> tuple[Trial, ...]:
    node, (beside, link) = scene.cast.node, scene.beside(scene.cast.node)
    return (
        Trial(
            way=ARP,
            source=beside,
            target=node,
            address=str(scene.address(scene.cast.pod, 4)),
            own=str(scene.underlay(node, 4)[250]),
            link=link,
        ),
    )


FAULTS = (
    Fault(
        name="forwarding-off",
        codes=(settings.FORWARDING_OFF.code,),
        level=1,
        symptom=N_(
            "After {node} was hardened, pods on it reach {node} itself but no other node, and "
            "nobody gets an error."
        ),
        hints=(
            N_("A node is a router for its pods: what does a router need?"),
            N_("Which switch of the kernel decides whether a packet is passed on?"),
        ),
        agent=DIES,
        inject=lambda scene: tuple(
            set_to(scene.cast.node, _FORWARDING[version], 0) for version in scene.versions
        ),
        undo=nothing,
        sights=both_ways,
    ),
    Fault(
        name="forwarding-off-interface",
        codes=(settings.FORWARDING_OFF.code,),
        level=3,
        symptom=N_(
            "Pods on {node} reach {node} itself but no other node. Forwarding is on, says "
            "sysctl net.ipv4.ip_forward, and the agent is content."
        ),
        hints=(
            N_("The switch that everybody knows is not the only one."),
            N_("Some switches exist once for each interface: sysctl -a -r '\\.forwarding$'."),
        ),
        inject=lambda scene: (set_to(scene.cast.node, f"net.ipv4.conf.{BRIDGE}.forwarding", 0),),
        undo=lambda scene: (set_to(scene.cast.node, f"net.ipv4.conf.{BRIDGE}.forwarding", 1),),
        sights=lambda scene: only(4, both_ways(scene)),
    ),
    Fault(
        name="rp-filter-strict",
        codes=(settings.REVERSE_PATH_FILTER.code,),
        level=3,
        symptom=N_(
            "{node} and {peer} got a second cable between them. Since then packets of {pod} "
            "arrive at {peer}, and {far} never sees them. No rule drops them."
        ),
        hints=(
            N_("By which interface do they arrive, and by which would the answer leave?"),
            N_("Which switch of the kernel of {peer} cares about that?"),
        ),
        inject=_second_way,
        undo=_one_way,
        sights=lambda scene: only(4, both_ways(scene)),
    ),
    Fault(
        name="conntrack-full",
        codes=(settings.CONNTRACK_FULL.code,),
        level=2,
        symptom=N_(
            "Since an application on {node} opened very many connections, new ones of its pods "
            "fail now and then or always. Those that are open go on."
        ),
        hints=(
            N_("What does a node remember of each connection, and where is there room for it?"),
            N_("Compare net.netfilter.nf_conntrack_count on {node} with nf_conntrack_max."),
        ),
        inject=partial(_crowd, crowd.FILL),
        undo=partial(_crowd, crowd.FORGET),
        sights=both_ways,
    ),
    Fault(
        name="proxy-arp",
        codes=(settings.PROXY_ARP.code,),
        level=2,
        symptom=N_(
            "Machines beside {node} that have a netmask too wide take {node} for the owner of "
            "pods' addresses: it answers when they ask for {pod}."
        ),
        hints=(
            N_("Nobody on that segment has the address. Who answers, and why?"),
            N_("Which switch of the kernel lets a machine answer for others?"),
        ),
        inject=lambda scene: (set_to(scene.cast.node, "net.ipv4.conf.eth0.proxy_arp", 1),),
        undo=lambda scene: (set_to(scene.cast.node, "net.ipv4.conf.eth0.proxy_arp", 0),),
        sights=_nobody_answers,
    ),
    Fault(
        name="ipv6-off",
        codes=(settings.IPV6_OFF.code,),
        level=2,
        symptom=N_("Over IPv6 pods on {node} reach only each other; over IPv4 all is well."),
        hints=(
            N_("Does their gateway have an IPv6 address?"),
            N_("A family can be switched off for one interface."),
        ),
        needs=Needs(ipv6=True),
        inject=lambda scene: (set_to(scene.cast.node, f"net.ipv6.conf.{BRIDGE}.disable_ipv6", 1),),
        undo=lambda scene: (set_to(scene.cast.node, f"net.ipv6.conf.{BRIDGE}.disable_ipv6", 0),),
        sights=lambda scene: only(6, both_ways(scene)),
    ),
)
"""All of them."""
