"""What is looked at to tell whether something is broken: plain data.

May import: language, record, and within lab.faults: scene.
"""

from __future__ import annotations

from collections.abc import Iterable

from dari.lab.faults.scene import Scene
from dari.record import Record

PING, TCP, ARP = "ping", "tcp", "arp"


class Trial(Record):
    """A packet, or a connection, that is really sent.

    Attributes:
        way: `PING`, `TCP` or `ARP`.
        source: the machine or pod that sends.
        target: the one that should answer; for `TCP` a listener is opened in it.
        address: where to.
        port: of the listener; 0: any.
        size: bytes of payload of a ping, or of a connection each way.
        whole: a ping must not be cut up on the way.
        seen: TCP: whose address the target must see, empty: any; ARP: the MACs that
            must answer, separated by blanks.
        own: ARP: the sender's address.
        link: ARP: the sender's interface on that network.
    """

    way: str
    source: str
    target: str
    address: str
    port: int = 0
    size: int = 0
    whole: bool = False
    seen: str = ""
    own: str = ""
    link: str = "eth0"


class AgentAnswers(Record):
    """A node's agent says that it is ready."""

    node: str


class PodStarts(Record):
    """A new pod on a node starts, gets an address of the node's range and reaches its gateway."""

    node: str


class FilesGone(Record):
    """Files that nothing living needs are not there."""

    where: str
    paths: tuple[str, ...]


Sight = Trial | AgentAnswers | PodStarts | FilesGone


def pings(
    scene: Scene, pairs: Iterable[tuple[str, str]], *, size: int = 0, whole: bool = False
) -> tuple[Trial, ...]:
    """Each source pings its target in every family that the lab has."""
    return tuple(
        Trial(
            way=PING,
            source=source,
            target=target,
            address=str(scene.address(target, version)),
            size=size,
            whole=whole,
        )
        for source, target in pairs
        for version in scene.versions
    )


def both_ways(scene: Scene) -> tuple[Trial, ...]:
    """The pod and the far pod ping each other."""
    cast = scene.cast
    return pings(scene, [(cast.pod, cast.far), (cast.far, cast.pod)])


def connects(
    scene: Scene, source: str, target: str, *, port: int = 0, size: int = 0, as_: str = ""
) -> tuple[Trial, ...]:
    """A connection in every family, seen with the address of `as_` (empty: whosever)."""
    return tuple(
        Trial(
            way=TCP,
            source=source,
            target=target,
            address=str(scene.address(target, version)),
            port=port,
            size=size,
            seen=str(scene.address(as_, version)) if as_ else "",
        )
        for version in scene.versions
    )


def only(version: int, trials: Iterable[Trial]) -> tuple[Trial, ...]:
    """The trials of one family."""
    return tuple(one for one in trials if (":" in one.address) == (version == 6))
