"""A pod's cable: a veth pair, one end on the node, the other in the pod.

The pair is made with its far end straight in the pod's namespace, so that both
ends exist or neither does, and nothing is ever renamed. The alias, set last,
commits it: a host end without one was left by an ADD that was killed.

May import: addr, errors, model, netlink, record, wiring.names, wiring.plan,
wiring.records.
"""

from __future__ import annotations

import os
from contextlib import suppress

from dari.addr import link_local_of
from dari.errors import BadEnvironment, NotFound, Undecodable
from dari.netlink.address import add_address
from dari.netlink.link import Link, get_link, refresh_link
from dari.netlink.linkchange import add_veth, change_link, change_port, delete_link
from dari.netlink.route import add_route
from dari.wiring import records
from dari.wiring.names import alias, host_end, is_condemned, is_host_end, owner_of
from dari.wiring.plan import kernel_routes

_SMALLEST_IPV6_MTU = 1280  # RFC 8200, section 5

TYPE_CHECKING = False
if TYPE_CHECKING:
    from dari.model import Owner, Request
    from dari.netlink import codec
    from dari.netlink.namespace import Namespace
    from dari.netlink.sock import NetlinkSocket
    from dari.wiring.host import Host
    from dari.wiring.plan import Plan

ADDR_GEN_NONE = 1  # IN6_ADDR_GEN_MODE_NONE: no link-local of the kernel's own, so no wait for it


def find_link(sock: NetlinkSocket, name: str) -> Link | None:
    """The link, or None where it is not there."""
    with suppress(NotFound):
        return get_link(sock, name=name)
    return None


def make_room(host: Host, pod: NetlinkSocket, request: Request) -> None:
    """Refuse an ADD whose interface exists, and clear away what is left of an earlier one.

    The same container may come back in another namespace while its cable of before
    is still there, or that cable's lease.

    Raises:
        BadEnvironment: the interface exists and was finished, or is not dari's; or
            the attachment has a cable to another namespace.
        TryAgain: what was there before does not go.
    """
    if host.services is not None:
        host.services.hurry(request.owner)
    end = find_link(host.rtnl, host_end(request.owner))
    if end is not None and _is_left_over(host, request.owner, end):
        delete_quietly(host.rtnl, end.name)
        end = None
    if find_link(pod, request.ifname) is not None and not _is_cleared(host, pod, request):
        raise BadEnvironment(
            f"CNI_IFNAME: {request.ifname} already exists in {request.netns}",
            "call DEL for this attachment first, or name another interface",
        )
    if end is not None:
        raise BadEnvironment(
            f"CNI_CONTAINERID: {request.container_id} has {request.ifname} already, and in"
            f" another namespace than {request.netns}",
            "call DEL for this attachment first",
        )


def _is_cleared(host: Host, pod: NetlinkSocket, request: Request) -> bool:
    """Was the interface the cable of another pod that has ended there, and is it gone now?"""
    near = find_link(pod, request.ifname)
    far = _far_end(host.rtnl, near) if near is not None and near.kind == "veth" else None
    if near is not None and far is not None and is_condemned(far.alias):
        owner = owner_of(far.alias)
        if far.peer_index != near.index:
            return False  # a link of another namespace has that number too
        if host.services is not None and owner is not None:
            host.services.hurry(owner)
        else:
            delete_quietly(host.rtnl, far.name)
    return find_link(pod, request.ifname) is None


def _is_left_over(host: Host, owner: Owner, end: Link) -> bool:
    """Was it condemned, or never finished, or is its pod's namespace gone?

    The kernel takes a while to remove what was in a namespace.
    """
    if is_condemned(end.alias) or not end.alias:
        return True
    with suppress(Undecodable):
        record = records.find(host.paths, owner)
        return record is not None and not record.alive
    return False


def condemn(rtnl: NetlinkSocket, name: str, request: Request) -> bool:
    """Set a link of a pod's down, and mark it for deletion; False where there is none.

    It cuts the pod off at once where it is the host end of its cable.

    Equivalent to: ``ip link set NAME down alias "dari- NETWORK CONTAINER IFNAME"``.
    """
    mark = alias(request.conf.name, request.owner, condemned=True)
    try:
        rtnl.transact([change_link(name=name, up=False, alias=mark)])
    except NotFound:
        return False
    return True


def lay(
    rtnl: NetlinkSocket,
    namespace: Namespace,
    owner: Owner,
    *,
    mac: str = "",
    mtu: int = 0,
    master: int = 0,
) -> Link:
    """Make the pair, both ends down, the host end on a bridge, if one is given.

    Set up before the pod's end is, and so without a carrier, the host end would have its
    bridge take the port in, out and in again, and look at all other ports each time.

    Equivalent to: ``ip link add NAME master MASTER mtu MTU type veth peer name IFNAME
    address MAC netns NETNS``.

    Args:
        rtnl: the node's.
        namespace: the pod's.
        owner: the attachment, which gives both ends their names.
        mac: the container end's; empty for the kernel's choice.
        mtu: in bytes; 0 for the kernel's choice.
        master: index of the bridge; 0 for none.

    Returns:
        The host end.

    Raises:
        KernelRefused: the kernel says no.
    """
    name = host_end(owner)
    pair = add_veth(
        name,
        peer=owner.ifname,
        peer_netns=namespace.fd,
        peer_mac=mac,
        mtu=mtu,
        master=master,
    )
    requests = [pair]
    if master and has_ipv6(mtu):
        # A bridge's port needs no address of its own; the kernel would give it one, and
        # tell every other port of the bridge, which a thousandth pod's start pays for.
        requests.append(change_link(name=name, addr_gen_mode=ADDR_GEN_NONE))
    return get_link(rtnl, name=name, after=requests)


