"""Pods' cables, interfaces, addresses and leases: what is, against what was leased.

May import: addr, causes, language, model, netlink, snapshot, doctor.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator
from ipaddress import ip_interface
from typing import TYPE_CHECKING

from dari.addr import mac_of
from dari.agent.conflist import NETWORK
from dari.causes import addresses, links
from dari.causes.finding import WARNING, Finding
from dari.doctor.commands import inside, line
from dari.doctor.node import Node
from dari.language import Messages
from dari.netlink.constants import RT_SCOPE_UNIVERSE
from dari.snapshot.model import Attached, Lease, Place, Pod
from dari.store.ranges import within

if TYPE_CHECKING:
    from dari.model import IPAddress, IPInterface
    from dari.netlink.link import Link

_ = Messages("doctor")
_LEASES = "/run/dari/leases/"
_TOLD_ONE_BY_ONE = 3


def cables(node: Node) -> Iterator[Finding]:
    """The node's end of each cable is there, up, and plugged in."""
    for pod, one in node.wired():
        link = node.link(one.host_end)
        if link is None:
            if pod.place is not None:
                yield _gone(node, pod, one)
            continue
        if not link.up:
            yield Finding(
                code=links.CABLE_DOWN.code,
                where=node.name,
                what=_("{link}, the cable of {pod}, is down").format(link=link.name, pod=pod.name),
                mend=(line("ip", "link", "set", link.name, "up"),),
                subject=pod.name,
            )
        bridge = node.link(one.bridge or node.bridge)
        if bridge and link.master != bridge.index:
            yield Finding(
                code=links.CABLE_UNPLUGGED.code,
                where=node.name,
                what=_("{link}, the cable of {pod}, is no port of {bridge}").format(
                    link=link.name, pod=pod.name, bridge=bridge.name
                ),
                mend=(line("ip", "link", "set", link.name, "master", bridge.name),),
                subject=pod.name,
            )


def _gone(node: Node, pod: Pod, one: Attached) -> Finding:
    return Finding(
        code=links.POD_INTERFACE.code,
        where=node.name,
        what=_("the cable of {pod}'s {name} is gone").format(pod=pod.name, name=one.ifname),
        mend=(),
        subject=f"{pod.name} {one.ifname}",
    )


def interiors(node: Node) -> Iterator[Finding]:
    """Inside each pod: interface, addresses, way out, MTU. In the order they are mended."""
    for pod, one in node.wired():
        if pod.place is None or node.link(one.host_end) is None:
            continue
        link = next((each for each in pod.place.links if each.name == one.ifname), None)
        if link is None:
            yield _gone(node, pod, one)
            continue
        if not link.up:
            yield Finding(
                code=links.POD_INTERFACE.code,
                where=node.name,
                what=_("{name} of {pod} is down").format(name=link.name, pod=pod.name),
                mend=(inside(pod, "ip", "link", "set", link.name, "up"),),
                subject=f"{pod.name} {link.name}",
            )
        yield from _addresses(node, pod, one, link)
        yield from _ways_out(node, pod, one)
        yield from _mtu(node, pod, one, link)


def leased(node: Node, one: Attached) -> list[Lease]:
    """What an interface's owner has leased."""
    return [
        each
        for each in node.machine.leases
        if (each.container_id, each.ifname) == (one.container_id, one.ifname)
        and each.network == one.network
    ]


def _addresses(node: Node, pod: Pod, one: Attached, link: Link) -> Iterator[Finding]:
    held = {each.ip for each in _held(pod.place, link)}
    for lease in leased(node, one):
        if lease.address in held:
            continue
        interface = _with_length(node, lease.address)
        more = ("nodad",) if lease.address.version == 6 else ()
        yield Finding(
            code=links.POD_ADDRESS.code,
            where=node.name,
            what=_("{name} of {pod} lacks {address}, which is leased for it").format(
                name=link.name, pod=pod.name, address=lease.address
            ),
            mend=(inside(pod, "ip", "address", "add", interface, "dev", link.name, *more),),
            subject=f"{pod.name} {lease.address}",
        )


