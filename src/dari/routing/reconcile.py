"""Makes the kernel's routes what the plan says, and touches no others.

Dari's routes are those of protocol 79 in the main table. A route of another
protocol to the same place is never replaced: the kernel refuses ours, and the
outcome says so. An exception are the routes on a tunnel that was taken over from
another program: those are put under dari's mark where they stand, so that no
packet is lost, or removed.

May import: errors, model, netlink, record, routing.prefixes, routing.way.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable, Sequence
from typing import TYPE_CHECKING

from dari.errors import AlreadyExists, KernelRefused
from dari.netlink.codec import Request
from dari.netlink.constants import RTPROT_KERNEL
from dari.netlink.route import (
    KernelRoute,
    add_route,
    delete_route,
    list_routes,
    replace_route,
)
from dari.record import Record
from dari.routing.prefixes import key_of
from dari.routing.way import RTPROT_DARI

if TYPE_CHECKING:
    from dari.model import IPNetwork
    from dari.netlink.conversation import Conversation

_TOLD_ONE_BY_ONE = 8
_MEANWHILE = 2**32 - 2  # a metric that every other one is preferred to


class Outcome(Record):
    """What was put right and what could not be, in words."""

    mended: tuple[str, ...] = ()
    failures: tuple[str, ...] = ()

    def plus(self, other: Outcome) -> Outcome:
        """Both, one after the other."""
        return Outcome(
            mended=(*self.mended, *other.mended), failures=(*self.failures, *other.failures)
        )


class Difference(Record):
    """What is there and should not be, and the other way round."""

    surplus: tuple[KernelRoute, ...] = ()
    missing: tuple[KernelRoute, ...] = ()

    def requests(self) -> list[Request]:
        """In an order in which every range has a route at every moment.

        What goes without anything in its place goes last: it may be a wider one. Where a
        route changes, the new one is there under the least preferred metric while the old
        one, which has its place, is taken away. A route that only gets dari's mark is
        overwritten in one step.
        """
        places = {_place(route) for route in self.missing}
        marked = {_place(route) for route in self.surplus if route.protocol != RTPROT_DARI}
        replaced: dict[object, list[KernelRoute]] = defaultdict(list)
        requests: list[Request] = []
        removals: list[Request] = []
        for route in self.surplus:
            if _place(route) not in places:
                removals.append(delete_route(route))
            elif route.protocol == RTPROT_DARI:
                replaced[_place(route)].append(route)
        for route in self.missing:
            if _place(route) in marked:
                requests += [replace_route(route), *map(delete_route, replaced[_place(route)])]
            else:
                requests += _putting(route, replaced[_place(route)])
        return requests + removals


def _putting(route: KernelRoute, before: Sequence[KernelRoute]) -> list[Request]:
    """Add a route in the place of dari's earlier ones, and lose no packet meanwhile."""
    if not before:
        return [add_route(route)]
    meanwhile = route.replace(metric=_MEANWHILE)
    return [
        add_route(meanwhile),
        *map(delete_route, before),
        add_route(route),
        delete_route(meanwhile),
    ]


def difference(have: Iterable[KernelRoute], want: Iterable[KernelRoute]) -> Difference:
    """Compare routes by where they lead and how.

    A route that should lead elsewhere is another one. It is not replaced, either: the
    kernel's replacing could hit another program's route to the same place.
    """
    missing = {_essence(route): route for route in want}
    # What is there the first time is not missing; a second time it is surplus.
    surplus = tuple(route for route in have if missing.pop(_essence(route), None) is None)
    return Difference(surplus=surplus, missing=tuple(missing.values()))


def _essence(route: KernelRoute) -> object:
    """All of a route but what the kernel fills in by itself, quick to compare."""
    return (
        *key_of(route.dst),
        route.gateway,
        route.device,
        route.protocol,
        route.table,
        route.metric,
        route.kind,
        route.mtu,
        route.advmss,
        route.onlink,
        route.hops,
    )


def _place(route: KernelRoute) -> tuple[IPNetwork, int]:
    """What two routes of one table cannot have in common."""
    return route.dst, route.metric


def reconcile(
    sock: Conversation,
    have: Iterable[KernelRoute],
    want: Sequence[KernelRoute],
    devices: Collection[int] = (),
) -> Outcome:
    """Send what makes the difference, in batches; one bad route does not stop the others.

    Args:
        sock: rtnetlink.
        have: the main table as listed just now; routes of other protocols in it
            are passed over.
        want: from `plan_routes`, and those to what is behind tunnels.
        devices: indexes of links on which every route is dari's, whoever made it.

    Raises:
        KernelRefused: the kernel cannot even list its routes.
    """
    todo = difference(_own(have, devices), want)
    try:
        sock.transact(todo.requests())
    except KernelRefused:
        failures = _one_by_one(sock, want, devices)
        left = difference(_own(list_routes(sock), devices), want)
        return Outcome(mended=told(_done(todo, left)), failures=tuple(failures))
    return Outcome(mended=told(todo))


def remove_all(sock: Conversation) -> int:
    """Take away every route of dari's; how many there were."""
    have = list_routes(sock, protocol=RTPROT_DARI)
    reconcile(sock, have, ())
    return len(have)


def _own(routes: Iterable[KernelRoute], devices: Collection[int]) -> list[KernelRoute]:
    """Routes with dari's mark, and all on its devices but those that come with an address."""
    return [
        route
        for route in routes
        if route.protocol == RTPROT_DARI
        or (route.device in devices and route.protocol != RTPROT_KERNEL)
    ]


def _one_by_one(
    sock: Conversation, want: Sequence[KernelRoute], devices: Collection[int]
) -> list[str]:
    """Try again what a batch left undone, and say of each what the kernel says."""
    failures: list[str] = []
    for request in difference(_own(list_routes(sock), devices), want).requests():
        try:
            sock.transact([request])
        except AlreadyExists as error:
            failures.append(f"{error.message}; another's route to the same place is left alone")
        except KernelRefused as error:
            failures.append(error.message)
    return failures


def _done(todo: Difference, left: Difference) -> Difference:
    return Difference(
        surplus=tuple(route for route in todo.surplus if route not in left.surplus),
        missing=tuple(route for route in todo.missing if route not in left.missing),
    )


def told(done: Difference) -> tuple[str, ...]:
    """Each change in words, or their number where they are many."""
    added = {route.dst: route for route in done.missing}
    removed = {route.dst: route for route in done.surplus}
    sentences = [
        *(_addition(route, removed) for route in done.missing),
        *(f"removed route {_called(route)}" for route in done.surplus if route.dst not in added),
    ]
    if len(sentences) <= _TOLD_ONE_BY_ONE:
        return tuple(sentences)
    gone = sum(network not in added for network in removed)
    return (f"added {len(added)} routes, removed {gone}",)


def _addition(route: KernelRoute, removed: dict[IPNetwork, KernelRoute]) -> str:
    before = removed.get(route.dst)
    if before is None:
        return f"added route {_called(route)}"
    return f"changed route {_called(before)} to via {route.gateway}"


def _called(route: KernelRoute) -> str:
    return f"{route.dst} via {route.gateway}" if route.gateway else f"{route.dst}"
