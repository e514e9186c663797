"""A full chain of plugins, as a runtime calls one: a process for each, with prevResult.

The reference's five against ours, and against the same pod in one call of type
`dari`. All of ours go through the agent.

May import: figures, harness, quiet, scenarios, sizes, summary, turns.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack

from bench.figures import Bar, Section, pair_section, row_bar
from bench.harness import Node, Pod
from bench.quiet import settle
from bench.scenarios import (
    CONF_DIR,
    DARI_FOLDER,
    Stop,
    bridge_conf,
    dari_command,
    start_agent,
    start_nothing,
)
from bench.sizes import Setup
from bench.summary import Row
from bench.turns import in_turn

Conf = Mapping[str, object]

CHAIN_BUDGET = 0.15
CALL_BUDGET = 0.05
_SYSCTL = {"net.ipv4.conf.IFNAME.arp_filter": "1"}
_RATES = {"ingressRate": 10_000_000, "ingressBurst": 1_000_000}
_LIMITS = {**_RATES, "egressRate": 10_000_000, "egressBurst": 1_000_000}
_PORTS = [{"hostPort": 8080, "containerPort": 80, "protocol": "tcp"}]
NOTE = (
    "bridge (ipMasq) + portmap + bandwidth + firewall + tuning, for a pod with a host port and "
    "limits both ways. The times of a chain's processes are added up. One call: type dari with "
    "the same in runtimeConfig. Medians (quartiles) of {runs} runs in turn."
)


def chain() -> list[Conf]:
    """The five plugins' configurations, in the order of ADD. Pure."""
    own: list[Conf] = [
        {"type": "portmap", "snat": True, "runtimeConfig": {"portMappings": _PORTS}},
        {"type": "bandwidth", "runtimeConfig": {"bandwidth": _LIMITS}},
        {"type": "firewall"},
        {"type": "tuning", "sysctl": _SYSCTL},
    ]
    first = bridge_conf(masquerade=True)
    shared = {key: first[key] for key in ("cniVersion", "name")}
    return [first, *({**shared, **each} for each in own)]


def single_call() -> Conf:
    """The same pod as one configuration of type `dari`. Pure."""
    return {
        **bridge_conf(masquerade=True),
        "type": "dari",
        "sysctl": _SYSCTL,
        "ingressPolicy": "open",
        "runtimeConfig": {"portMappings": _PORTS, "bandwidth": _LIMITS},
    }


def resident(confs: Sequence[Conf]) -> list[Conf]:
    """A chain for the pod that stays: it leaves the host port to the others. Pure."""
    return [{key: conf[key] for key in conf if key != "runtimeConfig"} for conf in confs[:1]]


def with_result(conf: Conf, result: object) -> Conf:
    """A configuration with prevResult, where there is a result already. Pure."""
    return conf if result is None else {**conf, "prevResult": result}


class _Side:
    """One contestant's node, its waiting pods and its times."""

    def __init__(
        self, stack: ExitStack, folder: str, prepare: Callable[[], Stop], confs: Sequence[Conf]
    ) -> None:
        self._node = Node()
        stack.callback(self._node.close)
        stop = self._node.do(prepare)
        stack.callback(lambda: self._node.do(stop))
        self._folder, self._confs = folder, confs
        self._pods: list[Pod] = []
        self.times: dict[str, list[float]] = {"ADD": [], "DEL": []}

    def get_ready(self, runs: int) -> None:
        """One pod stays; one run, which is not counted, comes first."""
        self._add(self._node.new_pod(), resident(self._confs))
        self._pods = self._node.new_pods(runs + 1)
        self.run_one()
        self.times = {"ADD": [], "DEL": []}

    def run_one(self) -> None:
        """One pod's ADDs, and its DELs in reverse."""
        pod = self._pods.pop()
        took, result = self._add(pod, self._confs)
        self.times["ADD"].append(took)
        self.times["DEL"].append(
            sum(self._time("DEL", pod, with_result(conf, result)) for conf in self._confs[::-1])
        )

    def _add(self, pod: Pod, confs: Sequence[Conf]) -> tuple[float, object]:
        took, result = 0.0, None
        for conf in confs:
            took += self._time("ADD", pod, with_result(conf, result))
            result = json.loads(self._node.answer())
        return took, result

    def _time(self, verb: str, pod: Pod, conf: Conf) -> float:
        return self._node.time(verb, pod, conf, self._folder)


def measure(setup: Setup) -> list[Section]:
    """The three in turn.

    Raises:
        BenchFailed: an executable ended with an error.
    """
    runs = setup.sizes.chains
    settle()
    with ExitStack() as stack:
        sides = [
            _Side(stack, setup.reference, start_nothing, chain()),
            _Side(stack, DARI_FOLDER, _start_agent_with_all, chain()),
            _Side(stack, DARI_FOLDER, start_agent, [single_call()]),
        ]
        for side in sides:
            side.get_ready(runs)
        turns = [side.run_one for side in sides]
        in_turn(turns, runs, lambda done: setup.say("a full chain", done, runs))
    theirs, ours, one = (side.times for side in sides)
    return [section(theirs, ours, one)]


def _start_agent_with_all() -> Stop:
    stop = start_agent()
    names = ",".join(dict.fromkeys(str(conf["type"]) for conf in chain()))
    dari_command("install", "--bin-dir", DARI_FOLDER, "--as", f"{names},host-local", *CONF_DIR)
    return stop


Times = Mapping[str, Sequence[float]]


def section(theirs: Times, ours: Times, one: Times) -> Section:
    """The table. Pure."""
    rows = [
        Row(
            scenario=scenario,
            verb=verb,
            reference=tuple(theirs[verb]),
            dari=tuple(times[verb]),
            budget=budget,
        )
        for scenario, times, budget in (
            ("five processes each", ours, CHAIN_BUDGET),
            ("theirs five processes, ours one call", one, CALL_BUDGET),
        )
        for verb in ("ADD", "DEL")
    ]
    note = NOTE.format(runs=len(theirs["ADD"]))
    return pair_section("chain", "A full chain of plugins", rows, note, _bars(rows))


def _bars(rows: Sequence[Row]) -> list[Bar]:
    return [row_bar(f"a chain's {row.verb}", row) for row in rows if row.budget == CHAIN_BUDGET]
