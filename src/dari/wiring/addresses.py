"""Where a pod's addresses come from: the `ipam` section of its configuration.

May import: delegate, errors, ipam, model, wiring.host.
"""

from __future__ import annotations

from functools import partial

from dari.errors import BadConfig
from dari.fields import text
from dari.ipam.hostlocal import HostLocal
from dari.ipam.requested import requested_addresses
from dari.model import Result

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Protocol

    from dari.model import Request
    from dari.wiring.host import Host

    class AddressSource(Protocol):
        """Gives out addresses, and takes them back."""

        may_wait: bool
        """May `delete` come after the answer to a DEL? It must not fail for good then."""

        def add(self, request: Request) -> Result:
            """Lease addresses for the request's attachment; a Result without interfaces."""

        def delete(self, request: Request) -> None:
            """Give back what the attachment holds, if anything."""

        def check(self, request: Request) -> None:
            """Raise CheckFailed where the attachment does not hold what prevResult says."""

        def collect(self, request: Request) -> None:
            """Give back what no valid attachment holds."""

        def status(self, request: Request) -> None:
            """Raise NotAvailable where there is nothing to lease."""


def address_source(request: Request, host: Host, *, default_dir: str = "") -> AddressSource:
    """The source that the request's `ipam` section names; none where it names none.

    Args:
        request: the call.
        host: the node.
        default_dir: host-local's `dataDir` where the section has none.

    Raises:
        BadConfig: the section is wrong.
    """
    if not request.conf.ipam:
        return NoAddresses()
    kind = text(request.conf.ipam, "type")
    if not kind:
        raise BadConfig("ipam.type: missing", 'name one, such as "host-local"')
    if kind == "host-local":
        index = None if host.services is None else host.services.lease_index
        derive = partial(host.derive, request.conf)
        return HostLocalSource(HostLocal(request.conf, host.paths, default_dir, index, derive))
    if kind == "static":
        return StaticSource()
    from dari.wiring.delegated import DelegatedSource  # a foreign executable; rarely needed

    return DelegatedSource(kind, host)


class NoAddresses:
    """Layer 2 only."""

    may_wait = True

    def add(self, request: Request) -> Result:
        return Result()

    def delete(self, request: Request) -> None:
        pass

    def check(self, request: Request) -> None:
        pass

    def collect(self, request: Request) -> None:
        pass

    def status(self, request: Request) -> None:
        pass


class HostLocalSource:
    """host-local's folder, in the process."""

    may_wait = True

    def __init__(self, leases: HostLocal) -> None:
        self._leases = leases

    def add(self, request: Request) -> Result:
        ips = self._leases.allocate(request.owner, requested_addresses(request))
        return Result(ips=ips, routes=self._leases.routes(), dns=self._leases.dns())

    def delete(self, request: Request) -> None:
        self._leases.release(request.owner)

    def check(self, request: Request) -> None:
        previous = request.conf.prev_result or Result()
        self._leases.check(request.owner, [ip.address.ip for ip in previous.ips])

    def collect(self, request: Request) -> None:
        self._leases.collect(request.conf.valid_attachments or ())

    def status(self, request: Request) -> None:
        self._leases.status()


class StaticSource:
    """The addresses that the configuration names; nothing is leased, nothing is kept."""

    may_wait = True

    def add(self, request: Request) -> Result:
        from dari.ipam.static import static_result  # read where it is named, and only there

        return static_result(request)

    def delete(self, request: Request) -> None:
        pass

    def check(self, request: Request) -> None:
        from dari.ipam.static import check_static

        check_static(request)

    def collect(self, request: Request) -> None:
        pass

    def status(self, request: Request) -> None:
        self.add(request)
