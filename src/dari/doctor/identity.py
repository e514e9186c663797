"""What tells nodes apart: names, MACs, addresses, ranges, machines, clocks, versions.

These compare nodes: with each other where several were looked at, and each with the
records of the others.

May import: causes, language, model, snapshot, store, doctor.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Sequence
from hashlib import blake2b
from itertools import combinations
from typing import TYPE_CHECKING

from dari.causes import addresses, identity, machine, service
from dari.causes.finding import WARNING, Finding
from dari.doctor.commands import line
from dari.doctor.node import Node
from dari.explain.mend import restart_agent
from dari.language import Messages
from dari.store.record import NodeRecord

if TYPE_CHECKING:
    from dari.model import IPAddress
    from dari.netlink.link import Link

_ = Messages("doctor")
_SETTINGS = "/etc/dari/agent.toml"
_FAST = 30.0  # seconds by which a peer's clock may be ahead


def names(nodes: Sequence[Node]) -> Iterator[Finding]:
    """No two nodes go by one name."""
    found: dict[str, list[Node]] = defaultdict(list)
    for node in nodes:
        found[_called(node)].append(node)
    for name, several in found.items():
        for node in several if len(several) > 1 else ():
            if not _is_first(node, several, name):
                yield _namesake(node, name, [each.name for each in several if each is not node])


def _called(node: Node) -> str:
    """The name that it goes by in the cluster."""
    return node.config.node_name if node.config else node.machine.host.name


def _is_first(node: Node, several: Sequence[Node], name: str) -> bool:
    """One keeps the name: who is called so by the lab too, or whose addresses its record has."""
    called = [each for each in several if each.name == name]
    holders = [each for each in called if _has_record(each, name)]
    return node is (holders or called or several)[0]


def _has_record(node: Node, name: str) -> bool:
    records = [each for each in node.machine.records if each.name == name]
    return any(set(each.addresses) & _addresses(node) for each in records)


def _addresses(node: Node) -> set[IPAddress]:
    return {each.interface.ip for each in node.place.addresses}


def namesake(node: Node) -> Iterator[Finding]:
    """The record of the node's own name is not another machine's.

    Where several were looked at, `names` knows better which of them should change.
    """
    if not node.alone:
        return
    config = node.config
    records = [each for each in node.machine.records if config and each.name == config.node_name]
    macs = {each.mac for each in node.place.links}
    for record in records:
        strange = record.addresses and not set(record.addresses) & _addresses(node)
        if strange and record.mac and record.mac not in macs and config:
            yield _namesake(node, config.node_name, [str(record.addresses[0])])


def _namesake(node: Node, name: str, others: Sequence[str]) -> Finding:
    fresh = node.name if node.name != name else f"{name}-{_digest(node)[:4]}"
    rename = f's/^node-name = .*/node-name = "{fresh}"/'
    return Finding(
        code=identity.DUPLICATE_NAME.code,
        where=node.name,
        what=_("this node is called {name}, and so is {others}").format(
            name=name, others=", ".join(others)
        ),
        mend=(
            line("hostname", fresh),
            f"echo {fresh} >/etc/hostname",
            f"test ! -e {_SETTINGS} || {line('sed', '-i', rename, _SETTINGS)}",
            restart_agent(node.machine),
        ),
        subject=name,
    )


def _digest(node: Node) -> str:
    """Something of its own: of the interfaces' MACs and of the machine."""
    own = [node.machine.host.machine_id, *sorted(each.mac for each in node.place.links)]
    return blake2b("\0".join(own).encode(), digest_size=8).hexdigest()


def macs(node: Node) -> Iterator[Finding]:
    """The node's interface has a MAC of its own."""
    link = _uplink(node)
    others = [each for each in node.machine.peers if link and each.mac == link.mac]
    if link and others:
        yield _same_mac(node, link, [each.name for each in others])


def macs_among(nodes: Sequence[Node]) -> Iterator[Finding]:
    """The same among nodes that were looked at, whose records may lag behind.

    Of those that have one MAC, all but the one whose record had it first change theirs.
    """
    found: dict[str, list[Node]] = defaultdict(list)
    for node in nodes:
        link = _uplink(node)
        if link:
            found[link.mac].append(node)
    for several in found.values():
        ordered = sorted(several, key=lambda one: one.name)
        for node in ordered if len(several) > 1 else ():
            link = _uplink(node)
            if link and node is not ordered[-1]:
                yield _same_mac(node, link, [one.name for one in several if one is not node])


def _uplink(node: Node) -> Link | None:
    return node.link(node.location.interface) if node.location.interface else None


def _same_mac(node: Node, link: Link, others: Sequence[str]) -> Finding:
    raw = _digest(node)
    mac = ":".join(["02", "da", *(raw[start : start + 2] for start in (0, 2, 4, 6))])
    return Finding(
        code=identity.DUPLICATE_MAC.code,
        where=node.name,
        what=_("{name} has the MAC {mac}, and so has {others}").format(
            name=link.name, mac=link.mac, others=", ".join(others)
        ),
        mend=(line("ip", "link", "set", link.name, "address", mac),),
        subject=link.name,
    )


def machines(nodes: Sequence[Node]) -> Iterator[Finding]:
    """No two machines have one product_uuid. Namespaces of one machine are not two machines."""
    found: dict[str, dict[str, Node]] = defaultdict(dict)
    for node in nodes:
        host = node.machine.host
        if host.product_uuid and host.boot_id:
            found[host.product_uuid].setdefault(host.boot_id, node)
    for uuid, several in found.items():
        for node in several.values() if len(several) > 1 else ():
            yield _same_machine(
                node, uuid, [one.name for one in several.values() if one is not node]
            )


