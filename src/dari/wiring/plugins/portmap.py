"""Type `portmap`: leads ports of the node to a pod, behind another plugin.

May import: errors, model, nft, wiring.
"""

from __future__ import annotations

from contextlib import ExitStack, suppress

from dari.errors import BadConfig
from dari.nft import hostports, table
from dari.nft.hostrules import hostport_elements
from dari.wiring import hosting, readiness, records
from dari.wiring.chained import previous_result
from dari.wiring.failures import noting, quietly, report
from dari.wiring.hosting import PART
from dari.wiring.ports import make_claims, parse_mappings, parse_portmap
from dari.wiring.remains import collectable, has_record

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from dari.errors import DariError
    from dari.model import Owner, Request, Result
    from dari.nft.hostrules import Claim
    from dari.wiring.host import Host


class PortmapPlugin:
    """Host ports from runtimeConfig, as far as there are any."""

    def add(self, request: Request, host: Host) -> Result:
        conf = parse_portmap(request)
        previous = previous_result(request)
        claims = make_claims(request, conf, previous)
        if not claims:
            return previous
        with ExitStack() as undo:
            before = hosting.ports_of(host.paths, request.owner)
            undo.callback(quietly, lambda: records.forget(host.paths, request.owner, PART))
            inode = host.namespace_inode(request.netns)
            records.remember(host.paths, request, inode, PART)
            ports = [(each.protocol, each.port) for each in claims]
            undo.callback(
                quietly,
                lambda: hosting.give_back(host, request.owner, ports, unsure=False),
            )
            hosting.take(host, claims, before)
            hosting.open_localnet(host, claims)
            undo.pop_all()
        return previous

    def delete(self, request: Request, host: Host) -> None:
        recorded = has_record(host.paths, request.owner, PART)
        ports = hosting.ports_of(host.paths, request.owner)
        with suppress(BadConfig):  # what was not understood was not mapped either
            mappings = parse_mappings(request.conf.runtime_config)
            ports += [(each.protocol, each.host_port) for each in mappings]
        if ports or recorded:
            hosting.give_back(host, request.owner, ports, unsure=recorded)
        if not recorded and ports:
            from dari.nft import inherited  # a pod of the reference's, or a DEL that comes again

            inherited.clear_host_ports(request.conf.name, request.owner)
        host.when_table_is_changed(lambda: records.forget(host.paths, request.owner, PART))

    def check(self, request: Request, host: Host) -> None:
        from dari.wiring.inspect import report_damage  # only CHECK needs it

        claims = make_claims(request, parse_portmap(request), previous_result(request))
        if claims:
            report_damage(request, [*_damage(host, claims)])

    def collect(self, request: Request, host: Host) -> None:
        failures: list[DariError] = []
        for lost in collectable(host, request.conf, PART):
            with noting(failures):
                self.delete(records.as_delete(lost), host)
        with noting(failures):
            for owner, ports in _orphans(host, request).items():
                hosting.give_back(host, owner, ports, unsure=False)
        report(f"GC of network {request.conf.name}", failures)

    def status(self, request: Request, host: Host) -> None:
        parse_portmap(request)
        readiness.require_permission()
        readiness.require_nftables("host ports")


def _damage(host: Host, claims: Sequence[Claim]) -> Iterator[str]:
    from dari.wiring.inspect import setting_damage, table_damage

    held = [
        each
        for port in dict.fromkeys((each.protocol, each.port) for each in claims)
        for each in hostports.read_port(host.paths, *port)
    ]
    for claim in claims:
        if claim not in held:
            yield f"host port {claim.place} is not held for this pod"
        elif table.missing(hostport_elements([claim])):
            yield f"host port {claim.place} does not lead to {claim.to} port {claim.to_port}"
    yield from table_damage(host)
    for name in hosting.localnet_settings(host, claims):
        yield from setting_damage(host, name)


def _orphans(host: Host, request: Request) -> dict[Owner, list[tuple[str, int]]]:
    """Claims of this network that belong to no valid attachment and have no record."""
    valid = request.conf.valid_attachments or ()
    found: dict[Owner, list[tuple[str, int]]] = {}
    for claim in hostports.read_claims(host.paths):
        if claim.network == request.conf.name and claim.owner not in valid:
            found.setdefault(claim.owner, []).append((claim.protocol, claim.port))
    return found


PLUGIN = PortmapPlugin()
