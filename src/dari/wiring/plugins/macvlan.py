"""Type `macvlan`: a pod on one of the node's links, with a MAC of its own.

May import: errors, model, netlink, wiring.
"""

from __future__ import annotations

from dari.errors import BadConfig, NotAvailable
from dari.wiring import macvlan, readiness, records
from dari.wiring.addresses import address_source
from dari.wiring.failures import noting, report

TYPE_CHECKING = False
if TYPE_CHECKING:
    from dari.errors import DariError
    from dari.model import Request, Result
    from dari.netlink.sock import NetlinkSocket
    from dari.wiring.host import Host


class MacvlanPlugin:
    """A pod's link on another one, with addresses if there is an `ipam` section."""

    def add(self, request: Request, host: Host) -> Result:
        conf = macvlan.parse_macvlan_conf(request)
        return macvlan.attach(request, host, conf, address_source(request, host))

    def delete(self, request: Request, host: Host) -> None:
        macvlan.detach(request, host, address_source(request, host))

    def check(self, request: Request, host: Host) -> None:
        conf = macvlan.parse_macvlan_conf(request)
        address_source(request, host).check(request)
        with host.namespace(request.netns) as namespace, namespace.socket() as pod:
            _check(request, host, pod, conf)

    def collect(self, request: Request, host: Host) -> None:
        failures: list[DariError] = []
        for lost in records.lost_attachments(host.paths, request.conf):
            with noting(failures):
                self.delete(records.as_delete(lost), host)
        with noting(failures):
            address_source(request, host).collect(request)
        report(f"GC of network {request.conf.name}", failures)

    def status(self, request: Request, host: Host) -> None:
        conf = macvlan.parse_macvlan_conf(request)
        readiness.require_permission()
        if not conf.in_container:
            _require_master(host, conf)
        address_source(request, host).status(request)


def _require_master(host: Host, conf: macvlan.MacvlanConf) -> None:
    try:
        macvlan.lower_link(host.rtnl, conf)
    except BadConfig as error:
        raise NotAvailable(error.message, error.details) from None


def _check(request: Request, host: Host, pod: NetlinkSocket, conf: macvlan.MacvlanConf) -> None:
    from dari.wiring import inspect  # only CHECK needs it
    from dari.wiring.chained import previous_result
    from dari.wiring.plan import Plan

    previous = previous_result(request)
    own = inspect.own_part(previous, request)
    plan = Plan(ips=own.ips, routes=previous.routes if own.ips else (), gateways=())
    damage = [
        *inspect.pod_damage(pod, request, own, plan, "macvlan"),
        *macvlan.macvlan_damage(request, host, pod, conf),
    ]
    inspect.report_damage(request, damage)


PLUGIN = MacvlanPlugin()
