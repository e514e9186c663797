"""How every plugin that makes an interface goes about an ADD: recorded, leased, wired, or undone.

What differs from plugin to plugin is `wire`, and what may be in its way, `clear`.

May import: errors, model, netlink, wiring.
"""

from __future__ import annotations

from contextlib import ExitStack

from dari.model import DNS
from dari.netlink.namespace import Namespace
from dari.record import Record
from dari.wiring import records
from dari.wiring.failures import quietly

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    from dari.model import Request, Result
    from dari.netlink.sock import NetlinkSocket
    from dari.wiring.addresses import AddressSource
    from dari.wiring.host import Host


class Site(Record):
    """Where an interface is being made.

    `pod` is a route netlink socket in the namespace; what is called back from
    `undo` takes a step back, if a later one fails.
    """

    namespace: Namespace
    pod: NetlinkSocket
    undo: ExitStack


def make(
    request: Request,
    host: Host,
    source: AddressSource,
    clear: Callable[[Site], None],
    wire: Callable[[Site, Result], Result],
) -> Result:
    """Make an attachment: record it, lease its addresses, wire it.

    Args:
        request: ADD.
        host: the node.
        source: where the addresses come from.
        clear: refuses an interface that exists; nothing is changed before.
        wire: does the plugin's own work with what was leased.

    Raises:
        BadNamespace: CNI_NETNS is no network namespace.
        DariError: whatever failed; what was done before is undone.
    """
    with ExitStack() as stack:
        namespace = stack.enter_context(host.namespace(request.netns))
        pod = stack.enter_context(namespace.socket())
        undo = ExitStack()
        site = Site(namespace=namespace, pod=pod, undo=undo)
        clear(site)
        stack.enter_context(undo)
        undo.callback(quietly, lambda: records.forget(host.paths, request.owner))
        records.remember(host.paths, request, namespace.identity[1])
        undo.callback(quietly, lambda: source.delete(request))
        with host.phase("lease"):
            leased = source.add(request)
        with host.phase("wire"):
            result = wire(site, leased)
        undo.pop_all()
    return result.replace(dns=leased.dns if request.conf.dns == DNS() else request.conf.dns)
