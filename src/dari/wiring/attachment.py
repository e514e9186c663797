"""Joins a pod to a bridge, and takes it off: the work of types `bridge` and `dari`.

Everything is decided and checked before the first change; what was done is
undone when a later step fails.

May import: errors, model, netlink, nft, wiring.
"""

from __future__ import annotations

import os

from dari.errors import BadNamespace
from dari.model import Interface, Result
from dari.netlink.link import list_links, refresh_link
from dari.nft import entries, table
from dari.nft.entries import Masqueraded
from dari.wiring import cable, records, sysctl
from dari.wiring.bridge import ensure_bridge
from dari.wiring.failures import noting, quietly, report
from dari.wiring.host import Laid
from dari.wiring.making import make
from dari.wiring.names import belongs_to, host_end, is_own_link
from dari.wiring.plan import make_plan
from dari.wiring.solicitation import await_solicitations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence

    from dari.errors import DariError
    from dari.model import IPConfig, NetConf, Request
    from dari.netlink.link import Link
    from dari.wiring.addresses import AddressSource
    from dari.wiring.conf import BridgeConf
    from dari.wiring.host import Host
    from dari.wiring.making import Site
    from dari.wiring.plan import Plan


def attach(request: Request, host: Host, conf: BridgeConf, source: AddressSource) -> Result:
    """Wire a pod to its bridge.

    Args:
        request: ADD.
        host: the node.
        conf: the configuration, checked.
        source: where the addresses come from.

    Raises:
        BadNamespace: CNI_NETNS is no network namespace.
        BadEnvironment: the interface exists already.
        DariError: whatever failed; what was done before is undone.
    """

    def wire(site: Site, leased: Result) -> Result:
        return _wire(request, host, conf, make_plan(conf, leased.ips, leased.routes), site)

    def clear(site: Site) -> None:
        cable.make_room(host, site.pod, request)

    return make(request, host, source, clear, wire)


def _wire(request: Request, host: Host, conf: BridgeConf, plan: Plan, site: Site) -> Result:
    bridge = _ensure_bridge(host, conf, plan)
    if conf.is_gateway:
        sysctl.ensure_forwarding(host.paths, plan.versions)
    if conf.masquerade:
        host.masquerade(request.conf.name, masqueraded(plan.ips))
    site.undo.callback(quietly, lambda: cable.cut(host.rtnl, request.owner))
    end = cable.lay(
        host.rtnl,
        site.namespace,
        request.owner,
        mac=plan.mac,
        mtu=conf.mtu or bridge.mtu,
        master=bridge.index,
    )
    host.laid = Laid(end=end, device=bridge.name if conf.is_gateway else "")
    pod_end = cable.pod_end(site.pod, end, request.ifname, plan.mac)
    if conf.vlans is not None or conf.guarded:
        _limit_port(request, host, conf, site, end, pod_end)
    if 6 in plan.versions:
        sysctl.allow_ipv6(site.namespace, host.paths, request.ifname)
    cable.configure(
        site.pod, pod_end, plan, detect_duplicates=conf.detect_duplicates, up=conf.pod_up
    )
    cable.commit(
        host.rtnl,
        site.pod,
        request,
        (end, pod_end),
        hairpin=conf.hairpin,
        isolated=conf.isolated,
    )
    if conf.pod_up and not conf.detect_duplicates:
        await_solicitations(site.pod, pod_end.index, plan.addresses)
    if plan.versions and conf.mac:
        _announce(request, host, site, pod_end)
    if not bridge.carrier:
        # With its first port it gets a carrier, and until the kernel's background work
        # has noticed, it drops what it sends.
        refresh_link(host.rtnl, bridge.index)
    return _result(request, plan, bridge, end, pod_end)


def _announce(request: Request, host: Host, site: Site, pod_end: Link) -> None:
    """Tell the bridge's other pods of this one's address, whose MAC somebody chose.

    Nobody need be told of a MAC that follows from its address (`mac_of`): whoever knows the
    address from the pod that had it before knows the right MAC. Where that one was another
    program's, the first ARP request of this one's, for its gateway, tells all who know the
    address. Each other pod has to hear an announcement, which with a thousand takes longer
    than all the rest of the ADD; where the process lives on, it comes after the answer.
    """

    def later() -> None:
        with host.namespace(request.netns) as namespace, namespace.socket() as pod:
            cable.announce(pod, pod_end)

    if host.services is None:
        cable.announce(site.pod, pod_end)
    else:
        host.services.later(later)


def _ensure_bridge(host: Host, conf: BridgeConf, plan: Plan) -> Link:
    if conf.vlans is not None:
        from dari.wiring.vlans import ensure_filtering_bridge  # rarely asked for

        return ensure_filtering_bridge(host, conf, conf.vlans, plan.gateways)
    # Of links that are called as pods' are, nothing is heard.
    if host.services is None or is_own_link(conf.bridge):
        return _ensure_plain_bridge(host, conf, plan)
    bridges = host.services.bridges
    wanted = (conf.bridge, plan.gateways, conf.force_address, conf.promiscuous)
    known, moment = bridges.find(wanted)
    if known is None:
        known = _ensure_plain_bridge(host, conf, plan)
        bridges.keep(wanted, known, moment)
    return known


