"""Joins a pod to the node alone: a cable with the gateway on its host end, and no bridge.

The pod has its address with the whole prefix, and reaches all of it by the
gateway. The node holds the gateway as a /32 (or /128) on each cable, and a
route to each pod.

Source: the reference plugin's documentation and effects (plugins/main/ptp).
May import: addr, errors, fields, model, netlink, nft, record, wiring.
"""

from __future__ import annotations

from dari.addr import host_prefix, link_local_of
from dari.errors import BadConfig
from dari.fields import flag
from dari.model import Interface, Result
from dari.netlink.address import add_address, list_addresses
from dari.netlink.link import get_link, refresh_link
from dari.netlink.linkchange import change_link
from dari.netlink.route import KernelRoute, add_route, list_routes
from dari.record import Record
from dari.wiring import cable, sysctl
from dari.wiring.attachment import masqueraded
from dari.wiring.conf import check_masquerade_backend, parse_mtu
from dari.wiring.failures import quietly
from dari.wiring.making import make
from dari.wiring.names import alias
from dari.wiring.plan import make_point_to_point_plan
from dari.wiring.solicitation import await_solicitations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

    from dari.model import Request
    from dari.netlink.link import Link
    from dari.wiring.addresses import AddressSource
    from dari.wiring.host import Host
    from dari.wiring.making import Site
    from dari.wiring.plan import Plan

_SCOPE_HOST = 254


class PtpConf(Record):
    """A `ptp` configuration; `mtu` in bytes, 0 for the kernel's own choice."""

    masquerade: bool
    mtu: int


def parse_ptp(request: Request) -> PtpConf:
    """Read the configuration of type `ptp`.

    Raises:
        BadConfig: a key has a wrong value, or there is no `ipam`.
    """
    raw = request.conf.raw
    if not request.conf.ipam:
        raise BadConfig("ipam: missing, and ptp needs addresses")
    check_masquerade_backend(raw)
    return PtpConf(masquerade=flag(raw, "ipMasq"), mtu=parse_mtu(raw))


def attach(request: Request, host: Host, conf: PtpConf, source: AddressSource) -> Result:
    """Join a pod to the node.

    Raises:
        BadNamespace: CNI_NETNS is no network namespace.
        BadEnvironment: the interface exists already.
        DariError: whatever failed; what was done before is undone.
    """

    def clear(site: Site) -> None:
        cable.make_room(host, site.pod, request)

    def wire(site: Site, leased: Result) -> Result:
        plan = make_point_to_point_plan(leased.ips, leased.routes)
        return _wire(request, host, conf, plan, site)

    return make(request, host, source, clear, wire)


def _wire(request: Request, host: Host, conf: PtpConf, plan: Plan, site: Site) -> Result:
    sysctl.ensure_forwarding(host.paths, plan.versions)
    if conf.masquerade:
        host.masquerade(request.conf.name, masqueraded(plan.ips))
    site.undo.callback(quietly, lambda: cable.cut(host.rtnl, request.owner))
    end = cable.lay(host.rtnl, site.namespace, request.owner, mac=plan.mac, mtu=conf.mtu)
    if 6 in plan.versions:
        sysctl.allow_ipv6(site.namespace, host.paths, request.ifname)
    cable.configure(site.pod, cable.pod_end(site.pod, end, request.ifname, plan.mac), plan)
    _finish(request, host, plan, end)
    # Asking for an end makes the kernel bring its idea of the carrier up to date
    # now, not in a moment: until then, packets may be dropped.
    pod_end = get_link(site.pod, name=request.ifname)
    await_solicitations(site.pod, pod_end.index, plan.addresses)
    await_solicitations(host.rtnl, end.index, [each.ip for each in plan.gateways])
    interfaces = (
        Interface(name=end.name, mac=end.mac),
        Interface(name=request.ifname, mac=pod_end.mac, sandbox=request.netns),
    )
    return Result(interfaces=interfaces, ips=plan.ips, routes=plan.routes)


def _finish(request: Request, host: Host, plan: Plan, end: Link) -> None:
    """Set the host end up with gateways and routes; its alias comes last.

    Its link-local address is given as the pod's is: while one of the kernel's
    own is being tried (DAD), no neighbour is asked for, and packets wait.
    """
    requests = [add_address(end.index, gateway) for gateway in dict.fromkeys(plan.gateways)]
    if 6 in plan.versions:
        requests.insert(0, change_link(index=end.index, addr_gen_mode=cable.ADDR_GEN_NONE))
        requests.append(add_address(end.index, link_local_of(end.mac)))
    requests.append(change_link(index=end.index, up=True))
    requests += [add_route(route) for route in _routes_to_pod(plan, end)]
    requests.append(change_link(index=end.index, alias=alias(request.conf.name, request.owner)))
    refresh_link(host.rtnl, end.index, after=requests)


def _routes_to_pod(plan: Plan, end: Link) -> list[KernelRoute]:
    return [
        KernelRoute(
            dst=host_prefix(ip.address.ip),
            device=end.index,
            scope=_SCOPE_HOST if ip.address.version == 4 else None,
        )
        for ip in plan.ips
    ]


def node_damage(request: Request, host: Host, plan: Plan, end_name: str) -> Iterator[str]:
    """What is wrong with the node's end of the link.

    Args:
        request: CHECK.
        host: the node.
        plan: the addresses it should have.
        end_name: the host end, as the result names it.
    """
    end = cable.find_link(host.rtnl, end_name)
    if end is None:
        yield "the cable's host end is missing"
        return
    if not end.up:
        yield f"the cable's host end {end.name} is down"
    present = {each.interface for each in list_addresses(host.rtnl, index=end.index)}
    for gateway in plan.gateways:
        if gateway not in present:
            yield f"the cable's host end {end.name} lacks the gateway address {gateway}"
    there = {(route.dst, route.device) for route in list_routes(host.rtnl)}
    for wanted in _routes_to_pod(plan, end):
        if (wanted.dst, wanted.device) not in there:
            yield f"the node lacks its route to the pod, {wanted.dst} dev {end.name}"
