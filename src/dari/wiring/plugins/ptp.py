"""Type `ptp`: a pod joined to the node alone, as the reference plugin does it.

May import: errors, model, netlink, wiring.
"""

from __future__ import annotations

from dari.wiring import attachment, ptp, readiness
from dari.wiring.addresses import address_source

TYPE_CHECKING = False
if TYPE_CHECKING:
    from dari.model import Request, Result
    from dari.netlink.sock import NetlinkSocket
    from dari.wiring.host import Host


class PtpPlugin:
    """A pod on a cable of its own, with addresses from its `ipam` section."""

    def add(self, request: Request, host: Host) -> Result:
        conf = ptp.parse_ptp(request)
        return ptp.attach(request, host, conf, address_source(request, host))

    def delete(self, request: Request, host: Host) -> None:
        attachment.detach(request, host, address_source(request, host))

    def check(self, request: Request, host: Host) -> None:
        conf = ptp.parse_ptp(request)
        address_source(request, host).check(request)
        with host.namespace(request.netns) as namespace, namespace.socket() as pod:
            _check(request, host, pod, conf)

    def collect(self, request: Request, host: Host) -> None:
        attachment.collect(request, host, address_source(request, host))

    def status(self, request: Request, host: Host) -> None:
        conf = ptp.parse_ptp(request)
        readiness.require_permission()
        readiness.require_firewall(conf.masquerade)
        address_source(request, host).status(request)


def _check(request: Request, host: Host, pod: NetlinkSocket, conf: ptp.PtpConf) -> None:
    from dari.wiring import inspect  # only CHECK needs it
    from dari.wiring.chained import previous_result
    from dari.wiring.plan import make_point_to_point_plan

    previous = previous_result(request)
    own = inspect.own_part(previous, request)
    plan = make_point_to_point_plan(own.ips, previous.routes)
    end = inspect.host_end_name(request, 0)
    damage = [
        *inspect.pod_damage(pod, request, own, plan, "veth"),
        *ptp.node_damage(request, host, plan, end),
        *inspect.forwarding_damage(host, plan),
        *inspect.masquerade_damage(host, conf.masquerade),
    ]
    inspect.report_damage(request, damage)


PLUGIN = PtpPlugin()