def _ensure_plain_bridge(host: Host, conf: BridgeConf, plan: Plan) -> Link:
    return ensure_bridge(
        host,
        conf.bridge,
        plan.gateways,
        conf.mtu,
        force_address=conf.force_address,
        promiscuous=conf.promiscuous,
    )


def _limit_port(
    request: Request, host: Host, conf: BridgeConf, site: Site, end: Link, pod_end: Link
) -> None:
    """Hold a new port to its VLANs and its MAC, before the pod can send anything."""
    if conf.vlans is not None:
        from dari.wiring import vlans

        vlans.join(host, end, conf.vlans)
    if conf.guarded:
        from dari.nft import spoofing  # rarely asked for, and 4 ms with its library

        site.undo.callback(quietly, lambda: spoofing.release(host.paths, end.name))
        guarded = spoofing.Guarded(port=end.name, mac=pod_end.mac, network=request.conf.name)
        spoofing.guard(host.paths, guarded)


def detach(request: Request, host: Host, source: AddressSource) -> None:
    """Take a pod off its bridge, as far as anything is left of it.

    The addresses are given back last, so that nobody gets one whose cable is
    still there. A process that lives on only cuts the pod off now: to delete a
    link the kernel waits 20 ms for its readers, but as long for many as for one.

    Raises:
        DariError: something could not be removed; all else was.
    """

    def settle() -> None:
        _unguard(host, host_end(request.owner))
        source.delete(request)
        records.forget(host.paths, request.owner)

    def settle_later() -> None:
        if not records.is_renewed(host.paths, request.owner):
            settle()

    name = host_end(request.owner)
    if host.services is not None and source.may_wait and cable.condemn(host.rtnl, name, request):
        records.end(host.paths, request.owner)
        host.services.expect_end(name, request.owner, settle_later)
        return
    failures: list[DariError] = []
    with noting(failures):
        if not _unplug(request, host):
            _clear_inheritance(request)
    with noting(failures):
        source.delete(request) if failures else settle()
    report(f"DEL {request.container_id} {request.ifname}", failures)


def collect(request: Request, host: Host, source: AddressSource) -> None:
    """GC: remove the cables and leases of this network that no valid attachment holds.

    Raises:
        SeveralFailures: some could not be removed; all others were.
    """
    valid = request.conf.valid_attachments or ()
    kept = {host_end(owner) for owner in valid}
    failures: list[DariError] = []
    for link in list_links(host.rtnl, kind="veth"):
        if belongs_to(link.alias, request.conf.name) and link.name not in kept:
            with noting(failures):
                cable.delete_quietly(host.rtnl, link.name)
    _collect_guards(host, failures)
    with noting(failures):
        source.collect(request)
    for attachment in records.lost_attachments(host.paths, request.conf):
        with noting(failures):
            records.forget(host.paths, attachment.owner)
    if not valid:
        with noting(failures):
            _forget_masquerade(host, request.conf)
    report(f"GC of network {request.conf.name}", failures)


def _unguard(host: Host, port: str) -> None:
    if os.path.exists(host.paths.spoofing):
        from dari.nft import spoofing  # only where a port was guarded since the boot

        spoofing.release(host.paths, port)


def _collect_guards(host: Host, failures: list[DariError]) -> None:
    """Let go of ports that are gone; which are guarded is read before which are there."""
    if not os.path.exists(host.paths.spoofing):
        return
    from dari.nft import spoofing

    guarded = spoofing.ports(host.paths)
    there = {link.name for link in list_links(host.rtnl, kind="veth")}
    for port in guarded:
        if port not in there:
            with noting(failures):
                spoofing.release(host.paths, port)


def _forget_masquerade(host: Host, conf: NetConf) -> None:
    if entries.remove_entry(host.paths, conf.name):
        table.ensure(host.paths)


def _unplug(request: Request, host: Host) -> bool:
    """Delete the pod's cable, whoever laid it; True where it was one of dari's."""
    if cable.cut(host.rtnl, request.owner):
        return True
    if not request.netns:
        return False
    try:
        namespace = host.namespace(request.netns)
    except BadNamespace:
        return False  # gone, and the far end of its cable with it
    with namespace, namespace.socket() as pod:
        cable.cut_from_inside(pod, request.ifname, host.rtnl)
    return False


def _clear_inheritance(request: Request) -> None:
    """Clear the rules of a pod that the reference wired, where it may have made some."""
    raw = request.conf.raw
    if raw.get("ipMasq") or raw.get("macspoofchk"):
        from dari.nft import inherited  # a pod of another's, or a DEL that comes again

        inherited.clear_masquerade(request.conf.name, request.owner)
        inherited.clear_guard(request.owner)


def masqueraded(ips: Sequence[IPConfig]) -> Masqueraded:
    """What `ipMasq` means: masquerade all that leaves the pods' networks."""
    networks = tuple(ip.address.network for ip in ips)
    return Masqueraded(sources=networks, spared=networks)


def _result(request: Request, plan: Plan, bridge: Link, end: Link, pod_end: Link) -> Result:
    interfaces = (
        Interface(name=bridge.name, mac=bridge.mac),
        Interface(name=end.name, mac=end.mac),
        Interface(name=request.ifname, mac=pod_end.mac, sandbox=request.netns),
    )
    return Result(interfaces=interfaces, ips=plan.ips, routes=plan.routes)