def _with_length(node: Node, address: IPAddress) -> IPInterface:
    """An address with the prefix length of the range that it is in."""
    length = next((one.prefixlen for one in node.ranges if address in one), address.max_prefixlen)
    return ip_interface(f"{address}/{length}")


def _held(place: Place | None, link: Link) -> list[IPInterface]:
    return [
        each.interface
        for each in (place.addresses if place else ())
        if each.index == link.index and each.scope == RT_SCOPE_UNIVERSE
    ]


def _ways_out(node: Node, pod: Pod, one: Attached) -> Iterator[Finding]:
    """A pod of dari's own network has a default route in each family that it has a lease of."""
    if one.network != NETWORK or not node.desired or pod.place is None:
        return
    families = {each.address.version for each in leased(node, one)}
    for gateway in node.desired.gateways:
        ways = [each for each in pod.place.routes if each.dst.version == gateway.version]
        if gateway.version in families and not any(not each.dst.prefixlen for each in ways):
            yield Finding(
                code=links.POD_ROUTE.code,
                where=node.name,
                what=_("{pod} has no default route of IPv{version}").format(
                    pod=pod.name, version=gateway.version
                ),
                mend=(
                    inside(
                        *(pod, "ip", f"-{gateway.version}", "route", "add"),
                        *("default", "via", gateway.ip, "dev", one.ifname),
                    ),
                ),
                subject=f"{pod.name} IPv{gateway.version}",
            )


def _mtu(node: Node, pod: Pod, one: Attached, link: Link) -> Iterator[Finding]:
    cable = node.link(one.host_end)
    if cable and cable.mtu != link.mtu:
        yield Finding(
            code=links.MTU_MISMATCH.code,
            where=node.name,
            what=_("{name} of {pod} has MTU {mtu}, the node's end of its cable {other}").format(
                name=link.name, pod=pod.name, mtu=link.mtu, other=cable.mtu
            ),
            mend=(inside(pod, "ip", "link", "set", link.name, "mtu", cable.mtu),),
            subject=f"{pod.name} {link.name}",
        )


def shared_macs(node: Node) -> Iterator[Finding]:
    """No two pods of a bridge have one MAC; the one whose MAC is not its address's is wrong."""
    for (bridge, mac), found in _grouped(node).items():
        if len(found) < 2:
            continue
        names = " ".join(sorted(pod.name for pod, _one, _link in found))
        for pod, _one, link in found:
            first = next(iter(sorted(_held(pod.place, link), key=lambda one: one.version)), None)
            if first is None or mac_of(first.ip) == mac:
                continue
            yield Finding(
                code=links.DUPLICATE_POD_MAC.code,
                where=node.name,
                what=_("{pods} have the MAC {mac} on {bridge}").format(
                    pods=names, mac=mac, bridge=bridge
                ),
                mend=(
                    inside(pod, "ip", "link", "set", link.name, "address", mac_of(first.ip)),
                    line("ip", "neigh", "flush", "dev", bridge),
                    *(
                        inside(other, "ip", "neigh", "flush", "dev", far.name)
                        for other, _its, far in found
                        if other is not pod
                    ),
                ),
                subject=pod.name,
            )


def _grouped(node: Node) -> dict[tuple[str, str], list[tuple[Pod, Attached, Link]]]:
    found: dict[tuple[str, str], list[tuple[Pod, Attached, Link]]] = defaultdict(list)
    for pod, one in node.wired():
        for link in pod.place.links if pod.place else ():
            if link.name == one.ifname:
                found[one.bridge or node.bridge, link.mac].append((pod, one, link))
    return found


