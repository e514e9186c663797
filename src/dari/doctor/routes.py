"""The way to the peers' pods: the plan that the agent makes, against the kernel.

May import: causes, language, netlink, routing, doctor.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from dari.causes import paths
from dari.causes.finding import Finding
from dari.doctor.commands import line, route
from dari.doctor.node import Node
from dari.explain.mend import have_agent
from dari.language import Messages
from dari.netlink.constants import RTN_UNICAST, RTPROT_KERNEL
from dari.routing.peer import BGP
from dari.routing.reconcile import difference
from dari.routing.tunnels import additions, amendments, routes, unfit
from dari.routing.way import RTPROT_DARI, Tunnel
from dari.store.ranges import within

if TYPE_CHECKING:
    from dari.agent.desired import Desired
    from dari.model import IPNetwork
    from dari.netlink.route import KernelRoute
    from dari.netlink.rule import Rule
    from dari.netlink.vxlan import Vxlan

_ = Messages("doctor")
_OWN_RULES = frozenset({0, 32766, 32767})  # those that the kernel begins with
_LOOK_UP = 1  # FR_ACT_TO_TBL


def planned(node: Node) -> list[KernelRoute]:
    """The routes that should be there: by nodes' addresses, and into tunnels that are there."""
    if not node.desired or not node.desired.routes:
        return []
    plan = node.desired.routes
    indexes = {each.link.name: each.link.index for each in node.place.vxlans}
    return [*plan.routes, *routes(indexes, plan.remotes)]


def missing(node: Node) -> Iterator[Finding]:
    """Each peer's range has its route, and that leads where it should."""
    if not node.desired or not node.desired.routes:
        return
    own = [each for each in node.main if each.protocol == RTPROT_DARI]
    have = {each.dst: each for each in own}
    for each in difference(own, planned(node)).missing:
        wrong = have.get(each.dst)
        cause = paths.ROUTE_WRONG if wrong else paths.ROUTE_MISSING
        what = (
            _("the route to {network} leads to {gateway} rather than {wanted}")
            if wrong
            else _("there is no route to {network}, whose pods are behind {wanted}")
        )
        yield Finding(
            code=cause.code,
            where=node.name,
            what=what.format(
                network=each.dst,
                gateway=wrong.gateway if wrong else "",
                wanted=each.gateway,
            ),
            mend=(route("replace", node.place, each),),
            subject=str(each.dst),
        )


def shadowing(node: Node) -> Iterator[Finding]:
    """No other program's route takes what is for pods."""
    for each in node.main:
        if each.protocol == RTPROT_DARI or not _is_about_pods(node, each):
            continue
        cause = paths.ROUTE_SHADOWED if each.kind == RTN_UNICAST else paths.ROUTE_REFUSES
        what = (
            _("a route of another program to {network} takes what is for pods")
            if each.kind == RTN_UNICAST
            else _("a route refuses what is for {network}, where pods are")
        )
        yield Finding(
            code=cause.code,
            where=node.name,
            what=what.format(network=each.dst),
            mend=(route("del", node.place, each),),
            subject=f"{each.dst} {each.protocol} {each.metric}",
        )


def _is_about_pods(node: Node, one: KernelRoute) -> bool:
    """Within a peer's range, and none that a routing daemon or an address brings."""
    if one.protocol == RTPROT_KERNEL and one.kind == RTN_UNICAST:
        return False  # of an address: `bridges.overlapping` tells of that
    if node.desired and _may_be_birds(node.desired) and one.kind == RTN_UNICAST:
        ranges = [each for peer in node.machine.peers for each in peer.pod_ranges]
        return any(within(one.dst, each) and one.dst != each for each in ranges)
    return any(within(one.dst, each) for peer in node.machine.peers for each in peer.pod_ranges)


def _may_be_birds(desired: Desired) -> bool:
    """Is there a part of BIRD's, or one of before that stays while others go by it?"""
    return bool(desired.bird) or BGP in desired.spoken


def rules(node: Node) -> Iterator[Finding]:
    """No policy rule leads pods' packets into a table that has no way for them."""
    if not node.ours:
        return
    ranges = [*node.ranges, *(each for peer in node.machine.peers for each in peer.pod_ranges)]
    for rule in node.place.rules:
        met = [each for each in ranges if _takes(rule, each)]
        if rule.priority in _OWN_RULES or not met or _is_harmless(node, rule):
            continue
        yield Finding(
            code=paths.ROUTE_SHADOWED.code,
            where=node.name,
            what=_("policy rule {priority} leads what is from or for {network} elsewhere").format(
                priority=rule.priority, network=met[0]
            ),
            mend=(_delete_rule(rule),),
            subject=f"rule {rule.priority} IPv{rule.version}",
        )


