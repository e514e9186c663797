"""Type `loopback`: the pod's own `lo`.

May import: errors, model, netlink.
"""

from __future__ import annotations

from contextlib import suppress

from dari.errors import BadNamespace, CheckFailed
from dari.model import Interface, IPConfig, Result
from dari.netlink.address import list_addresses
from dari.netlink.link import get_link
from dari.netlink.linkchange import change_link

TYPE_CHECKING = False
if TYPE_CHECKING:
    from dari.model import Request
    from dari.wiring.host import Host

_NAME = "lo"


class LoopbackPlugin:
    """Sets `lo` up and down; CNI_IFNAME does not matter to it."""

    def add(self, request: Request, host: Host) -> Result:
        with host.namespace(request.netns) as namespace, namespace.socket() as pod:
            link = get_link(pod, name=_NAME)
            pod.transact([change_link(index=link.index, up=True)])
            addresses = list_addresses(pod, index=link.index)
        if request.conf.prev_result is not None:
            return request.conf.prev_result
        interface = Interface(name=_NAME, mac=link.mac, sandbox=request.netns)
        ips = tuple(IPConfig(address=each.interface, interface=0) for each in addresses)
        return Result(interfaces=(interface,), ips=ips)

    def delete(self, request: Request, host: Host) -> None:
        with (
            suppress(BadNamespace),
            host.namespace(request.netns) as namespace,
            namespace.socket() as pod,
        ):
            pod.transact([change_link(name=_NAME, up=False)])

    def check(self, request: Request, host: Host) -> None:
        with host.namespace(request.netns) as namespace, namespace.socket() as pod:
            if not get_link(pod, name=_NAME).up:
                raise CheckFailed(f"lo is down in {request.netns}", "set it up: ip link set lo up")

    def collect(self, request: Request, host: Host) -> None:
        """Nothing is kept of a loopback."""

    def status(self, request: Request, host: Host) -> None:
        """Nothing can be missing."""


PLUGIN = LoopbackPlugin()
