"""Gives a pod a link of its own on one of the node's: the work of type `macvlan`.

The link is made straight in the pod's namespace, so that nothing of it is ever
on the node: its alias, set last, tells whose it is, and the attachment's record
is what GC finds it by.

Source: the reference plugin's documentation and effects (plugins/main/macvlan).
May import: errors, fields, model, netlink, record, wiring.
"""

from __future__ import annotations

from dari.errors import BadConfig, BadEnvironment, BadNamespace
from dari.fields import flag, number, text
from dari.model import Interface, Result
from dari.netlink.devices import MACVLAN_MODES, add_macvlan, get_macvlan
from dari.netlink.link import get_link
from dari.netlink.linkchange import change_link
from dari.netlink.route import list_routes
from dari.record import Record
from dari.wiring import cable, records, sysctl
from dari.wiring.conf import link_name, parse_mac, parse_mtu, requested_mac
from dari.wiring.failures import noting, quietly, report
from dari.wiring.making import make
from dari.wiring.names import alias, owner_of
from dari.wiring.plan import Plan
from dari.wiring.solicitation import await_solicitations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

    from dari.errors import DariError
    from dari.model import Request
    from dari.netlink.link import Link
    from dari.netlink.sock import NetlinkSocket
    from dari.wiring.addresses import AddressSource
    from dari.wiring.host import Host
    from dari.wiring.making import Site

_KIND = "macvlan"
_U32 = 2**32 - 1


class MacvlanConf(Record):
    """A `macvlan` configuration.

    `master` is empty for the default route's link; `mtu` is in bytes, 0 for the
    master's; `mac` is empty for the kernel's choice; `queue` is in packets, 0
    for the kernel's choice.
    """

    master: str
    in_container: bool
    mode: str
    mtu: int
    mac: str
    queue: int


def parse_macvlan_conf(request: Request) -> MacvlanConf:
    """Read the configuration of type `macvlan`.

    Raises:
        BadConfig: a key has a wrong value.
        BadEnvironment: the MAC in CNI_ARGS is wrong.
    """
    raw = request.conf.raw
    mode = text(raw, "mode") or "bridge"
    if mode not in MACVLAN_MODES:
        raise BadConfig(f"mode: {mode!r} is none of {', '.join(MACVLAN_MODES)}")
    own_mac = parse_mac(raw, "mac")
    return MacvlanConf(
        master=link_name(raw, "master", "") if text(raw, "master") else "",
        in_container=flag(raw, "linkInContainer"),
        mode=mode,
        mtu=parse_mtu(raw),
        mac=requested_mac(request) or own_mac,
        queue=number(raw, "bcqueuelen", high=_U32),
    )


def attach(request: Request, host: Host, conf: MacvlanConf, source: AddressSource) -> Result:
    """Give a pod its link.

    Raises:
        BadNamespace: CNI_NETNS is no network namespace.
        BadEnvironment: the interface exists already.
        BadConfig: there is no master, or its MTU is lower.
        DariError: whatever failed; what was done before is undone.
    """

    def clear(site: Site) -> None:
        _make_room(request, host, site)

    def wire(site: Site, leased: Result) -> Result:
        if request.conf.ipam and not leased.ips:
            raise BadConfig("ipam: it gave no address", "for layer 2 alone, leave ipam out")
        ips = tuple(ip.replace(interface=0) for ip in leased.ips)
        return _wire(request, host, conf, Plan(ips=ips, routes=leased.routes, gateways=()), site)

    return make(request, host, source, clear, wire)


def lower_link(sock: NetlinkSocket, conf: MacvlanConf) -> Link:
    """The link that the pod's is on.

    Args:
        sock: of the namespace that the master is in.
        conf: the configuration.

    Raises:
        BadConfig: there is none, or its MTU is lower than what is asked for.
    """
    lower = _named(sock, conf.master) if conf.master else _of_default_route(sock)
    if conf.mtu > lower.mtu:
        raise BadConfig(f"mtu: {conf.mtu} is more than that of {lower.name}, {lower.mtu}")
    return lower


def detach(request: Request, host: Host, source: AddressSource) -> None:
    """Take a pod's link away, as far as it is there, and give its addresses back.

    Raises:
        DariError: something could not be removed; all else was.
    """
    failures: list[DariError] = []
    with noting(failures):
        _remove(request, host)
    with noting(failures):
        source.delete(request)
    if not failures:
        with noting(failures):
            records.forget(host.paths, request.owner)
    report(f"DEL {request.container_id} {request.ifname}", failures)


