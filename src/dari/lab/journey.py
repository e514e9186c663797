"""What `dari lab demo` tries, and what its findings mean: pure.

May import: record, and within lab: look, probe.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from ipaddress import ip_address

from dari.lab.look import Seen, SeenPod
from dari.lab.probe import Report, Visit
from dari.record import Record


class Pair(Record):
    """One pod pinged another over one IP version; `seconds` is None where no answer came."""

    version: int
    source: str
    target: str
    seconds: float | None


class Arrival(Record):
    """Whose address arrived when `asker` asked `asked`.

    Attributes:
        expected: the address that should arrive, and `owner` has.
        seen: what did, over TCP and over UDP; empty where nothing did.
    """

    asker: str
    asked: str
    expected: str
    owner: str
    seen: tuple[str, str]

    @property
    def right(self) -> bool:
        """Did both arrive, from the address that they should?"""
        return self.seen == (self.expected, self.expected)


def itinerary(seen: Seen) -> dict[str, Visit]:
    """What each pod does: ping all others, and ask one of them and the outside host."""
    return {
        pod.name: Visit(
            ping=tuple(a for other in seen.pods if other != pod for a in other.addresses),
            ask=tuple(a for other in _asked(seen, pod) for a in other.addresses),
        )
        for pod in seen.pods
    }


def pairs(seen: Seen, reports: Mapping[str, Report]) -> list[Pair]:
    """Every ordered pair of pods, for each IP version that the pinged one has."""
    return [
        Pair(
            version=version(address),
            source=pod.name,
            target=other.name,
            seconds=reports[pod.name].seconds.get(address),
        )
        for pod in seen.pods
        for other in seen.pods
        if other != pod
        for address in other.addresses
    ]


def arrivals(seen: Seen, reports: Mapping[str, Report]) -> list[Arrival]:
    """A pod should be seen with its own address by pods, with its node's by the outside host."""
    nodes = {node.name: node for node in seen.nodes}
    found = []
    for pod in seen.pods:
        for other in _asked(seen, pod):
            owner = nodes[pod.node] if other.name == "outside" else pod
            for address in other.addresses:
                found.append(
                    Arrival(
                        asker=pod.name,
                        asked=other.name,
                        expected=_of_version(owner.addresses, version(address)),
                        owner=owner.name,
                        seen=reports[pod.name].seen.get(address, ("", "")),
                    )
                )
    return found


def version(address: str) -> int:
    """4 or 6."""
    return ip_address(address).version


def _asked(seen: Seen, pod: SeenPod) -> list[SeenPod]:
    """One pod on another node if there is one, and the outside host."""
    place = seen.pods.index(pod)
    after = [*seen.pods[place + 1 :], *seen.pods[:place]]
    outside = SeenPod(name="outside", node="", addresses=seen.outside)
    return [*sorted(after, key=lambda other: other.node == pod.node)[:1], outside]


def _of_version(addresses: Iterable[str], wanted: int) -> str:
    return next((one for one in addresses if version(one) == wanted), "")
