"""Pictures of clusters of any size, for tests."""

from __future__ import annotations

from dari.map.picture import NODE, OUTSIDE, ROUTE, ROUTER, TUNNEL, Machine, Picture, Pod, Way


def cluster(nodes: int, pods: int, *, routed: bool = False) -> Picture:
    """Nodes with so many pods each, on one segment or on two with a router between."""
    machines = [
        _node(number, pods, 2 if routed and number % 2 == 0 else 1) for number in _up(nodes)
    ]
    if routed:
        segments = tuple(f"10.0.{number}.0/24" for number in (1, 2, 3))
        machines.append(Machine(name="router", kind=ROUTER, segments=segments))
    own = "10.0.3.0/24" if routed else "10.0.1.0/24"
    machines.append(Machine(name="outside", kind=OUTSIDE, segments=(own,)))
    names = [f"node{number}" for number in _up(nodes)]
    ways = tuple(
        Way(source=one, target=other, kind=TUNNEL if routed else ROUTE)
        for one in names
        for other in names
        if one != other
    )
    return Picture(machines=tuple(machines), ways=ways)


def _up(most: int) -> range:
    return range(1, most + 1)


def _node(number: int, pods: int, segment: int) -> Machine:
    return Machine(
        name=f"node{number}",
        kind=NODE,
        addresses=(f"10.0.{segment}.{number + 10}",),
        segments=(f"10.0.{segment}.0/24",),
        bridge="cni0",
        gateways=(f"10.244.{number}.1/24",),
        ranges=(f"10.244.{number}.0/24",),
        pods=tuple(
            Pod(name=f"pod-{number}-{pod}", addresses=(f"10.244.{number}.{pod + 1}",))
            for pod in _up(pods)
        ),
    )