def macvlan_damage(
    request: Request, host: Host, pod: NetlinkSocket, conf: MacvlanConf
) -> Iterator[str]:
    """What is wrong with what is particular to a macvlan.

    Args:
        request: CHECK.
        host: the node.
        pod: the pod's.
        conf: what it should be like.
    """
    end = cable.find_link(pod, request.ifname)
    found = None if end is None else get_macvlan(pod, index=end.index)
    if end is None or found is None:
        return  # said already, by whoever looks at the link itself
    if found.mode != conf.mode:
        yield f"{end.name} in the pod has mode {found.mode}, not {conf.mode}"
    if conf.queue and found.queue != conf.queue:
        yield f"{end.name} in the pod has bcqueuelen {found.queue}, not {conf.queue}"
    if conf.master:
        lower = cable.find_link(pod if conf.in_container else host.rtnl, conf.master)
        if lower is None or lower.index != end.peer_index:
            yield f"{end.name} in the pod is not on {conf.master}"


def _make_room(request: Request, host: Host, site: Site) -> None:
    """Refuse an ADD whose interface exists, and clear away what a killed one left."""
    end = cable.find_link(site.pod, request.ifname)
    if end is None:
        return
    record = records.find(host.paths, request.owner)
    known = record is not None and record.inode == site.namespace.identity[1]
    if not known or end.kind != _KIND or end.alias:
        raise BadEnvironment(
            f"CNI_IFNAME: {request.ifname} already exists in {request.netns}",
            "call DEL for this attachment first, or name another interface",
        )
    cable.delete_quietly(site.pod, request.ifname)


def _wire(request: Request, host: Host, conf: MacvlanConf, plan: Plan, site: Site) -> Result:
    sock = site.pod if conf.in_container else host.rtnl
    made = add_macvlan(
        request.ifname,
        lower=lower_link(sock, conf).index,
        mode=conf.mode,
        netns=site.namespace.fd,
        mac=conf.mac,
        mtu=conf.mtu,
        queue=conf.queue,
    )
    sock.transact([made])
    site.undo.callback(quietly, lambda: cable.delete_quietly(site.pod, request.ifname))
    if 6 in plan.versions:
        sysctl.allow_ipv6(site.namespace, host.paths, request.ifname)
    end = get_link(site.pod, name=request.ifname)
    cable.configure(site.pod, end, plan)
    await_solicitations(site.pod, end.index, plan.addresses)
    if plan.versions:
        cable.announce(site.pod, end)
    mark = alias(request.conf.name, request.owner)
    site.pod.transact([change_link(index=end.index, alias=mark)])
    interface = Interface(name=request.ifname, mac=end.mac, sandbox=request.netns)
    return Result(interfaces=(interface,), ips=plan.ips, routes=plan.routes)


def _named(sock: NetlinkSocket, name: str) -> Link:
    found = cable.find_link(sock, name)
    if found is None:
        raise BadConfig(f"master: there is no link {name}", "see: ip link show")
    return found


def _of_default_route(sock: NetlinkSocket) -> Link:
    """The link of the best default route, of IPv4 before IPv6."""
    routes = [route for route in list_routes(sock) if not route.dst.prefixlen]
    for route in sorted(routes, key=lambda each: (each.dst.version, each.metric)):
        device = route.device or next((hop.device for hop in route.hops if hop.device), 0)
        if device:
            return get_link(sock, index=device)
    raise BadConfig("master: missing, and there is no default route to take it from")


def _remove(request: Request, host: Host) -> None:
    if not request.netns:
        return
    try:
        namespace = host.namespace(request.netns)
    except BadNamespace:
        return  # gone, and the link with it
    with namespace, namespace.socket() as pod:
        end = cable.find_link(pod, request.ifname)
        if end is not None and end.kind == _KIND and not _is_anothers(end, request):
            cable.delete_quietly(pod, request.ifname)


def _is_anothers(end: Link, request: Request) -> bool:
    """Was the link made for a newer container that has the old one's namespace?"""
    known = owner_of(end.alias)
    return known is not None and known != request.owner
