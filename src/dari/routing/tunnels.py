"""Makes tunnels what the plan says: devices, and on each what is behind it.

What is dari's is the device: made by it, or taken over and marked by an alias. On
such a device everything is dari's: neighbours, forwarding entries, addresses.
Links without the mark are never touched, those of the plan's names excepted.

The order matters to packets under way. What is new is put in place before routes
lead to it (`ensure`, `fill`), what is old goes after none does (`clear`, `prune`).

May import: errors, model, netlink, record, and within routing: reconcile, way.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING

from dari.errors import BadConfig, KernelRefused
from dari.netlink.address import add_address, delete_address, list_addresses
from dari.netlink.codec import Request
from dari.netlink.constants import AF_BRIDGE, IN6_ADDR_GEN_MODE_NONE, NUD_PERMANENT
from dari.netlink.link import Link, list_links
from dari.netlink.linkchange import change_link, delete_link
from dari.netlink.neighbour import (
    Neighbour,
    delete_fdb,
    delete_neighbour,
    list_fdb,
    list_neighbours,
    replace_fdb,
    replace_neighbour,
)
from dari.netlink.offload import offload_checksums, offloads_checksums
from dari.netlink.route import KernelRoute
from dari.netlink.vxlan import Vxlan, add_vxlan, change_vxlan, get_vxlan, list_vxlans
from dari.record import Record
from dari.routing.reconcile import Outcome
from dari.routing.way import METRIC, RTPROT_DARI, Remote, Tunnel

if TYPE_CHECKING:
    from dari.model import IPAddress, IPInterface
    from dari.netlink.sock import NetlinkSocket

MARK = "dari tunnel"
_TOLD_ONE_BY_ONE = 8

Indexes = Mapping[str, int]


class Change(Record):
    """A request, and what it puts right.

    Attributes:
        words: say it; empty: `entry` does.
        entry: what is added or removed, of thousands, which few want in words.
    """

    request: Request
    words: str = ""
    entry: Neighbour | None = None
    adds: bool = False

    def __str__(self) -> str:
        if self.entry is None:
            return self.words
        each, verb = self.entry, "added" if self.adds else "removed"
        if self.request.body[0] == AF_BRIDGE:
            return f"{verb} forwarding of {each.mac} to {each.address}"
        return f"{verb} neighbour {each.address} at {each.mac}"


class Contents(Record):
    """What is on a device: neighbours, and forwarding entries to other nodes."""

    neighbours: tuple[Neighbour, ...]
    entries: tuple[Neighbour, ...]


Survey = Mapping[int, Contents]


def ensure(sock: NetlinkSocket, want: Sequence[Tunnel]) -> tuple[dict[str, int], Outcome]:
    """Have every device there and as it should be.

    Returns:
        The devices' indexes by name, and what was put right. One that could not
        be made is missing, and named among the failures.
    """
    indexes: dict[str, int] = {}
    outcome = Outcome()
    for tunnel in want:
        try:
            index, done = _ensure_one(sock, tunnel)
        except (KernelRefused, BadConfig) as error:
            outcome = outcome.plus(Outcome(failures=(f"tunnel {tunnel.name}: {error.message}",)))
        else:
            indexes[tunnel.name] = index
            outcome = outcome.plus(Outcome(mended=done))
    return indexes, outcome


def survey(sock: NetlinkSocket, indexes: Indexes) -> Survey:
    """List what is on each device now."""
    return {
        index: Contents(
            neighbours=tuple(list_neighbours(sock, index=index)),
            entries=tuple(each for each in list_fdb(sock, index=index) if each.address is not None),
        )
        for index in indexes.values()
    }


def fill(sock: NetlinkSocket, indexes: Indexes, remotes: Iterable[Remote], seen: Survey) -> Outcome:
    """Add neighbours and forwarding entries that are missing or wrong."""
    changes: list[Change] = []
    for index, own in by_device(indexes, remotes).items():
        changes += additions(own, index, seen[index].neighbours, seen[index].entries)
    return _send(sock, changes)


def clear(
    sock: NetlinkSocket, indexes: Indexes, remotes: Iterable[Remote], seen: Survey
) -> Outcome:
    """Remove neighbours and forwarding entries that lead nowhere any more.

    Args:
        seen: of after `fill`, if that did anything.
    """
    changes: list[Change] = []
    for index, own in by_device(indexes, remotes).items():
        changes += removals(own, seen[index].neighbours, seen[index].entries)
    return _send(sock, changes)


def is_cluttered(indexes: Indexes, remotes: Iterable[Remote], seen: Survey) -> bool:
    """Was there anything that leads nowhere? `clear` has to know what `fill` left of it."""
    return any(
        removals(own, seen[index].neighbours, seen[index].entries)
        for index, own in by_device(indexes, remotes).items()
    )


def prune(sock: NetlinkSocket, keep: Collection[str] = ()) -> Outcome:
    """Delete devices that dari made, or took over, but those of these names."""
    surplus = [
        each.link
        for each in list_vxlans(sock)
        if each.link.name not in keep and each.link.alias == MARK
    ]
    return _send(
        sock,
        [
            Change(request=delete_link(index=link.index), words=f"deleted tunnel {link.name}")
            for link in surplus
        ],
    )


def routes(indexes: Indexes, remotes: Iterable[Remote]) -> list[KernelRoute]:
    """The routes to ranges behind devices that are there."""
    return [
        KernelRoute(
            dst=each.network,
            gateway=each.network.network_address,
            device=indexes[each.tunnel],
            protocol=RTPROT_DARI,
            metric=METRIC[each.network.version],
            onlink=True,
        )
        for each in remotes
        if each.tunnel in indexes
    ]


def _ensure_one(sock: NetlinkSocket, want: Tunnel) -> tuple[int, tuple[str, ...]]:
    have = get_vxlan(sock, want.name)
    done: list[str] = []
    if have is not None and (reason := unfit(have, want)):
        sock.transact([delete_link(index=have.link.index)])
        done.append(f"deleted tunnel {want.name}, which {reason}")
        have = None
    if have is None:
        have = _make(sock, want)
        done.append(f"made tunnel {want.name}")
    held = [each.interface for each in list_addresses(sock, index=have.link.index)]
    changes = amendments(have, want, held)
    sock.transact([each.request for each in changes])
    done += [each.words for each in changes if each.words]
    done += _mend_offload(sock, want)
    return have.link.index, tuple(done)


def _make(sock: NetlinkSocket, want: Tunnel) -> Vxlan:
    link = next((each for each in list_links(sock) if each.name == want.name), None)
    if link is not None:
        raise BadConfig(f"there is a link of this name, a {link.kind or 'device'}; remove it")
    make = add_vxlan(
        want.name, vni=want.vni, port=want.port, local=want.local, mac=want.mac, mtu=want.mtu
    )
    sock.transact([make])
    made = get_vxlan(sock, want.name)
    if made is None:
        raise BadConfig("it was deleted while it was made")
    sock.transact([change_link(index=made.link.index, addr_gen_mode=IN6_ADDR_GEN_MODE_NONE)])
    return made


def _mend_offload(sock: NetlinkSocket, want: Tunnel) -> list[str]:
    if want.offload or not offloads_checksums(sock.fileno(), want.name):
        return []
    offload_checksums(sock.fileno(), want.name, False)
    return [f"switched checksum offload of {want.name} off"]


def unfit(have: Vxlan, want: Tunnel) -> str:
    """Why a device cannot be changed into what it should be; empty: it can. Pure."""
    if (have.vni, have.port) != (want.vni, want.port):
        return f"had VNI {have.vni} and port {have.port}"
    if have.special:
        return "was of another mode"
    if have.local is None or have.local.version != want.local.version:
        return "was for another family, or for any address"
    return ""


def amendments(have: Vxlan, want: Tunnel, held: Sequence[IPInterface]) -> list[Change]:
    """What makes a device that fits what it should be. Pure.

    Args:
        held: its addresses.
    """
    link = have.link
    return [
        *_settings(have, want),
        *_addresses(link, want, held),
        *([] if link.up else [Change(request=change_link(index=link.index, up=True), words="")]),
    ]


def _settings(have: Vxlan, want: Tunnel) -> Iterator[Change]:
    link, name = have.link, want.name
    if have.local != want.local or have.learning:
        request = change_vxlan(link.index, local=want.local)
        yield Change(request=request, words=f"had tunnel {name} send from {want.local}")
    if want.mac and link.mac != want.mac:
        request = change_link(index=link.index, mac=want.mac)
        yield Change(request=request, words=f"set MAC of {name} from {link.mac} to {want.mac}")
    if want.mtu and link.mtu != want.mtu:
        request = change_link(index=link.index, mtu=want.mtu)
        yield Change(request=request, words=f"set MTU of {name} from {link.mtu} to {want.mtu}")
    if link.alias != MARK:
        yield Change(request=change_link(index=link.index, alias=MARK), words="")


def _addresses(link: Link, want: Tunnel, held: Sequence[IPInterface]) -> Iterator[Change]:
    for each in want.addresses:
        if each not in held:
            request = add_address(link.index, each)
            yield Change(request=request, words=f"gave {want.name} its address {each.ip}")
    for each in held:
        if each not in want.addresses and not each.is_link_local:
            request = delete_address(link.index, each)
            yield Change(request=request, words=f"took {each.ip} from {want.name}")


def additions(
    remotes: Sequence[Remote],
    index: int,
    neighbours: Iterable[Neighbour],
    entries: Iterable[Neighbour],
) -> list[Change]:
    """What is missing on a device, or leads to the wrong place. Pure."""
    known = {each.address: each.mac for each in neighbours if _is_permanent(each)}
    reached = _only_destinations(entries)
    changes = []
    for each in remotes:
        base = each.network.network_address
        if known.get(base) != each.mac:
            neighbour = Neighbour(index=index, address=base, mac=each.mac)
            request = replace_neighbour(neighbour)
            changes.append(Change(request=request, entry=neighbour, adds=True))
    for mac, address in _vteps(remotes).items():
        if reached.get(mac) != address:
            entry = Neighbour(index=index, address=address, mac=mac)
            changes.append(Change(request=replace_fdb(entry), entry=entry, adds=True))
    return changes


def removals(
    remotes: Sequence[Remote], neighbours: Iterable[Neighbour], entries: Iterable[Neighbour]
) -> list[Change]:
    """What is on a device and leads to nobody. Pure."""
    bases = {each.network.network_address for each in remotes}
    vteps = _vteps(remotes)
    return [
        *(
            Change(request=delete_neighbour(each), entry=each)
            for each in neighbours
            if _is_permanent(each) and each.address not in bases
        ),
        *(
            Change(request=delete_fdb(each), entry=each)
            for each in entries
            if vteps.get(each.mac) != each.address
        ),
    ]


def _is_permanent(neighbour: Neighbour) -> bool:
    return bool(neighbour.state & NUD_PERMANENT)


def _vteps(remotes: Iterable[Remote]) -> dict[str, IPAddress]:
    return {each.mac: each.address for each in remotes}


def _only_destinations(entries: Iterable[Neighbour]) -> dict[str, IPAddress | None]:
    """Where each MAC leads; None for one that leads to several places, or to none."""
    found: dict[str, IPAddress | None] = {}
    for each in entries:
        leads = found.setdefault(each.mac, each.address)
        if leads != each.address:
            found[each.mac] = None
    return found


def by_device(indexes: Indexes, remotes: Iterable[Remote]) -> dict[int, list[Remote]]:
    """Ranges by the index of their device; an empty list for one that has none."""
    found: dict[int, list[Remote]] = {index: [] for index in indexes.values()}
    for each in remotes:
        if each.tunnel in indexes:
            found[indexes[each.tunnel]].append(each)
    return found


def _send(sock: NetlinkSocket, changes: Sequence[Change]) -> Outcome:
    if not changes:
        return Outcome()
    try:
        sock.transact([each.request for each in changes])
    except KernelRefused as error:
        return Outcome(failures=(error.message,))
    return Outcome(mended=told(changes))


def told(changes: Sequence[Change]) -> tuple[str, ...]:
    """Each in words, or their number where they are many."""
    if len(changes) <= _TOLD_ONE_BY_ONE:
        return tuple(map(str, changes))
    added = sum(each.adds for each in changes)
    return (f"added {added} neighbours and forwardings, removed {len(changes) - added}",)
