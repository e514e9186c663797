"""Type `host-local`: address management alone, for other programs' plugins.

May import: wiring.
"""

from __future__ import annotations

from dari.errors import BadConfig
from dari.wiring.addresses import address_source

TYPE_CHECKING = False
if TYPE_CHECKING:
    from dari.model import Request, Result
    from dari.wiring.addresses import AddressSource
    from dari.wiring.host import Host


class HostLocalPlugin:
    """Hands each verb to the folder of leases."""

    def add(self, request: Request, host: Host) -> Result:
        return _source(request, host).add(request)

    def delete(self, request: Request, host: Host) -> None:
        _source(request, host).delete(request)

    def check(self, request: Request, host: Host) -> None:
        _source(request, host).check(request)

    def collect(self, request: Request, host: Host) -> None:
        _source(request, host).collect(request)

    def status(self, request: Request, host: Host) -> None:
        _source(request, host).status(request)


def _source(request: Request, host: Host) -> AddressSource:
    if not request.conf.ipam:
        raise BadConfig("ipam: missing, and host-local takes its ranges from there")
    return address_source(request, host)


PLUGIN = HostLocalPlugin()
