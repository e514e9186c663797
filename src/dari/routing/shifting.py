"""Carries out what the change of some nodes comes to, by the same rules as for all nodes.

What was decided last stands for what is there. Where it is not, the kernel says so,
and whoever asked looks at everything.

May import: netlink, record, and within routing: reconcile, standing, tunnels, way.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

from dari.netlink.neighbour import Neighbour
from dari.netlink.route import KernelRoute
from dari.routing import tunnels
from dari.routing.reconcile import Difference, Outcome, difference, told
from dari.routing.standing import Plain, Shift
from dari.routing.tunnels import Change, Contents, Indexes
from dari.routing.way import Remote

if TYPE_CHECKING:
    from dari.netlink.conversation import Conversation


def carry_out(sock: Conversation, indexes: Indexes, shift: Shift) -> Outcome:
    """Send it all together: what is new, then the routes, then what is old goes.

    Args:
        indexes: of the tunnels, by name.

    Raises:
        KernelRefused: something is not as it was decided last.
    """
    before, routed, after = requests(indexes, shift)
    sock.transact(
        [
            *(each.request for each in before),
            *routed.requests(),
            *(each.request for each in after),
        ]
    )
    return Outcome(
        mended=(
            *tunnels.told(before),
            *told(routed),
            *tunnels.told(after),
        )
    )


def requests(indexes: Indexes, shift: Shift) -> tuple[list[Change], Difference, list[Change]]:
    """What is sent: ahead of the routes, the routes, and after them. Pure."""
    had, want = _remotes(shift.withdrawn), _remotes(shift.granted)
    ahead: list[Change] = []
    behind: list[Change] = []
    were = tunnels.by_device(indexes, had)
    for index, remotes in tunnels.by_device(indexes, want).items():
        there = _contents(index, were[index])
        ahead += tunnels.additions(remotes, index, there.neighbours, there.entries)
        behind += tunnels.removals(remotes, there.neighbours, there.entries)
    routed = difference(
        _routes(indexes, shift.withdrawn, had), _routes(indexes, shift.granted, want)
    )
    return ahead, routed, behind


def _remotes(ways: Iterable[Plain]) -> list[Remote]:
    return [way for way in ways if isinstance(way, Remote)]


def _routes(
    indexes: Indexes, ways: Iterable[Plain], remotes: Sequence[Remote]
) -> list[KernelRoute]:
    plain = [way for way in ways if isinstance(way, KernelRoute)]
    return [*plain, *tunnels.routes(indexes, remotes)]


def _contents(index: int, remotes: Sequence[Remote]) -> Contents:
    """What these ranges have on their device."""
    ends = {each.mac: each.address for each in remotes}
    return Contents(
        neighbours=tuple(
            Neighbour(index=index, address=each.network.network_address, mac=each.mac)
            for each in remotes
        ),
        entries=tuple(
            Neighbour(index=index, address=address, mac=mac) for mac, address in ends.items()
        ),
    )
