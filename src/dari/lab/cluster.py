"""A node of the lab becomes a node of a cluster, by the same programs as a real one.

`dari install` puts the executables in place, `dari agent` runs, and `dari add`
does for each pod what a container runtime does, through the conf dir. A router
runs the agent in that role. Nothing here knows how any of them works.

May import: errors, model, netlink, paths, agent, and within lab: messages, bird, etcd, folders,
message, pod, programs, topology.
"""

from __future__ import annotations

import json
import os
import subprocess
import time
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from typing import TYPE_CHECKING

from dari.agent.client import AgentAbsent, ask_status
from dari.errors import DariError, TryAgain
from dari.lab import bird, etcd, pod, programs
from dari.lab.message import Channel, Message
from dari.lab.messages import _
from dari.lab.topology import Machine, Topology
from dari.netlink.route import list_routes
from dari.netlink.sock import NetlinkSocket
from dari.paths import Paths

if TYPE_CHECKING:
    from dari.model import IPNetwork, Json

AGENT_LOG = "/run/agent.log"
AGENT_SETTINGS = "/etc/dari/agent.toml"
_PATIENCE = 30.0  # seconds; only what is broken takes that long
_POLL = 0.02
_LOG_LINES = 10
_AT_ONCE = 4  # calls of `dari add` under way on one node
Values = Mapping[str, tuple[str, ...]]


def bring_up(topology: Topology, one: Machine, report: Channel) -> tuple[tuple[str, ...], Values]:
    """Run the agent here and wire the pods; return pod ranges, and addresses by pod.

    Raises:
        DariError: a program failed; what it said is in the message.
    """
    if topology.backend == "bgp":
        bird.start(topology, one)
    if not topology.has_agent(one):
        return (), {}
    pod.bear_all(one.pods, report)
    _configure_agent(topology, one)
    agent = _start_agent()
    if one.kind == "node":
        _run(["install", "--as", "bridge,host-local,loopback"])
    ranges = _wait_for_agent(agent)
    pods = _(", its pods are in {ranges}").format(ranges=", ".join(ranges)) if ranges else ""
    _say(report, _("{name}: the agent is ready{pods}").format(name=one.name, pods=pods))
    with ThreadPoolExecutor(_AT_ONCE) as callers:
        found = dict(zip(one.pods, callers.map(_add, one.pods), strict=True))
    if found:
        _say(report, _("{name}: {number} pods are wired").format(name=one.name, number=len(found)))
    return ranges, found


def wait_for_routes(ranges: Sequence[IPNetwork]) -> None:
    """Wait until this machine has a route to each of the others' pod ranges.

    Raises:
        DariError: it still lacks one after half a minute.
    """

    def missing() -> list[IPNetwork]:
        with NetlinkSocket() as sock:
            known = {route.dst for route in list_routes(sock)}
        return [each for each in ranges if each not in known]

    _poll(
        lambda: not missing(),
        lambda: _("no route to {ranges}; {log}").format(
            ranges=", ".join(map(str, missing())), log=_log()
        ),
    )


def _configure_agent(topology: Topology, one: Machine) -> None:
    """What a node's operator would write; `dari agent` by hand then needs no option."""
    settings = {
        "node-name": one.name,
        "role": one.kind,
        "cluster-range": [str(each) for each in topology.cluster_ranges],
        "backend": topology.backend,
        "store": topology.store,
        **(etcd.settings(topology) if topology.store == "etcd" else {}),
        **(bird.settings(topology, one) if topology.backend == "bgp" else {}),
    }
    with open(AGENT_SETTINGS, "w", encoding="utf-8") as stream:
        stream.writelines(f"{key} = {json.dumps(value)}\n" for key, value in settings.items())


def _start_agent() -> subprocess.Popen[bytes]:
    with open(AGENT_LOG, "ab") as log:
        return subprocess.Popen(
            programs.python("dari", ["agent"]),
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            start_new_session=True,
            env=os.environ,
        )


def _wait_for_agent(agent: subprocess.Popen[bytes]) -> tuple[str, ...]:
    """Wait until the agent says that pods can start here; return their ranges."""
    told: Json = {}

    def ready() -> bool:
        nonlocal told
        if agent.poll() is not None:
            raise DariError(_("the agent has ended; {log}").format(log=_log()))
        with suppress(AgentAbsent, TryAgain):
            told = ask_status(Paths().agent_socket)
        return bool(told.get("ready"))

    _poll(
        ready,
        lambda: _("the agent is not ready, it waits for {what}; {log}").format(
            what=told.get("waiting_for"), log=_log()
        ),
    )
    ranges = told.get("pod_ranges")
    return tuple(map(str, ranges)) if isinstance(ranges, list) else ()


def _add(name: str) -> tuple[str, ...]:
    """Wire one pod as `dari add CONTAINER NETNS` does; return its addresses."""
    result = json.loads(_run(["add", name, name, "-o", "json"]))
    return tuple(str(ip["address"]).partition("/")[0] for ip in result["ips"])


def _run(words: Sequence[str]) -> str:
    """Run dari with these words and return what it printed."""
    done = subprocess.run(
        programs.python("dari", words),
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        errors="replace",
    )
    if done.returncode != 0:
        said = done.stderr.strip() or done.stdout.strip()
        raise DariError(_("`dari {words}` failed: {said}").format(words=" ".join(words), said=said))
    return done.stdout


def _poll(done: Callable[[], bool], complaint: Callable[[], str]) -> None:
    deadline = time.monotonic() + _PATIENCE
    while not done():
        if time.monotonic() > deadline:
            raise DariError(complaint())
        time.sleep(_POLL)


def _log() -> str:
    """The end of what the agent has said."""
    with open(AGENT_LOG, encoding="utf-8", errors="replace") as stream:
        lines = stream.read().splitlines()[-_LOG_LINES:]
    return "\n  ".join([_("its log ends so:"), *lines]) if lines else _("it has said nothing")


def _say(report: Channel, text: str) -> None:
    report.send(Message(kind="step", text=text))