def pod_end(pod: NetlinkSocket, end: Link, ifname: str, mac: str) -> Link:
    """The end of a new cable that is in the pod, from what the host end tells of it.

    Args:
        pod: the pod's.
        end: the host end.
        ifname: what the container end is called.
        mac: what was asked for; empty where the kernel chose, and has to be asked.
    """
    if not mac or not end.peer_index:
        return get_link(pod, name=ifname)
    return Link(index=end.peer_index, name=ifname, kind=end.kind, mac=mac, mtu=end.mtu)


def has_ipv6(mtu: int) -> bool:
    """Does the kernel know IPv6, and a link of this MTU have it (RFC 8200, section 5)?"""
    return (not mtu or mtu >= _SMALLEST_IPV6_MTU) and os.path.exists("/proc/sys/net/ipv6")


def configure(
    pod: NetlinkSocket,
    end: Link,
    plan: Plan,
    *,
    detect_duplicates: bool = False,
    up: bool = True,
) -> None:
    """Give the container end its addresses and routes, and set it up, in one datagram.

    Serves any link that is to be a pod's, not cables alone.

    Args:
        pod: the pod's.
        end: the container end.
        plan: its addresses and routes.
        detect_duplicates: look for others that hold its IPv6 addresses before they are used.
        up: whether it is set up at all.

    Raises:
        KernelRefused: the kernel says no.
    """
    requests = _pod_requests(end, plan, detect_duplicates)
    # The kernel reads `arp_notify` once the link is up, and so does not announce at once. A
    # point-to-point link has nobody to announce itself to but the node, which knows.
    announces = True if plan.versions and not plan.point_to_point else None
    if up or announces:
        requests.append(change_link(index=end.index, up=up or None, arp_notify=announces))
    requests += [add_route(route) for route in kernel_routes(plan, end.index)]
    pod.transact(requests)


def announce(pod: NetlinkSocket, end: Link) -> None:
    """Send a gratuitous ARP from a pod: with `arp_notify`, setting its MAC again does.

    Raises:
        KernelRefused: the kernel says no; NotFound where the pod is gone.
    """
    pod.transact([change_link(index=end.index, mac=end.mac)])


def commit(
    rtnl: NetlinkSocket,
    pod: NetlinkSocket,
    request: Request,
    ends: tuple[Link, Link],
    *,
    hairpin: bool = False,
    isolated: bool = False,
) -> None:
    """Finish the host end: port options, alias and up. From here on, packets get through.

    Args:
        rtnl: the node's.
        pod: the pod's.
        request: ADD.
        ends: the host end, and the container end.
        hairpin: frames may leave by the port that they came from.
        isolated: none pass to other isolated ports.

    Raises:
        KernelRefused: the kernel says no.
    """
    end, pod_end = ends
    mark = alias(request.conf.name, request.owner)
    # One after the other: a link that is up tells all who listen of its new alias, and has
    # the node look through its routes, since it has no carrier yet.
    requests = [
        change_link(index=end.index, alias=mark),
        change_link(index=end.index, up=True),
    ]
    if hairpin or isolated:
        requests.insert(0, change_port(index=end.index, hairpin=hairpin, isolated=isolated))
    refresh_link(rtnl, end.index, after=requests)
    refresh_link(pod, pod_end.index)


def _pod_requests(end: Link, plan: Plan, detect_duplicates: bool) -> list[codec.Request]:
    """A pod without IPv6 addresses gets no link-local one either, and a pod with them gets
    it from us, unless duplicates are to be detected: the kernel's own would be waited for.
    """
    six = 6 in plan.versions
    quiet = not (six and detect_duplicates) and bool(plan.versions) and has_ipv6(end.mtu)
    requests = [change_link(index=end.index, addr_gen_mode=ADDR_GEN_NONE)] if quiet else []
    requests += [
        add_address(
            end.index,
            ip.address,
            dad=detect_duplicates and ip.address.version == 6,
            prefix_route=not plan.point_to_point,
        )
        for ip in plan.ips
    ]
    if six and quiet:
        requests.append(add_address(end.index, link_local_of(end.mac)))
    return requests


def cut(rtnl: NetlinkSocket, owner: Owner) -> bool:
    """Delete an attachment's cable; True where it was there."""
    return delete_quietly(rtnl, host_end(owner))


def cut_from_inside(pod: NetlinkSocket, ifname: str, rtnl: NetlinkSocket) -> bool:
    """Delete a cable that another program laid, by the pod's end of it.

    A cable of dari's own is left alone: it belongs to an attachment that is
    newer than the one whose DEL this is, or it would have had its name.

    Returns:
        True where one was deleted.
    """
    end = find_link(pod, ifname)
    if end is None or end.kind != "veth":
        return False
    far = _far_end(rtnl, end)
    if far is not None and is_host_end(far.name):
        return False
    return delete_quietly(pod, ifname)


def _far_end(rtnl: NetlinkSocket, end: Link) -> Link | None:
    with suppress(NotFound):
        return get_link(rtnl, index=end.peer_index)
    return None


def delete_quietly(sock: NetlinkSocket, name: str) -> bool:
    """Delete a link; False where it is not there."""
    try:
        sock.transact([delete_link(name=name)])
    except NotFound:
        return False
    return True
