"""What a walk comes to: hops, findings, and whether the packet arrives.

May import: causes, model, record.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from dari.causes.finding import ERROR, Finding
from dari.record import Record

if TYPE_CHECKING:
    from dari.model import IPAddress, Json

ICMP, TCP, UDP = "icmp", "tcp", "udp"
PASSES, LOST, REFUSED, REWRITTEN, UNREAD = "passes", "lost", "refused", "rewritten", "unread"
_UNSEEN = ("cable", "neighbour")  # steps that end a way before a place has seen the packet


class Flow(Record):
    """What kind of packets are asked about.

    Attributes:
        protocol: `ICMP`, `TCP` or `UDP`.
        port: that they are sent to; 0 for ICMP.
        version: of IP that is preferred; 0: the first that both ends have.
    """

    protocol: str = ICMP
    port: int = 0
    version: int = 0


class End(Record):
    """One end of a journey, found in a snapshot.

    Attributes:
        name: as a person would call it.
        machine: name of the machine whose place it is in; empty: nobody's.
        pod: name of the pod; empty: the machine itself.
        address: the one that counts.
    """

    name: str
    address: IPAddress
    machine: str = ""
    pod: str = ""


class Hop(Record):
    """One row that decides, and what comes of it.

    Attributes:
        where: name of the machine or pod in whose tables it is.
        step: ``address``, ``rule``, ``route``, ``neighbour``, ``link``, ``cable``,
            ``bridge``, ``fdb``, ``tunnel``, ``setting``, ``filter``, ``nat``, ``deliver``.
        row: as the tool prints it: ``default via 10.244.0.1 dev eth0``.
        text: what it does, in words.
        verdict: `PASSES`, `LOST` (without a word), `REFUSED` (the sender is told),
            `REWRITTEN`, or `UNREAD`: it cannot be told.
        code: of the cause, where it is not as it should be.
    """

    where: str
    step: str
    row: str
    text: str
    verdict: str = PASSES
    code: str = ""

    def as_json(self) -> Json:
        """Its fields by name."""
        return {field: getattr(self, field) for field in self._fields}


class Journey(Record):
    """A packet's way there, and its answer's way back.

    Attributes:
        there, back: hops; `back` is empty where nothing arrives.
        arrives: it reaches its destination.
        answered: the answer reaches the source as an answer.
        seen_as: source address that the destination sees.
        findings: what is wrong, the cause first.
        largest: bytes of the largest packet that passes both ways; 0: unknown.
        complete: every table on the way could be read.
        depends: in words, what decides whether it is answered, where the tables do not;
            empty: they do. All else tells of the tables as they are now.
    """

    source: End
    target: End
    flow: Flow
    there: tuple[Hop, ...] = ()
    back: tuple[Hop, ...] = ()
    arrives: bool = False
    answered: bool = False
    seen_as: IPAddress | None = None
    findings: tuple[Finding, ...] = ()
    largest: int = 0
    complete: bool = True
    depends: tuple[str, ...] = ()

    @property
    def works(self) -> bool:
        """Does it arrive as it should, and its answer too?"""
        errors = any(one.severity == ERROR for one in self.findings)
        return self.arrives and self.answered and not errors and not self.depends

    @property
    def ends_at(self) -> tuple[str, bool]:
        """The place that is the last to see the packet, and whether it is the answer there.

        Nobody sees a packet for which no MAC is found after the place that asks, nor one
        that a cable's other end does not take in.
        """
        way, answer = (self.back, True) if self.arrives else (self.there, False)
        start = self.target.name if answer else self.source.name
        seen = [hop.where for hop in way if hop.step not in _UNSEEN or hop.verdict == PASSES]
        return (seen[-1] if seen else start), answer

    def ends_with(self, last: str, *, answer: bool) -> bool:
        """Is a place the last to see the packet (`ends_at`), as far as can be seen?

        An answer that the target makes and does not send is not to be told from none.

        Args:
            last: name of the place.
            answer: was it the answer that was seen there?
        """
        place, back = self.ends_at
        return place == last and (back == answer or place == self.target.name)

    def as_json(self) -> Json:
        """What ``dari explain -o json`` prints."""
        return {
            "source": _end(self.source),
            "target": _end(self.target),
            "protocol": self.flow.protocol,
            "port": self.flow.port,
            "works": self.works,
            "arrives": self.arrives,
            "answered": self.answered,
            "complete": self.complete,
            "depends": list(self.depends),
            "seen_as": str(self.seen_as) if self.seen_as else "",
            "largest_packet": self.largest,
            "there": [hop.as_json() for hop in self.there],
            "back": [hop.as_json() for hop in self.back],
            "findings": [one.as_json() for one in self.findings],
        }


def _end(end: End) -> Json:
    return {
        "name": end.name,
        "address": str(end.address),
        "machine": end.machine,
        "pod": end.pod,
    }