def _takes(rule: Rule, network: IPNetwork) -> bool:
    """Does a rule name addresses of pods, and nothing wider than the cluster?"""
    named = [each for each in (rule.src, rule.dst) if each is not None and each.prefixlen]
    return any(each.version == network.version and each.overlaps(network) for each in named)


def _is_harmless(node: Node, rule: Rule) -> bool:
    """A rule into a table that holds nothing is passed by; one that refuses is not."""
    if rule.action != _LOOK_UP:
        return False
    return not any(
        each.table == rule.table and each.dst.version == rule.version for each in node.place.routes
    )


def _delete_rule(rule: Rule) -> str:
    words: list[object] = ["ip", f"-{rule.version}", "rule", "del", "pref", rule.priority]
    words += ["from", rule.src] if rule.src is not None else []
    words += ["to", rule.dst] if rule.dst is not None else []
    return line(*words)


def tunnels(node: Node) -> Iterator[Finding]:
    """Each tunnel is there, up, and as the plan has it, with all that is behind it."""
    plan = node.desired.routes if node.desired else None
    for want in plan.tunnels if plan else ():
        have = next((one for one in node.place.vxlans if one.link.name == want.name), None)
        if have is None or not have.link.up:
            yield Finding(
                code=paths.TUNNEL_MISSING.code,
                where=node.name,
                what=(
                    _("tunnel {name} is down") if have else _("there is no tunnel {name}")
                ).format(name=want.name),
                mend=(line("ip", "link", "set", want.name, "up"), have_agent(node.machine))
                if have
                else (have_agent(node.machine),),
                subject=want.name,
            )
            continue
        yield from _settings(node, have, want)
        yield from _contents(node, have)


def _settings(node: Node, have: Vxlan, want: Tunnel) -> Iterator[Finding]:
    held = [one.interface for one in node.place.addresses if one.index == have.link.index]
    reason = unfit(have, want)
    words = [reason] if reason else [each.words for each in amendments(have, want, held)]
    mend = have_agent(node.machine)
    if not reason and want.mac and have.link.mac != want.mac:
        mend = line("ip", "link", "set", want.name, "address", want.mac)
    if any(words):
        yield Finding(
            code=paths.TUNNEL_SETTINGS.code,
            where=node.name,
            what=_("tunnel {name} is not as this node's record says ({details})").format(
                name=want.name, details="; ".join(filter(None, words))
            ),
            mend=(mend,),
            subject=want.name,
        )


def _contents(node: Node, have: Vxlan) -> Iterator[Finding]:
    plan = node.desired.routes if node.desired else None
    index, name = have.link.index, have.link.name
    remotes = [each for each in plan.remotes if each.tunnel == name] if plan else []
    neighbours = [each for each in node.place.neighbours if each.index == index]
    entries = [one for one in node.place.fdb if one.index == index and one.address is not None]
    known = {each.address: each.mac for each in neighbours}
    reached = {(each.mac, each.address) for each in entries}
    if not additions(remotes, index, neighbours, entries):
        remotes = []
    for each in remotes:
        base = each.network.network_address
        if known.get(base) != each.mac:
            yield Finding(
                code=paths.NEIGHBOUR_STALE.code,
                where=node.name,
                what=_(
                    "{device} takes {address} for {mac}; its node's record says {wanted}"
                ).format(device=name, address=base, mac=known.get(base) or "-", wanted=each.mac),
                mend=(
                    line(
                        *("ip", "neigh", "replace", base, "lladdr", each.mac),
                        *("dev", name, "nud", "permanent"),
                    ),
                ),
                subject=f"{name} {base}",
            )
        others = {address for mac, address in reached if mac == each.mac} - {each.address}
        if (each.mac, each.address) not in reached or others:
            yield Finding(
                code=paths.FORWARDING_ENTRY_WRONG.code,
                where=node.name,
                what=_("{device} sends frames for {mac} to {others}, not to {wanted}").format(
                    device=name,
                    mac=each.mac,
                    others=", ".join(map(str, others)) or "-",
                    wanted=each.address,
                ),
                mend=(
                    line("bridge", "fdb", "replace", each.mac, "dev", name, "dst", each.address),
                ),
                subject=f"{name} {each.mac}",
            )
