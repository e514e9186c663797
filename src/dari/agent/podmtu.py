"""Gives running pods the MTU that the underlay allows now, on both ends of their cables.

New pods have it from the runtime's configuration. A running pod has to be told,
else its large packets vanish: a cable drops, in silence, what is too large for
its other end. So the end in the pod is lowered first, and the node's end after
it, or not at all where the pod cannot be entered; then at least the node answers
what is too large for the next hop with the size that would do (RFC 1191, 8201).

A pod that chose a smaller MTU keeps it.

May import: errors, netlink, paths, routing, wiring, agent.cables, agent.observe.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from dari.agent.cables import of_own_network
from dari.errors import DariError, NotFound
from dari.netlink.link import Link, get_link
from dari.netlink.linkchange import change_link
from dari.netlink.namespace import Namespace
from dari.routing.reconcile import Outcome
from dari.wiring import records
from dari.wiring.names import owner_of

if TYPE_CHECKING:
    from dari.agent.observe import Observed
    from dari.netlink.sock import NetlinkSocket
    from dari.wiring.host import Host
    from dari.wiring.records import Attachment


def mend(host: Host, observed: Observed, mtu: int) -> Outcome:
    """Change what differs.

    Args:
        observed: links, as they were seen in this pass.
        mtu: bytes; 0: leave all as it is.
    """
    done: list[str] = []
    failures: list[str] = []
    for link in _differing(observed, mtu):
        try:
            done += _change(host, link, mtu)
        except NotFound:
            continue  # the pod ended meanwhile
        except DariError as error:
            failures.append(f"MTU of {link.name} stays {link.mtu}: {error.message}")
    return Outcome(mended=tuple(done), failures=tuple(failures))


def _differing(observed: Observed, mtu: int) -> Iterator[Link]:
    return (link for link in of_own_network(observed) if mtu and link.mtu != mtu)


def _change(host: Host, link: Link, mtu: int) -> list[str]:
    owner = owner_of(link.alias)
    attachment = records.find(host.paths, owner) if owner else None
    if attachment is None or not attachment.alive:
        return []
    with Namespace.open(attachment.netns) as pod, pod.socket() as inside:
        _set_both(host.rtnl, inside, link, attachment, mtu)
    return [f"set MTU of pod {attachment.owner.container_id} from {link.mtu} to {mtu}"]


def _set_both(
    node: NetlinkSocket, pod: NetlinkSocket, link: Link, attachment: Attachment, mtu: int
) -> None:
    end = get_link(pod, name=attachment.owner.ifname)
    if end.mtu > mtu:
        pod.transact([change_link(index=end.index, mtu=mtu)])
    node.transact([change_link(index=link.index, mtu=mtu)])
    if end.mtu == link.mtu < mtu:
        pod.transact([change_link(index=end.index, mtu=mtu)])