def shared_addresses(node: Node) -> Iterator[Finding]:
    """No two pods have one address; the one without a lease for it is wrong."""
    holders: dict[IPAddress, list[tuple[Pod, Attached, Link, IPInterface]]] = defaultdict(list)
    for pod, one in node.wired():
        for link in pod.place.links if pod.place else ():
            if link.name == one.ifname:
                for each in _held(pod.place, link):
                    holders[each.ip].append((pod, one, link, each))
    for address, found in holders.items():
        if len(found) < 2:
            continue
        names = " ".join(sorted(each[0].name for each in found))
        for pod, one, link, interface in found:
            if address not in {each.address for each in leased(node, one)}:
                yield Finding(
                    code=addresses.DUPLICATE_POD_ADDRESS.code,
                    where=node.name,
                    what=_("{pods} have the address {address}").format(pods=names, address=address),
                    mend=(
                        inside(pod, "ip", "address", "del", interface, "dev", link.name),
                        line("ip", "neigh", "flush", "to", address),
                    ),
                    subject=f"{pod.name} {address}",
                )


def unleased(node: Node) -> Iterator[Finding]:
    """Every address of dari's own network is leased, and of the node's ranges."""
    if not node.ranges:
        return
    for pod, one in node.wired():
        if one.network != NETWORK:
            continue
        own = {each.address for each in leased(node, one)}
        for link in pod.place.links if pod.place else ():
            for each in _held(pod.place, link) if link.name == one.ifname else ():
                inner = any(within(each.network, wider) for wider in node.ranges)
                if each.ip not in own and inner and not _is_leased(node, each.ip):
                    yield _unleased(node, pod, each)
                elif not inner and each.ip in own:
                    yield _astray(node, pod, each)


def _is_leased(node: Node, address: IPAddress) -> bool:
    return any(each.address == address for each in node.machine.leases)


def _unleased(node: Node, pod: Pod, interface: IPInterface) -> Finding:
    return Finding(
        code=addresses.LEASE_MISSING.code,
        where=node.name,
        what=_("{pod} has {address}, and there is no lease for it").format(
            pod=pod.name, address=interface.ip
        ),
        subject=f"{pod.name} {interface.ip}",
    )


def _astray(node: Node, pod: Pod, interface: IPInterface) -> Finding:
    return Finding(
        code=addresses.OUT_OF_RANGE.code,
        where=node.name,
        what=_("{pod} has {address}; the node's range is {ranges}").format(
            pod=pod.name, address=interface.ip, ranges=", ".join(map(str, node.ranges))
        ),
        subject=f"{pod.name} {interface.ip}",
    )


def leaked(node: Node) -> Iterator[Finding]:
    """Every lease is of an interface that is there, or being made."""
    owners = {
        (one.container_id, one.ifname) for pod in node.machine.pods for one in pod.attachments
    }
    lost = [
        each
        for each in node.machine.leases
        if each.path.startswith(_LEASES) and (each.container_id, each.ifname) not in owners
    ]
    if lost and "attachments" not in node.machine.problems:
        yield Finding(
            code=addresses.LEASE_LEAKED.code,
            where=node.name,
            what=_("{number} leases belong to no pod that is there: {addresses}").format(
                number=len(lost), addresses=_some(str(each.address) for each in lost)
            ),
            mend=(line("rm", "-f", *(each.path for each in lost)),),
            severity=WARNING,
        )


def full(node: Node) -> Iterator[Finding]:
    """Each of the node's ranges has an address left."""
    for network in node.ranges:
        taken = {each.address for each in node.machine.leases if each.address in network}
        room = network.num_addresses - (3 if network.version == 4 else 2)
        if len(taken) >= room:
            yield Finding(
                code=addresses.RANGE_FULL.code,
                where=node.name,
                what=_("all {number} addresses of {network} are leased").format(
                    number=len(taken), network=network
                ),
                subject=str(network),
            )


def _some(texts: Iterable[str]) -> str:
    found = list(texts)
    rest = len(found) - _TOLD_ONE_BY_ONE
    shown = ", ".join(found[:_TOLD_ONE_BY_ONE])
    return f"{shown} … (+{rest})" if rest > 0 else shown
