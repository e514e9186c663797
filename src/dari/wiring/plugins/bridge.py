"""Type `bridge`: the reference plugin's keys, defaults and results.

May import: errors, model, netlink, wiring.
"""

from __future__ import annotations

from dari.wiring import attachment, readiness
from dari.wiring.addresses import address_source
from dari.wiring.conf import parse_bridge

TYPE_CHECKING = False
if TYPE_CHECKING:
    from dari.model import Request, Result
    from dari.wiring.addresses import AddressSource
    from dari.wiring.conf import BridgeConf
    from dari.wiring.host import Host


class BridgePlugin:
    """A pod on a bridge, with addresses from its `ipam` section."""

    def settle(self, request: Request, host: Host) -> tuple[BridgeConf, AddressSource]:
        """Read the configuration, before anything is changed.

        Raises:
            BadConfig: it is wrong.
        """
        return parse_bridge(request), address_source(request, host)

    def add(self, request: Request, host: Host) -> Result:
        conf, source = self.settle(request, host)
        readiness.require_agent(conf, host.paths)
        return attachment.attach(request, host, conf, source)

    def delete(self, request: Request, host: Host) -> None:
        _, source = self.settle(request, host)
        attachment.detach(request, host, source)

    def check(self, request: Request, host: Host) -> None:
        from dari.wiring.inspect import check_pod  # only CHECK needs it

        conf, source = self.settle(request, host)
        source.check(request)
        with host.namespace(request.netns) as namespace, namespace.socket() as pod:
            check_pod(request, host, pod, conf)

    def collect(self, request: Request, host: Host) -> None:
        _, source = self.settle(request, host)
        attachment.collect(request, host, source)

    def status(self, request: Request, host: Host) -> None:
        conf, source = self.settle(request, host)
        readiness.require_permission()
        readiness.require_firewall(conf.masquerade)
        readiness.require_agent(conf, host.paths)
        source.status(request)


PLUGIN = BridgePlugin()
