"""Answers runtimes' calls in the agent: the same wiring as the executable's, with a memory.

What is kept between calls only saves questions; the truth stays in the folder
of leases, in the attachments' records and in the kernel. `Pods` is shared by
the threads, `PodHandler` belongs to one.

May import: cni.dispatch, errors, ipam, netlink, nft, paths, wiring, agent.
"""

from __future__ import annotations

import json
import logging
import os
import sys
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager, nullcontext, suppress
from typing import TYPE_CHECKING, TypeVar

from dari.agent import reaper
from dari.agent.bridges import Bridges
from dari.agent.firewall import KeptTools
from dari.agent.metrics import Metrics
from dari.agent.protocol import Answer, Call
from dari.agent.reaper import Reaper
from dari.agent.recall import Recall
from dari.agent.turns import Turns
from dari.cni.dispatch import respond
from dari.errors import DariError, NoFreeAddress, TryAgain
from dari.ipam.owners import MemoryIndex
from dari.netlink.namespace import Visitor
from dari.netlink.sock import NetlinkSocket
from dari.nft import entries, masquerade
from dari.paths import Paths
from dari.wiring import records
from dari.wiring.host import Host
from dari.wiring.names import host_end
from dari.wiring.registry import plugin

if TYPE_CHECKING:
    from dari.ipam.owners import OwnerIndex
    from dari.model import NetConf, Owner
    from dari.nft.entries import Masqueraded

T = TypeVar("T")

_COMMAND, _RETRY, _PLUGIN, _ASKED = "CNI_COMMAND", "DARI_RETRY", "DARI_PLUGIN", "DARI_COMMAND"


class Pods:
    """What the threads that answer calls share.

    Args:
        paths: where dari's files are.
        log: gets a line for each pod that starts or ends.
        metrics: counts them.
        ask: answers what is asked of the agent itself.
    """

    def __init__(
        self,
        paths: Paths,
        log: logging.Logger,
        metrics: Metrics,
        ask: Callable[[Call], Answer],
    ) -> None:
        self.paths = paths
        self.log = log
        self.metrics = metrics
        self.ask = ask
        self.reaper = Reaper(self.is_busy, self._not_deleted)
        self._guard = threading.Lock()
        self._starting = 0
        self.turns = Turns()
        self.recall = Recall()
        self.bridges = Bridges()
        self.tools = KeptTools()
        self.environ = dict(os.environ)
        self._indexes: dict[str, MemoryIndex] = {}
        self._masqueraded: set[tuple[str, Masqueraded]] = set()

    def handler(self) -> PodHandler:
        """What a thread needs of its own."""
        return PodHandler(self)

    def close(self) -> None:
        """Close what was open for all calls; none comes any more."""
        self.bridges.close()
        self.tools.close()

    def is_busy(self) -> bool:
        """Are pods being started now?"""
        return self._starting > 0

    @contextmanager
    def starting(self) -> Iterator[None]:
        """A pod is being started meanwhile."""
        with self._guard:
            self._starting += 1
        try:
            yield
        finally:
            with self._guard:
                self._starting -= 1

    def lease_index(self, folder: str) -> OwnerIndex:
        """The one index of a folder; it is used under the folder's lock alone."""
        with self._guard:
            return self._indexes.setdefault(folder, MemoryIndex())

    def masquerade(self, network: str, entry: Masqueraded) -> None:
        """Have it masqueraded; what was once is kept so by the reconciler."""
        key = (network, entry)
        # The entry is looked for, since an executable's GC, or a person, may have removed it.
        if key not in self._masqueraded or not entries.has_entry(self.paths, network):
            masquerade.extend(self.paths, network, entry)
            self._masqueraded.add(key)

    def forget_masqueraded(self) -> None:
        """Somebody removed an entry: ask the kernel again."""
        self._masqueraded.clear()

    def adopt(self) -> int:
        """Finish what an agent before this one left half-deleted; how many pods there are."""
        marked = reaper.condemned()
        for link, owner in marked:
            if link == host_end(owner):
                with suppress(OSError):  # its DEL comes again, or it is collected
                    records.end(self.paths, owner)  # that agent may have been killed just before
            else:
                self.reaper.expect(link, owner, _nothing_more)
        cables = (owner for link, owner in marked if link == host_end(owner))
        owners = {*cables, *(each.owner for each in records.half_deleted(self.paths))}
        for owner in owners:
            self.reaper.expect(host_end(owner), owner, self.settle_for(owner))
        return len(owners)

    def settle_for(self, owner: Owner) -> Callable[[], None]:
        """What is left to do once an attachment's cable is gone: the DEL, from its record."""

        def settle() -> None:
            attachment = records.find(self.paths, owner)
            if attachment is not None and not records.is_renewed(self.paths, owner):
                with Host(self.paths, os.environ) as host:
                    request = records.as_delete(attachment)
                    plugin(request.conf.type).delete(request, host)

        return settle

    def _not_deleted(self, owner: Owner, trouble: str) -> None:
        details = {"container": owner.container_id, "ifname": owner.ifname, "trouble": trouble}
        self.log.warning("not cleared yet", details)


