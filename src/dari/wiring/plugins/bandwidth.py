"""Type `bandwidth`: limits how fast a pod sends and receives, behind another plugin.

May import: errors, model, netlink, wiring.
"""

from __future__ import annotations

from contextlib import ExitStack

from dari.errors import BadConfig, CheckFailed, NotFound
from dari.netlink.link import list_links
from dari.wiring import readiness, records, shaping
from dari.wiring.cable import delete_quietly
from dari.wiring.chained import cable_host_end, previous_result
from dari.wiring.failures import noting, quietly, report
from dari.wiring.limits import parse_limits
from dari.wiring.names import belongs_to, shaper

TYPE_CHECKING = False
if TYPE_CHECKING:
    from dari.errors import DariError
    from dari.model import Owner, Request, Result
    from dari.wiring.host import Host

_PART = "bandwidth"


class BandwidthPlugin:
    """Token buckets on the pod's cable, as far as the configuration limits anything."""

    def add(self, request: Request, host: Host) -> Result:
        limits = parse_limits(request)
        previous = previous_result(request)
        if limits.none:
            return previous
        end = cable_host_end(request, host)
        with ExitStack() as undo:
            if limits.egress is not None:
                undo.callback(quietly, lambda: records.forget(host.paths, request.owner, _PART))
                inode = host.namespace_inode(request.netns)
                records.remember(host.paths, request, inode, _PART)
            device = shaping.shape(request, host, end, limits)
            undo.pop_all()
        if device is None:
            return previous
        return previous.replace(interfaces=(*previous.interfaces, device))

    def delete(self, request: Request, host: Host) -> None:
        if not shaping.unshape_soon(host, request):
            _delete_theirs(request, host)
        records.forget(host.paths, request.owner, _PART)

    def check(self, request: Request, host: Host) -> None:
        from dari.wiring.inspect import report_damage  # only CHECK needs it

        limits = parse_limits(request)
        previous_result(request)
        if limits.none:
            return
        try:
            end = cable_host_end(request, host)
        except (BadConfig, NotFound) as error:
            raise CheckFailed(error.message, error.details) from None
        report_damage(request, [*shaping.shaping_damage(request, host, end, limits)])

    def collect(self, request: Request, host: Host) -> None:
        kept = {shaper(owner) for owner in request.conf.valid_attachments or ()}
        failures: list[DariError] = []
        for link in list_links(host.rtnl, kind="ifb"):
            if belongs_to(link.alias, request.conf.name) and link.name not in kept:
                with noting(failures):
                    delete_quietly(host.rtnl, link.name)
        for lost in records.lost_attachments(host.paths, request.conf, _PART):
            with noting(failures):
                _clear(host, lost.owner)
        report(f"GC of network {request.conf.name}", failures)

    def status(self, request: Request, host: Host) -> None:
        parse_limits(request)
        readiness.require_permission()


def _clear(host: Host, owner: Owner) -> None:
    shaping.unshape(host, owner)
    records.forget(host.paths, owner, _PART)


def _delete_theirs(request: Request, host: Host) -> None:
    """Delete the device that the reference made for the same attachment, if it did.

    Its name there follows from the network's name and the container's id.
    """
    from hashlib import sha512  # costs 4 ms; only where dari's own device is not there

    text = f"{request.conf.name}{request.container_id}".encode()
    delete_quietly(host.rtnl, f"bwp{sha512(text).hexdigest()}"[:15])


PLUGIN = BandwidthPlugin()
