"""Switches of the kernel that stand the wrong way.

May import: causes, language, doctor, explain.mend.
"""

from __future__ import annotations

from collections.abc import Iterator

from dari.causes import settings
from dari.causes.finding import WARNING, Finding
from dari.doctor.commands import line
from dari.doctor.node import Node
from dari.explain.mend import room_for_connections
from dari.language import Messages
from dari.routing.reach import Reach
from dari.routing.tunnels import MARK

_ = Messages("doctor")
_ALL = {4: "net/ipv4/ip_forward", 6: "net/ipv6/conf/all/forwarding"}
_PROXIES = {4: "net/ipv4/conf/{}/proxy_arp", 6: "net/ipv6/conf/{}/proxy_ndp"}
_STRICT, _LOOSE = "1", 2
_NEARLY_FULL = 0.95


def forwarding(node: Node) -> Iterator[Finding]:
    """The node passes packets on: in all, and on each interface that pods' packets use."""
    for version in node.desired.forwarding if node.desired else ():
        names = [_ALL[version], *_of_interfaces(node, version)]
        off = [name for name in names if node.place.sysctls.get(name) == "0"]
        # Switching all on switches each on.
        for name in off[:1] if off[:1] == names[:1] else off:
            yield Finding(
                code=settings.FORWARDING_OFF.code,
                where=node.name,
                what=_("{name} is 0").format(name=dotted(name)),
                mend=(switch(name, 1),),
                subject=name,
            )


def _of_interfaces(node: Node, version: int) -> list[str]:
    """IPv6 has one switch that counts; the others only say what an interface is."""
    if version == 6:
        return []
    tunnels = [each.name for each in node.place.links if each.alias == MARK]
    found = [node.bridge, node.location.interface, *tunnels]
    return [f"net/ipv4/conf/{each}/forwarding" for each in found if each]


def reverse_path(node: Node) -> Iterator[Finding]:
    """A strict filter drops what peers' pods send: their answers would leave by another way."""
    if not node.desired or not node.desired.routes:
        return
    kernel, wanted = Reach(node.main), {each.dst: each for each in node.desired.routes.routes}
    names = {each.index: each.name for each in node.place.links}
    for dst, one in wanted.items():
        name = names.get(one.device, "")
        if dst.version != 4 or not _is_strict(node, name):
            continue
        for address in (dst[1], dst[-2]):
            hop = kernel.hop(address)
            if hop and hop.device != one.device:
                yield _strict(node, name, f"{dst}", names.get(hop.device, "?"))
                break


def _is_strict(node: Node, name: str) -> bool:
    """The larger of the two values counts (ip-sysctl: rp_filter)."""
    values = [
        node.place.sysctls.get(f"net/ipv4/conf/{each}/rp_filter", "0") for each in ("all", name)
    ]
    return bool(name) and max(values) == _STRICT


def _strict(node: Node, name: str, network: str, other: str) -> Finding:
    return Finding(
        code=settings.REVERSE_PATH_FILTER.code,
        where=node.name,
        what=_(
            "rp_filter is 1 on {name}, where packets from {network} arrive, and the way back "
            "to them is by {other}"
        ).format(name=name, network=network, other=other),
        mend=(switch(f"net/ipv4/conf/{name}/rp_filter", _LOOSE),),
        subject=name,
    )


def proxies(node: Node) -> Iterator[Finding]:
    """The node answers for others on the interface that leads to its peers, or on the bridge."""
    if not node.ours:
        return
    for version, form in _PROXIES.items():
        for each in filter(None, ("all", node.location.interface, node.bridge)):
            name = form.format(each)
            if node.place.sysctls.get(name) == "1":
                yield Finding(
                    code=settings.PROXY_ARP.code,
                    where=node.name,
                    what=_("{name} is 1").format(name=dotted(name)),
                    mend=(switch(name, 0),),
                    severity=WARNING,
                    subject=f"{name} IPv{version}",
                )


def connections(node: Node) -> Iterator[Finding]:
    """The connection table has room."""
    count, most = node.place.connections, node.place.most_connections
    if most > 0 and count >= most * _NEARLY_FULL:
        yield Finding(
            code=settings.CONNTRACK_FULL.code,
            where=node.name,
            what=_("{count} connections are tracked, of {most} at most").format(
                count=count, most=most
            ),
            mend=(room_for_connections(node.place),),
        )


def neighbours(node: Node) -> Iterator[Finding]:
    """The neighbour table has room for all that are there."""
    for version in (4, 6):
        form = f"net/ipv{version}/neigh/default/gc_thresh{{}}"
        most = node.place.sysctls.get(form.format(3), "")
        addresses = [one.address for one in node.place.neighbours if one.address is not None]
        count = sum(one.version == version for one in addresses)
        if most.isdecimal() and count >= int(most) * _NEARLY_FULL:
            yield Finding(
                code=settings.NEIGHBOURS_FULL.code,
                where=node.name,
                what=_("{count} neighbours are known, of {most} at most").format(
                    count=count, most=most
                ),
                mend=tuple(switch(form.format(n), int(most) * 2**n) for n in (3, 2, 1)),
                subject=f"IPv{version}",
            )


def ipv6(node: Node) -> Iterator[Finding]:
    """IPv6 is on where the cluster has a range of it."""
    if not node.ours or not node.config or 6 not in node.config.versions:
        return
    for each in filter(None, ("all", node.bridge, node.location.interface)):
        name = f"net/ipv6/conf/{each}/disable_ipv6"
        if node.place.sysctls.get(name) == "1":
            yield Finding(
                code=settings.IPV6_OFF.code,
                where=node.name,
                what=_("{name} is 1").format(name=dotted(name)),
                mend=(switch(name, 0),),
                subject=name,
            )


def bridged(node: Node) -> Iterator[Finding]:
    """Bridged packets meet kube-proxy's rules, where Kubernetes runs."""
    names = ["net/bridge/bridge-nf-call-iptables"]
    if node.config and 6 in node.config.versions:
        names.append("net/bridge/bridge-nf-call-ip6tables")
    for name in names if "kube-proxy" in {each.name for each in node.health.programs} else ():
        value = node.place.sysctls.get(name)
        if value != "1":
            load = () if value is not None else (line("modprobe", "br_netfilter"),)
            yield Finding(
                code=settings.BRIDGE_NETFILTER.code,
                where=node.name,
                what=_("{name} is 0").format(name=dotted(name))
                if value is not None
                else _("br_netfilter is not loaded"),
                mend=(*load, switch(name, 1)),
                subject=name,
            )


def features(node: Node) -> Iterator[Finding]:
    """The kernel has what the node's configuration asks for."""
    if not node.ours or not node.config:
        return
    needed = ["bridge", "veth"]
    needed += ["nf_tables", "nft_masq", "nf_conntrack"] if node.config.masquerade else []
    needed += ["vxlan"] if node.config.backend.has_tunnel else []
    needed += ["ipv6"] if 6 in node.config.versions else []
    for each in needed:
        if each in node.health.lacking:
            yield Finding(
                code=settings.KERNEL_LACKS.code,
                where=node.name,
                what=_("the kernel {release} was built without {feature}").format(
                    release=node.machine.host.kernel, feature=each
                ),
                subject=each,
            )


def switch(name: str, value: int) -> str:
    """Set a switch now. A link's name may have dots in it, so that slashes are kept."""
    return line("sysctl", "-w", f"{name}={value}")


def dotted(name: str) -> str:
    """A switch's name as people write it."""
    return name.replace("/", ".")