class PodHandler:
    """One thread's part; to the wiring it is `wiring.host.Services`."""

    def __init__(self, pods: Pods) -> None:
        self._pods = pods
        self.rtnl = NetlinkSocket()
        self.visitor = Visitor()
        self.bridges, self.tools = pods.bridges, pods.tools
        self._began = 0.0
        self._phases: dict[str, float] = {}
        self._later: list[Callable[[], None]] = []

    def turn(self, call: Call) -> AbstractContextManager[None]:
        """One call for an attachment waits for the one before it."""
        self._began = time.perf_counter()
        self._phases, self._later = {}, []
        owner = tuple(call.environ.get(each, "") for each in ("CNI_CONTAINERID", "CNI_IFNAME"))
        return self._pods.turns.of(owner) if owner[0] else nullcontext()

    def answer(self, call: Call, netns: int | None, pod: int | None) -> Answer:
        """Do what a runtime, or `dari status`, asks; see `agent.server.Handler`.

        Raises:
            DariError: the agent knows no such command.
        """
        if _ASKED in call.environ:
            return self._pods.ask(call)
        if call.environ.get(_COMMAND) != "ADD":
            return self._respond(call, netns)
        with self._pods.starting():
            return self._add(call, netns, pod)

    def answered(self, call: Call, answer: Answer, *, delivered: bool, at: float) -> None:
        """Count and log a call; take back an ADD whose answer nobody took."""
        command = call.environ.get(_COMMAND, "")
        if _ASKED in call.environ or not command:
            return
        took = at - self._began
        for work in self._later:
            with suppress(DariError):
                work()
        code = _code(answer)
        self._pods.metrics.called(command, code, took, self._phases)
        self._pods.log.info(command, _event(call, answer, took, delivered=delivered))
        if command == "ADD" and answer.status == 0 and not delivered:
            self._respond(_as_delete(call), None)
        if command == "GC":
            self._pods.forget_masqueraded()

    def close(self) -> None:
        """Close the thread's socket, and send its visitor home."""
        self.rtnl.close()
        self.visitor.close()

    def lease_index(self, folder: str) -> OwnerIndex:
        """See `wiring.host.Services`."""
        return self._pods.lease_index(folder)

    def derive(self, conf: NetConf, what: str, make: Callable[[], T]) -> T:
        """See `wiring.host.Services`."""
        return self._pods.recall.derive(conf, what, make)

    def masquerade(self, network: str, entry: Masqueraded) -> None:
        """See `wiring.host.Services`."""
        self._pods.masquerade(network, entry)

    def expect_end(self, link: str, owner: Owner, settle: Callable[[], None]) -> None:
        """See `wiring.host.Services`."""
        self._pods.reaper.expect(link, owner, settle)

    def hurry(self, owner: Owner) -> None:
        """See `wiring.host.Services`."""
        if not self._pods.reaper.hurry(owner):
            raise TryAgain(
                f"container {owner.container_id}: what its DEL left is not cleared yet",
                "the agent's log says why",
            )

    def later(self, work: Callable[[], None]) -> None:
        """See `wiring.host.Services`."""
        self._later.append(work)

    @contextmanager
    def phase(self, name: str) -> Iterator[None]:
        """See `wiring.host.Services`."""
        began = time.perf_counter()
        try:
            yield
        finally:
            self._phases[name] = time.perf_counter() - began

    def _add(self, call: Call, netns: int | None, pod: int | None) -> Answer:
        if _RETRY in call.environ:
            # The agent that took this call first may have finished it before it was killed.
            self._respond(_as_delete(call), netns)
            self._pods.reaper.hurry()
        # Addresses of pods that ended wait for their cables to be gone, which may happen
        # between the failure and a question after it.
        waiting = self._pods.reaper.pending()
        answer = self._respond(call, netns, pod)
        if _code(answer) == NoFreeAddress.code and (waiting or self._pods.reaper.pending()):
            self._pods.reaper.hurry()
            answer = self._respond(call, netns)
        return answer

    def _respond(self, call: Call, netns: int | None, pod: int | None = None) -> Answer:
        def host_of(environ: Mapping[str, str]) -> Host:
            # The socket is closed by who uses it, and what came with the call by who took it.
            own = None if pod is None else os.dup(pod)
            return Host(self._pods.paths, {**self._pods.environ, **environ}, self, netns, own)

        name, memory = call.environ.get(_PLUGIN, "dari"), self._pods.recall
        status, said = respond(name, call.environ, call.stdin, sys.stderr, host_of, memory)
        return Answer(status=status, stdout=said)


def _nothing_more() -> None:
    """What a link's end leaves to be done where it has no lease."""


def _as_delete(call: Call) -> Call:
    return call.replace(environ={**call.environ, _COMMAND: "DEL"})


def _code(answer: Answer) -> int:
    """The error code of an answer; 0 of a good one."""
    if answer.status == 0:
        return 0
    with suppress(ValueError, AttributeError):
        code = json.loads(answer.stdout).get("code")
        if isinstance(code, int):
            return code
    return DariError.code


def _event(call: Call, answer: Answer, took: float, *, delivered: bool) -> Mapping[str, object]:
    """What a log line says of one call."""
    environ = call.environ
    arguments = dict(
        pair.split("=", 1) for pair in environ.get("CNI_ARGS", "").split(";") if "=" in pair
    )
    event: dict[str, object] = {
        "container": environ.get("CNI_CONTAINERID", ""),
        "ifname": environ.get("CNI_IFNAME", ""),
        "pod": arguments.get("K8S_POD_NAME", ""),
        "namespace": arguments.get("K8S_POD_NAMESPACE", ""),
        "ms": round(took * 1e3, 2),
        "status": answer.status,
    }
    if answer.status:
        event["error"] = answer.stdout[:400].decode(errors="replace").strip()
    if not delivered:
        event["delivered"] = False
    return {key: value for key, value in event.items() if value != ""}
