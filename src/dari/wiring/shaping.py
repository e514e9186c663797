"""Limits how fast a pod sends and receives: the work of type `bandwidth`.

What the pod receives is what the cable's host end sends: a token bucket there
limits it. What the pod sends comes in at the host end, where the kernel can
only drop, not delay; so it is redirected to a device that sends it back, and a
bucket on that device limits it. The host end takes its own settings along when
it goes; the device must be deleted.

Source: Documentation/networking and tc-tbf(8), tc-mirred(8), ifb; the reference
plugin's effects.
May import: errors, model, netlink, wiring.
"""

from __future__ import annotations

from contextlib import ExitStack

from dari.errors import AlreadyExists, KernelRefused
from dari.model import Interface
from dari.netlink.devices import add_ifb
from dari.netlink.link import get_link
from dari.netlink.linkchange import change_link
from dari.netlink.traffic import (
    add_ingress,
    clear_bucket,
    delete_ingress,
    is_idle,
    list_qdiscs,
    redirect_all,
    redirected_to,
    set_bucket,
)
from dari.wiring.cable import ADDR_GEN_NONE, condemn, delete_quietly, find_link, has_ipv6
from dari.wiring.failures import quietly
from dari.wiring.names import alias, shaper

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

    from dari.model import Owner, Request
    from dari.netlink import codec
    from dari.netlink.link import Link
    from dari.netlink.traffic import Bucket
    from dari.wiring.host import Host
    from dari.wiring.limits import Limits


def shape(request: Request, host: Host, end: Link, limits: Limits) -> Interface | None:
    """Limit a pod's traffic; what was done is undone when a later step fails.

    Args:
        request: ADD.
        host: the node.
        end: the node's end of the pod's cable.
        limits: how fast.

    Returns:
        The device that what the pod sends goes through, if that is limited.

    Raises:
        KernelRefused: the kernel says no.
    """
    requests: list[codec.Request] = []
    with ExitStack() as undo:
        device = None
        if limits.egress is not None:
            device = _add_device(host, end, shaper(request.owner))
            undo.callback(quietly, lambda: delete_quietly(host.rtnl, device.name))
            undo.callback(quietly, lambda: host.rtnl.transact([delete_ingress(end.index)]))
            mark = alias(request.conf.name, request.owner)
            requests += [
                set_bucket(device.index, limits.egress),
                change_link(index=device.index, up=True, alias=mark),
                redirect_all(end.index, device.index),
            ]
        if limits.ingress is not None:
            undo.callback(quietly, lambda: host.rtnl.transact([clear_bucket(end.index)]))
            requests.append(set_bucket(end.index, limits.ingress))
        host.rtnl.transact(requests)
        undo.pop_all()
    return None if device is None else Interface(name=device.name, mac=device.mac, mtu=device.mtu)


def unshape(host: Host, owner: Owner) -> bool:
    """Delete the device of an attachment; True where it was there."""
    return delete_quietly(host.rtnl, shaper(owner))


def unshape_soon(host: Host, request: Request) -> bool:
    """The same in a DEL, where the process lives on: the device goes with others, later.

    For the kernel's readers it waits as for those of a cable; until it is gone the pod, which
    is about to go, sends nothing.
    """
    if host.services is None:
        return unshape(host, request.owner)
    name = shaper(request.owner)
    if not condemn(host.rtnl, name, request):
        return False
    host.services.expect_end(name, request.owner, _nothing_more)
    return True


def _nothing_more() -> None:
    """The device's end leaves nothing to be done."""


def shaping_damage(request: Request, host: Host, end: Link, limits: Limits) -> Iterator[str]:
    """What is wrong with the limits.

    Args:
        request: CHECK.
        host: the node.
        end: the node's end of the pod's cable.
        limits: how fast it should be.
    """
    if limits.ingress is not None and not _has_bucket(host, end, limits.ingress):
        yield f"what the pod receives is not limited as it should be on {end.name}"
    if limits.egress is not None:
        yield from _egress_damage(request, host, end, limits.egress)


def _add_device(host: Host, end: Link, name: str) -> Link:
    """Make the device, which is down yet, and the end's ingress, both or neither.

    Either may be left of an ADD that was killed, or of one whose DEL came while the cable
    stays: the device by its name, an ingress by its leading nowhere.

    Raises:
        KernelRefused: the kernel says no, as where the end has another program's ingress.
    """
    requests = [add_ifb(name, mtu=end.mtu)]
    if has_ipv6(end.mtu):
        # Of an address of its own, which it has no use for, all who listen would be told.
        requests.append(change_link(name=name, addr_gen_mode=ADDR_GEN_NONE))
    requests.append(add_ingress(end.index))
    try:
        return get_link(host.rtnl, name=name, after=requests)
    except AlreadyExists:
        delete_quietly(host.rtnl, name)
        if is_idle(host.rtnl, index=end.index):
            quietly(lambda: host.rtnl.transact([delete_ingress(end.index)]))
    except KernelRefused:
        delete_quietly(host.rtnl, name)
        raise
    try:
        return get_link(host.rtnl, name=name, after=requests)
    except KernelRefused:
        delete_quietly(host.rtnl, name)
        raise


def _has_bucket(host: Host, link: Link, bucket: Bucket) -> bool:
    return any(each.holds(bucket) for each in list_qdiscs(host.rtnl, index=link.index))


def _egress_damage(request: Request, host: Host, end: Link, bucket: Bucket) -> Iterator[str]:
    name = _device_name(request)
    device = find_link(host.rtnl, name)
    if device is None:
        yield f"the device {name}, which limits what the pod sends, is missing"
        return
    if not device.up:
        yield f"the device {name}, which limits what the pod sends, is down"
    if not _has_bucket(host, device, bucket):
        yield f"what the pod sends is not limited as it should be on {name}"
    if device.index not in redirected_to(host.rtnl, index=end.index):
        yield f"what the pod sends is not redirected from {end.name} to {name}"


def _device_name(request: Request) -> str:
    """dari's own, or where the result does not name it, the one the reference made."""
    ours, previous = shaper(request.owner), request.conf.prev_result
    on_host = [] if previous is None else [e.name for e in previous.interfaces if not e.sandbox]
    theirs = [name for name in on_host if name.startswith("bwp")]
    return ours if ours in on_host or not theirs else theirs[0]
