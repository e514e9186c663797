"""Where this node is: which of its addresses the peers should use. Pure.

Order: what was given (``node-address``, then ``interface``); else the interface
of the default route; else the only interface with an address, bridges that lead only
to this machine's own containers left out. Where several would do, guessing is how
clusters end up on the wrong network, so that is an error which lists them.

May import: model, netlink, record, routing, wiring.names, agent.backends,
agent.config, agent.observe.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

from dari.agent.backends import own_speech
from dari.agent.config import AgentConfig
from dari.agent.messages import _
from dari.agent.observe import Observed
from dari.netlink.address import Address
from dari.record import Record
from dari.routing.desired import is_tunnel
from dari.routing.peer import Speech
from dari.wiring.names import is_host_end

if TYPE_CHECKING:
    from dari.model import IPAddress

# linux/if_addr.h: secondary (temporary for IPv6), DAD failed, deprecated, tentative
_PASSED_OVER = 0x01 | 0x08 | 0x20 | 0x40
_UNIVERSE = 0  # RT_SCOPE_UNIVERSE
_LOOPBACK = 0x8  # IFF_LOOPBACK
_MOST_MACS = 64
_LARGEST_MTU = 65535  # of an IP packet; lo has one more, and carries none between nodes


class Location(Record):
    """The node's addresses, one of each family that has one.

    Attributes:
        device: index of the link that holds the first; 0: there is none.
        mtu: that link's, in bytes; 0: unknown, as for an address on the loopback.
        macs: of all links that might have been chosen, in order.
        speech: what the node's record says of its backend.
        problems: in words, why a family has none.
    """

    addresses: tuple[IPAddress, ...] = ()
    device: int = 0
    interface: str = ""
    mac: str = ""
    mtu: int = 0
    macs: tuple[str, ...] = ()
    speech: Speech = Speech()
    problems: tuple[str, ...] = ()


class _Candidate(Record):
    address: IPAddress
    device: int
    link: str
    inside: bool = False

    def __str__(self) -> str:
        return f"{self.link} {self.address}"


def locate(config: AgentConfig, observed: Observed, current: Sequence[IPAddress] = ()) -> Location:
    """Choose the node's addresses.

    Args:
        config: `node_addresses`, `interface`, and what is the pods'.
        observed: the node's links, addresses and routes.
        current: what was chosen last; kept while it is as good as another.
    """
    candidates = _candidates(config, observed, current)
    chosen: list[_Candidate] = []
    problems: list[str] = []
    for version in _versions(config, candidates):
        of_version = [each for each in candidates if each.address.version == version]
        if chosen and version not in config.versions:
            found: list[_Candidate] | str = _on({each.link for each in chosen}, of_version)
        else:
            found = _choose(version, config, observed, of_version, chosen)
        if isinstance(found, str):
            problems.append(found)
        elif found:
            chosen.append(next((each for each in found if each.address in current), found[0]))
    link = observed.link(chosen[0].device) if chosen else None
    return Location(
        addresses=tuple(each.address for each in chosen),
        device=link.index if link else 0,
        interface=link.name if link else "",
        mac=link.mac if link else "",
        mtu=link.mtu if link and link.mtu <= _LARGEST_MTU else 0,
        macs=_macs(candidates, observed),
        speech=own_speech(config.backend, config.node_name, observed.links),
        problems=tuple(problems),
    )


def _macs(candidates: Iterable[_Candidate], observed: Observed) -> tuple[str, ...]:
    devices = {each.device for each in candidates}
    found = {each.mac for each in observed.links if each.index in devices and each.mac}
    return tuple(sorted(found))[:_MOST_MACS]


def _versions(config: AgentConfig, candidates: Sequence[_Candidate]) -> Sequence[int]:
    """Of which IP versions an address is needed.

    Of those of the pods, unless a tunnel carries them over whatever the nodes have.
    """
    if not config.backend.any_underlay:
        return config.versions
    given = {each.version for each in config.node_addresses}
    usable = _on({config.interface}, candidates) if config.interface else candidates
    return sorted(given or {each.address.version for each in usable}) or config.versions


def _candidates(
    config: AgentConfig, observed: Observed, current: Sequence[IPAddress]
) -> list[_Candidate]:
    names = {
        link.index: link.name
        for link in observed.links
        if link.name != config.bridge
        and not is_host_end(link.name)
        and not (link.kind == "vxlan" and is_tunnel(link.name))
        and (not link.flags & _LOOPBACK or config.node_addresses)
    }
    usable = [each for each in observed.addresses if each.index in names and _is_usable(each)]
    known = {each.index for each in usable if each.interface.ip in current}
    inside = _bridges_inside(observed) - known
    return [
        _Candidate(
            address=each.interface.ip,
            device=each.index,
            link=names[each.index],
            inside=each.index in inside,
        )
        for each in usable
    ]


def _is_usable(address: Address) -> bool:
    ip = address.interface.ip
    return (
        address.scope == _UNIVERSE
        and not address.flags & _PASSED_OVER
        and not (ip.is_loopback or ip.is_link_local or ip.is_multicast or ip.is_unspecified)
    )


def _choose(
    version: int,
    config: AgentConfig,
    observed: Observed,
    candidates: Sequence[_Candidate],
    chosen: Sequence[_Candidate],
) -> list[_Candidate] | str:
    """The best candidates, all on one link; none; or why none can be told."""
    given = [each for each in config.node_addresses if each.version == version]
    if given:
        found = [each for each in candidates if each.address in given]
        return found or _absent(
            _("node-address {address}: no link holds it").format(address=given[0]), candidates
        )
    if config.interface:
        found = _on({config.interface}, candidates)
        return found or _absent(
            _("interface {interface}: it has no IPv{version} address that others reach").format(
                interface=config.interface, version=version
            ),
            candidates,
        )
    return (
        _on({each.link for each in chosen}, candidates)
        or _on_default_route(version, observed, candidates)
        or _only_one(version, candidates, chosen)
    )


def _on(links: Iterable[str], candidates: Sequence[_Candidate]) -> list[_Candidate]:
    return [each for each in candidates if each.link in links]


def _on_default_route(
    version: int, observed: Observed, candidates: Sequence[_Candidate]
) -> list[_Candidate]:
    """Candidates on the link of the best default route; none where two are as good."""
    defaults = [
        route
        for route in observed.routes
        if route.dst.version == version and route.dst.prefixlen == 0
    ]
    best = min((route.metric for route in defaults), default=0)
    devices = {
        hop.device for route in defaults if route.metric == best for hop in (route.hops or (route,))
    }
    if len(devices) != 1:
        return []
    return [each for each in candidates if each.device in devices]


def _only_one(
    version: int, candidates: Sequence[_Candidate], chosen: Sequence[_Candidate]
) -> list[_Candidate] | str:
    outward = [each for each in candidates if not each.inside]
    # On a machine with no other link, a bridge is as good as none, and no trouble.
    found = outward if outward or chosen else candidates
    if len({each.device for each in found}) <= 1:
        return list(found)
    return _(
        "several links have an IPv{version} address and no default route tells which is the "
        "node's: {links}; give --interface or --node-address"
    ).format(version=version, links=_listed(candidates))


def _bridges_inside(observed: Observed) -> frozenset[int]:
    """Bridges, by index, that lead to containers of this machine and to nobody else.

    Such are those of other networks: of a bridge plugin's, of Podman, of Docker.
    """
    bridges = {link.index for link in observed.links if link.kind == "bridge"}
    outward = {link.master for link in observed.links if link.kind != "veth"}
    return frozenset(bridges - outward)


def _absent(complaint: str, candidates: Sequence[_Candidate]) -> str:
    return _("{complaint}; there are: {links}").format(
        complaint=complaint, links=_listed(candidates) or _("none")
    )


def _listed(candidates: Iterable[_Candidate]) -> str:
    return ", ".join(map(str, candidates))
