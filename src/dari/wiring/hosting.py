"""Takes host ports for a pod and gives them back: the work of type `portmap`.

Files first, then the kernel, under one lock; a kill in between leaves files that
the table is made from at the next occasion, and the attachment's record, from which
the DEL can be repeated.

May import: errors, fields, model, netlink, nft, wiring.
"""

from __future__ import annotations

from dari.errors import BadConfig, KernelRefused, Undecodable
from dari.fields import section
from dari.netlink.address import list_addresses
from dari.netlink.conntrack import UDP, forget_connections, list_connections
from dari.netlink.link import get_link
from dari.netlink.route import find_route
from dari.nft import hostports
from dari.nft.hostrules import hostport_elements, hostport_section
from dari.nft.section import without
from dari.wiring import records, sysctl
from dari.wiring.failures import quietly
from dari.wiring.ports import parse_mappings
from dari.wiring.remains import is_lost

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from dari.model import Owner
    from dari.netlink.conntrack import Connection
    from dari.nft.changes import Changes
    from dari.nft.hostrules import Claim
    from dari.paths import Paths
    from dari.wiring.host import Host

PART = "portmap"
_LOCALNET = "net/ipv4/conf/{}/route_localnet"
Port = tuple[str, int]


def take(host: Host, wanted: Sequence[Claim], before: Sequence[Port]) -> None:
    """Lead host ports to a pod, all or none.

    Args:
        host: the node.
        wanted: one attachment's.
        before: protocols and ports that it may have had until now.

    Raises:
        Held: another pod has one of them.
        FirewallRefused: libnftables is missing or says no.
        Undecodable: a port's file is damaged.
    """
    with host.changing_table() as changes:
        lost = _clear_the_dead(host, wanted)
        kept = {(each.protocol, each.port) for each in wanted}
        given_up = [each for each in before if each not in kept]
        lost += hostports.release(host.paths, wanted[0].owner, given_up)
        if lost:
            _change(host, changes, (), lost)
        replaced = hostports.claim(host.paths, wanted)
        _change(host, changes, wanted, replaced)
    host.when_table_is_changed(lambda: quietly(lambda: _forget_stale(host, wanted)))


def give_back(host: Host, owner: Owner, ports: Sequence[Port], *, unsure: bool) -> None:
    """Let nothing lead to a pod any more.

    Args:
        host: the node.
        owner: the attachment.
        ports: protocols and ports that it may have.
        unsure: whether an earlier attempt may have got as far as some or all of the files,
            and no further.

    Raises:
        FirewallRefused: libnftables is missing or says no.
        Undecodable: a port's file is damaged.
    """
    with host.changing_table() as changes:
        lost = hostports.release(host.paths, owner, ports)
        had = {(each.protocol, each.port) for each in lost}
        if unsure and not (had and had.issuperset(ports)):
            changes.rebuild()
        elif lost:
            _change(host, changes, (), lost)
    host.when_table_is_changed(lambda: quietly(lambda: _forget_answers(host, lost)))


def ports_of(paths: Paths, owner: Owner) -> list[Port]:
    """Protocols and ports that an attachment's record, or any file, says it has.

    Raises:
        Undecodable: a port's file is damaged.
    """
    try:
        record = records.find(paths, owner, PART)
        mappings = () if record is None else parse_mappings(section(record.conf, "runtimeConfig"))
        return [(each.protocol, each.host_port) for each in mappings]
    except (Undecodable, BadConfig):
        claims = [each for each in hostports.read_claims(paths) if each.owner == owner]
        return [(each.protocol, each.port) for each in claims]


def open_localnet(host: Host, claims: Sequence[Claim]) -> None:
    """Let connections from 127.0.0.1 leave by the pods' link.

    Raises:
        IOFailure: the setting may not be written.
    """
    for name in localnet_settings(host, claims):
        sysctl.ensure(host.paths, name, "1")


def localnet_settings(host: Host, claims: Sequence[Claim]) -> Iterator[str]:
    """The settings, one for each link by which such pods are reached."""
    targets = {each.to for each in claims if each.to.version == 4 and each.group.sources}
    if targets and host.laid is not None and host.laid.device:
        yield _LOCALNET.format(host.laid.device)
        return
    for target in sorted(targets):
        try:
            device = find_route(host.rtnl, target).device
            yield _LOCALNET.format(get_link(host.rtnl, index=device).name)
        except KernelRefused:
            continue  # not reachable from here, so not from 127.0.0.1 either


def _forget_stale(host: Host, claims: Sequence[Claim]) -> None:
    """Forget UDP connections to these host ports that lead elsewhere."""
    datagrams = _of_datagrams(claims)
    if not datagrams:
        return  # most pods
    local = {each.interface.ip for each in list_addresses(host.rtnl)}

    def stale(each: Connection, claim: Claim) -> bool:
        here = each.dst in local or each.dst.is_loopback
        meant = here and each.dst in claim.at
        return meant and (each.answerer, each.answerer_port) != (claim.to, claim.to_port)

    _forget(host, datagrams, stale)


def _forget_answers(host: Host, claims: Sequence[Claim]) -> None:
    """Forget UDP connections that these host ports led to their pods."""
    _forget(host, _of_datagrams(claims), lambda each, claim: each.answerer == claim.to)


def _clear_the_dead(host: Host, wanted: Sequence[Claim]) -> tuple[Claim, ...]:
    """Give back what stands in the way and belongs to pods that are gone.

    A claim is made after its record and given back before it, so that one without a
    record is nobody's.
    """
    lost: tuple[Claim, ...] = ()
    for port in dict.fromkeys((each.protocol, each.port) for each in wanted):
        for claim in hostports.read_port(host.paths, *port):
            in_the_way = claim.owner != wanted[0].owner and any(map(claim.meets, wanted))
            if in_the_way and is_lost(host, claim.owner, PART):
                lost += hostports.release(host.paths, claim.owner, [port])
    return lost


def _change(host: Host, changes: Changes, gained: Sequence[Claim], lost: Sequence[Claim]) -> None:
    chains = hostport_section(hostports.read_groups(host.paths))
    new, old = hostport_elements(gained), hostport_elements(lost)
    changes.change(chains, without(new, old), without(old, new))


def _of_datagrams(claims: Sequence[Claim]) -> list[Claim]:
    return [each for each in claims if each.protocol == "udp"]


def _forget(
    host: Host, claims: Sequence[Claim], chosen: Callable[[Connection, Claim], bool]
) -> None:
    if not claims:
        return
    with host.tools.socket() as sock:
        for claim in claims:
            version, port = claim.to.version, claim.port
            found = list_connections(sock, version=version, protocol=UDP, port=port)
            forget_connections(sock, [each for each in found if chosen(each, claim)])
