"""What a plugin later in a chain finds of the earlier ones' work.

May import: errors, model, netlink, wiring.
"""

from __future__ import annotations

from contextlib import suppress

from dari.errors import BadConfig, NotFound
from dari.netlink.link import get_link
from dari.wiring.cable import find_link
from dari.wiring.names import host_end

TYPE_CHECKING = False
if TYPE_CHECKING:
    from dari.model import Request, Result
    from dari.netlink.link import Link
    from dari.wiring.host import Host


def previous_result(request: Request) -> Result:
    """What the plugins before this one, or ADD, answered.

    Raises:
        BadConfig: it is missing.
    """
    if request.conf.prev_result is None:
        raise BadConfig(f"prevResult: missing, and {request.command} needs it")
    return request.conf.prev_result


def cable_host_end(request: Request, host: Host) -> Link:
    """The node's end of the pod's cable, whoever laid it.

    dari's own is known by its name. Any other is found from the pod's end, and
    must be listed in prevResult.

    Raises:
        BadConfig: prevResult is missing, or the pod's interface is no cable's end.
        BadNamespace: CNI_NETNS is no network namespace.
        NotFound: the pod has no such interface.
    """
    on_host = [each.name for each in previous_result(request).interfaces if not each.sandbox]
    name = host_end(request.owner)
    if host.laid is not None and host.laid.end.name == name:
        return host.laid.end
    found = find_link(host.rtnl, name) if name in on_host else None
    if found is None:
        found = _far_end(request, host)
    if found is None or found.kind != "veth" or found.name not in on_host:
        raise BadConfig(
            f"prevResult: none of its interfaces is the node's end of {request.ifname}",
            "this works only where a veth joins the pod to its node",
        )
    return found


def _far_end(request: Request, host: Host) -> Link | None:
    with host.namespace(request.netns) as namespace, namespace.socket() as pod:
        near = get_link(pod, name=request.ifname)
    with suppress(NotFound):
        return get_link(host.rtnl, index=near.peer_index) if near.kind == "veth" else None
    return None
