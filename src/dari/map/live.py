"""What the page is told: of the last snapshot, which a thread takes anew all the time.

A slow snapshot is followed by a longer rest, so that looking never takes the machine.

May import: errors, explain, language, map, snapshot, tables.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator, Mapping
from typing import TYPE_CHECKING

from dari.errors import BadConfig, DariError, TryAgain
from dari.explain.journey import ICMP, TCP, UDP, Flow
from dari.explain.walk import walk
from dari.language import Messages
from dari.map.journey import told
from dari.map.layout import lay_out
from dari.map.picture import Machine, Picture, Pod
from dari.map.svg import fragment
from dari.map.view import picture_of
from dari.snapshot.model import Machine as Seen
from dari.snapshot.model import Snapshot
from dari.tables.facts import Facts
from dari.tables.layout import as_json
from dari.tables.registry import TABLES

if TYPE_CHECKING:
    from dari.model import Json

_ = Messages("map")
_SHARE = 3  # a snapshot is followed by a rest of so many times its length, at least


class Watch:
    """Keeps the last snapshot, and takes another every few seconds in a thread of its own.

    Args:
        take: takes one; may raise `DariError`, which is told in its place.
        every: seconds from one to the next, at least.
    """

    def __init__(self, take: Callable[[], Snapshot], every: float) -> None:
        self._take = take
        self._every = every
        self._snapshot: Snapshot | None = None
        self._trouble: DariError | None = None
        self._seen = threading.Event()
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._look, name="look", daemon=True)

    def __enter__(self) -> Watch:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        self._thread.join()

    def latest(self) -> Snapshot:
        """The last snapshot; waits for the first.

        Raises:
            DariError: the last attempt to take one has failed.
        """
        self._seen.wait()
        if self._trouble is not None:
            raise self._trouble
        if self._snapshot is None:
            raise TryAgain(_("nothing was looked at yet"), _("ask again"))
        return self._snapshot

    def _look(self) -> None:
        while not self._stop.is_set():
            began = time.monotonic()
            try:
                self._snapshot, self._trouble = self._take(), None
            except DariError as error:
                self._trouble = error
            self._seen.set()
            self._stop.wait(max(self._every, _SHARE * (time.monotonic() - began)))


def cluster(snapshot: Snapshot) -> Json:
    """The picture, and the same as a list for whoever does not look at it."""
    picture = picture_of(snapshot)
    title, description = described(picture)
    return {
        "svg": fragment(lay_out(picture), title, description),
        "machines": [_machine(one) for one in picture.machines],
    }


def described(picture: Picture) -> tuple[str, str]:
    """What the picture shows, for people who do not see it: a title and a description."""
    nodes = [one for one in picture.machines if one.pods or one.ranges]
    faulty = [one.name for one in picture.machines if one.faulty]
    faulty += [pod.name for one in picture.machines for pod in one.pods if pod.faulty]
    description = _("{nodes} nodes with {pods} pods: {names}.").format(
        nodes=len(nodes), pods=picture.pods, names=", ".join(one.name for one in nodes)
    )
    if faulty:
        trouble = _("Something is wrong with {names}.").format(names=", ".join(faulty))
        description = f"{description} {trouble}"
    return _("The cluster's network"), description


def _machine(one: Machine) -> Json:
    return {
        "name": one.name,
        "kind": one.kind,
        "addresses": list(one.addresses),
        "faulty": one.faulty,
        "state": one.state,
        "pods": [_pod(pod) for pod in one.pods],
    }


def _pod(pod: Pod) -> Json:
    return {"name": pod.name, "addresses": list(pod.addresses), "faulty": pod.faulty}


def tables(snapshot: Snapshot, name: str) -> Json:
    """The tables of a machine or pod, each row with what it is for.

    Raises:
        BadConfig: nothing is called so.
    """
    for machine in snapshot.machines:
        for called, facts in _places(machine):
            if called == name:
                return {"tables": [as_json(table(facts)) for table in TABLES.values()]}
    raise BadConfig(_("{name!r}: no node or pod of that name is known here").format(name=name))


def _places(machine: Seen) -> Iterator[tuple[str, Facts]]:
    yield machine.name, Facts(machine)
    for pod in machine.pods:
        if pod.place is not None:
            yield pod.name, Facts(machine, pod)


def explained(snapshot: Snapshot, asked: Mapping[str, str]) -> Json:
    """A packet's way, in words and as lines to be drawn.

    Args:
        asked: ``src``, ``dst`` and, where they matter, ``proto`` and ``port``.

    Raises:
        BadConfig: an end, the protocol or the port is not known.
    """
    journey = walk(snapshot, asked.get("src", ""), asked.get("dst", ""), _flow(asked))
    drawing = lay_out(picture_of(snapshot))
    return told(journey, drawing)


def _flow(asked: Mapping[str, str]) -> Flow:
    protocol, port = asked.get("proto", ICMP), asked.get("port", "0")
    if protocol not in (ICMP, TCP, UDP):
        raise BadConfig(
            _("proto: {protocol!r} is none of {known}").format(
                protocol=protocol, known=", ".join((ICMP, TCP, UDP))
            )
        )
    if not port.isdecimal() or int(port) > 65535:
        raise BadConfig(_("port: {port!r} is not a number from 0 to 65535").format(port=port))
    return Flow(protocol=protocol, port=int(port))