def _same_machine(node: Node, uuid: str, others: Sequence[str]) -> Finding:
    return Finding(
        code=identity.DUPLICATE_PRODUCT_UUID.code,
        where=node.name,
        what=_("the machine has the product_uuid {uuid}, and so has {others}").format(
            uuid=uuid, others=", ".join(others)
        ),
        subject=uuid,
    )


def clones(node: Node) -> Iterator[Finding]:
    """No peer's record tells of a machine with this one's product_uuid, MACs or host name."""
    host = node.machine.host
    own = {each.mac for each in node.place.links if each.mac in node.location.macs}
    for peer in node.machine.peers:
        theirs = peer.host
        another = bool(theirs.boot_id) and theirs.boot_id != host.boot_id
        if another and theirs.product_uuid and theirs.product_uuid == host.product_uuid:
            yield _same_machine(node, host.product_uuid, [peer.name])
        shared = own & set(theirs.macs)
        for link in node.place.links if shared else ():
            if link.mac in shared and link.name != node.location.interface:
                yield _same_mac(node, link, [peer.name])
        if theirs.name and theirs.name == host.name:
            yield Finding(
                code=identity.DUPLICATE_NAME.code,
                where=node.name,
                what=_("the host names of {node} and {peer} are both {name}").format(
                    node=node.name, peer=peer.name, name=host.name
                ),
                mend=(line("hostname", node.name), f"echo {node.name} >/etc/hostname"),
                severity=WARNING,
                subject=f"host {host.name} {peer.name}",
            )


def releases(node: Node) -> Iterator[Finding]:
    """All records were written by one version of dari."""
    found: dict[str, list[str]] = defaultdict(list)
    for each in node.machine.records:
        if each.host.version:
            found[each.host.version].append(each.name)
    if len(found) > 1:
        yield _several_versions(node, found)


def _several_versions(node: Node, found: dict[str, list[str]]) -> Finding:
    shown = "; ".join(f"{each}: {', '.join(found[each])}" for each in sorted(found))
    return Finding(
        code=service.AGENT_VERSIONS.code,
        where=node.name,
        what=_("agents' versions: {versions}").format(versions=shown),
        severity=WARNING,
    )


def borrowed(node: Node) -> Iterator[Finding]:
    """No address of the node is recorded as a peer's."""
    names = {each.index: each.name for each in node.place.links}
    for peer in node.machine.peers:
        for each in node.place.addresses:
            if each.interface.ip not in peer.addresses or each.index not in names:
                continue
            if node.machine.record and each.interface.ip in node.machine.record.addresses:
                continue
            yield Finding(
                code=identity.DUPLICATE_ADDRESS.code,
                where=node.name,
                what=_("{name} has {address}, which is {peer}'s").format(
                    name=names[each.index], address=each.interface, peer=peer.name
                ),
                mend=(line("ip", "address", "del", each.interface, "dev", names[each.index]),),
                subject=str(each.interface.ip),
            )


def shared_addresses(node: Node) -> Iterator[Finding]:
    """No two records have one address."""
    for left, right in combinations(sorted(node.machine.records, key=lambda one: one.name), 2):
        both = set(left.addresses) & set(right.addresses)
        for address in sorted(both, key=str):
            yield Finding(
                code=identity.DUPLICATE_ADDRESS.code,
                where=node.name,
                what=_("the records of {left} and {right} have one address, {address}").format(
                    left=left.name, right=right.name, address=address
                ),
                subject=str(address),
            )


def ranges(node: Node) -> Iterator[Finding]:
    """No two nodes' ranges overlap."""
    for left, right in combinations(sorted(node.machine.records, key=lambda one: one.name), 2):
        for one in left.pod_ranges:
            for other in right.pod_ranges:
                if one.version == other.version and one.overlaps(other):
                    older = min(left, right, key=lambda each: each.updated)
                    yield Finding(
                        code=addresses.DUPLICATE_RANGE.code,
                        where=node.name,
                        what=_(
                            "{left} has {one} and {right} has {other}; {older}'s record is the "
                            "older"
                        ).format(
                            left=left.name, one=one, right=right.name, other=other, older=older.name
                        ),
                        mend=_forget(node, older),
                        subject=f"{left.name} {right.name}",
                    )


def _forget(node: Node, older: NodeRecord) -> tuple[str, ...]:
    """Remove the record of a node that is no more; one that lives writes it anew.

    Kubernetes' own records are its Node objects, which nobody should delete by hand
    because of a range.
    """
    if node.config and node.config.store == "local":
        return (line("rm", "-f", f"/var/lib/dari/store/nodes/{older.name}.json"),)
    if node.config and node.config.store == "etcd":
        return (line("etcdctl", "del", f"/dari/nodes/{older.name}"),)
    return ()


def clocks(node: Node) -> Iterator[Finding]:
    """No peer wrote its record in what is the future here."""
    now = node.machine.host.time
    for peer in node.machine.peers:
        ahead = peer.updated - now
        if now and ahead > _FAST:
            yield Finding(
                code=machine.CLOCK_SKEW.code,
                where=node.name,
                what=_("{peer} wrote its record {seconds} s from now").format(
                    peer=peer.name, seconds=round(ahead)
                ),
                severity=WARNING,
                subject=peer.name,
            )


def versions(nodes: Sequence[Node]) -> Iterator[Finding]:
    """All agents are of one version."""
    found: dict[str, list[str]] = defaultdict(list)
    for node in nodes:
        version = node.machine.agent.get("version")
        if isinstance(version, str):
            found[version].append(node.name)
    if len(found) > 1:
        yield _several_versions(nodes[0], found)
