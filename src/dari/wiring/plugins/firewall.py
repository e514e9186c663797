"""Type `firewall`: lets a pod's packets through, and keeps bridges apart, behind another plugin.

May import: errors, fields, model, netlink, nft, wiring.
"""

from __future__ import annotations

from contextlib import ExitStack

from dari.errors import BadConfig, NotAvailableLimited, NotFound
from dari.fields import text
from dari.netlink.linkchange import change_port
from dari.nft import forwarded, opening, table
from dari.nft.forwarded import ISOLATED, OPEN, POLICIES, Forwarded
from dari.wiring import readiness, records
from dari.wiring.chained import cable_host_end, previous_result
from dari.wiring.conf import link_name
from dari.wiring.failures import noting, quietly, report
from dari.wiring.names import host_end
from dari.wiring.remains import collectable, has_record

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

    from dari.errors import DariError
    from dari.model import Json, Owner, Request, Result
    from dari.wiring.host import Host

PART = "firewall"
_UNSAFE = frozenset('"*\\{}$;')


class FirewallPlugin:
    """The pod's addresses in sets, and its bridge's policy."""

    def add(self, request: Request, host: Host) -> Result:
        policy = parse_policy(request.conf.raw)
        previous = previous_result(request)
        pod = _pod(request.owner, policy, previous)
        with ExitStack() as undo:
            undo.callback(quietly, lambda: records.forget(host.paths, request.owner, PART))
            inode = host.namespace_inode(request.netns)
            records.remember(host.paths, request, inode, PART)
            undo.callback(quietly, lambda: _remove(host, request.owner))
            with host.changing_table() as changes:
                gained, lost = forwarded.add_pod(host.paths, pod)
                changes.change(forwarded.forward_section(), gained, lost)
                opening.open_filters(host.tools)
            if policy == ISOLATED:
                end = cable_host_end(request, host)
                host.rtnl.transact([change_port(index=end.index, isolated=True)])
            undo.pop_all()
        return previous

    def delete(self, request: Request, host: Host) -> None:
        if has_record(host.paths, request.owner, PART):
            _remove(host, request.owner)
            host.when_table_is_changed(lambda: records.forget(host.paths, request.owner, PART))

    def check(self, request: Request, host: Host) -> None:
        from dari.wiring.inspect import report_damage  # only CHECK needs it

        policy = parse_policy(request.conf.raw)
        pod = _pod(request.owner, policy, previous_result(request))
        report_damage(request, [*_damage(host, pod), *_port_damage(request, host, policy)])

    def collect(self, request: Request, host: Host) -> None:
        failures: list[DariError] = []
        for lost in collectable(host, request.conf, PART):
            with noting(failures):
                self.delete(records.as_delete(lost), host)
        report(f"GC of network {request.conf.name}", failures)

    def status(self, request: Request, host: Host) -> None:
        parse_policy(request.conf.raw)
        readiness.require_permission()
        readiness.require_nftables("firewall")
        from dari.nft.legacy import hopeless_legacy_filters  # only STATUS needs it

        hopeless = [*opening.hopeless_filters(), *hopeless_legacy_filters()]
        if hopeless:
            raise NotAvailableLimited(
                f"{hopeless[0]} drops all that is forwarded",
                f"let pods' packets through, or set the policy accept: {', '.join(hopeless)}",
            )


def parse_policy(raw: Json) -> str:
    """`ingressPolicy`; the other keys of type `firewall` are only looked at.

    Raises:
        BadConfig: a key has a wrong value.
    """
    backend = text(raw, "backend")
    if backend not in ("", "iptables", "firewalld", "nftables"):
        raise BadConfig(f"backend: {backend!r} is none of iptables, firewalld, nftables")
    for key in ("iptablesAdminChainName", "firewalldZone"):
        text(raw, key)
    policy = text(raw, "ingressPolicy") or OPEN
    if policy not in POLICIES:
        raise BadConfig(f"ingressPolicy: {policy!r} is none of {', '.join(POLICIES)}")
    return policy


def _pod(owner: Owner, policy: str, previous: Result) -> Forwarded:
    """What is recorded of a pod; the first link of the result is its bridge, as it says.

    Raises:
        BadConfig: a policy is asked for, and there is no link of the node first.
    """
    bridge = ""
    if policy != OPEN:
        first = previous.interfaces[0] if previous.interfaces else None
        if first is None or first.sandbox or _UNSAFE.intersection(first.name):
            raise BadConfig(
                f"ingressPolicy: {policy} needs a bridge, and the first interface of prevResult "
                "is none",
                "put firewall behind a plugin such as bridge",
            )
        bridge = link_name({"bridge": first.name}, "bridge", "")
    addresses = tuple(dict.fromkeys(ip.address.ip for ip in previous.ips))
    return Forwarded(name=host_end(owner), addresses=addresses, bridge=bridge, policy=policy)


def _remove(host: Host, owner: Owner) -> None:
    """Take a pod out of files and table, and close the site's filter behind the last."""
    with host.changing_table() as changes:
        lost = forwarded.remove_pod(host.paths, host_end(owner))
        if lost:
            changes.change(forwarded.forward_section(), {}, lost)
        else:
            changes.rebuild()  # an attempt before this one got as far as the files
        if not forwarded.is_used(host.paths):
            opening.close_filters(host.tools)


def _damage(host: Host, pod: Forwarded) -> Iterator[str]:
    from dari.wiring.inspect import table_damage

    if forwarded.read_pod(host.paths, pod.name) != pod:
        yield "the firewall has no record of this pod as it is"
    for name, listed in table.missing(forwarded.pod_elements(pod)).items():
        yield f"the set {name} of inet dari lacks {', '.join(listed)}"
    yield from table_damage(host)
    for chain in opening.closed_filters():
        yield f"{chain} drops pods' packets: dari's rule is missing there"


def _port_damage(request: Request, host: Host, policy: str) -> Iterator[str]:
    if policy != ISOLATED:
        return
    try:
        end = cable_host_end(request, host)
        if not end.isolated:
            yield f"the port {end.name} of the bridge is not isolated"
    except (BadConfig, NotFound) as error:
        yield error.message


PLUGIN = FirewallPlugin()
