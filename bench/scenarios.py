"""What is measured: each scenario is a configuration for the reference and one for dari.

A new scenario is a new entry of `scenarios`, or, where it is not a run of ADD and
DEL in pairs, a new function beside `run_pairs` that returns rows.

May import: harness, summary, record.
"""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable, Mapping
from contextlib import ExitStack

from bench.harness import BOUND, FOLDER, LEASES, BenchFailed, Node, Pod
from bench.summary import Row
from dari.record import Record

DARI = (sys.executable, "-m", "dari")
DARI_FOLDER = f"{FOLDER}/bin"
CONF_DIR = ("--conf-dir", f"{FOLDER}/net.d")
WARM_UPS = 3
# With ipMasq, against iptables: what the design promises.
ALONE_BUDGETS = {"ADD": 0.5}
AGENT_BUDGETS = {"ADD": 0.12, "DEL": 0.06}
AGENT_SECONDS = 30
AGENT_LOG = f"{FOLDER}/agent.log"

Stop = Callable[[], None]


class Contestant(Record):
    """Whose executables run, and with what configuration.

    Attributes:
        folder: where the executables are.
        conf: the network configuration for them.
        prepare: is run on the node first; it puts the executables there, starts
            what they need, and returns how to stop that.
    """

    folder: str
    conf: Mapping[str, object]
    prepare: Callable[[], Stop]


class Scenario(Record):
    """A comparison of whole processes.

    Attributes:
        title: what is set up, as it stands in the table.
        reference: their executables.
        dari: ours.
        budgets: for a verb, what the ratio may be at most.
    """

    title: str
    reference: Contestant
    dari: Contestant
    budgets: Mapping[str, float]


def bridge_conf(*, masquerade: bool, backend: str = "") -> dict[str, object]:
    """A bridge with host-local addresses, as a runtime puts it on stdin.

    Args:
        masquerade: `ipMasq`.
        backend: `ipMasqBackend`; empty leaves the choice to the plugin.
    """
    conf: dict[str, object] = {
        "cniVersion": "1.0.0",
        "name": "bench",
        "type": "bridge",
        "bridge": "cni0",
        "isGateway": True,
        "ipMasq": masquerade,
        "ipam": {
            "type": "host-local",
            "subnet": "10.22.0.0/16",
            "routes": [{"dst": "0.0.0.0/0"}],
            "dataDir": LEASES,
        },
    }
    return {**conf, "ipMasqBackend": backend} if backend else conf


def scenarios(folder: str) -> list[Scenario]:
    """All that can be compared with the reference plugins in `folder`."""
    plain, masquerade = bridge_conf(masquerade=False), bridge_conf(masquerade=True)
    nftables = bridge_conf(masquerade=True, backend="nftables")
    theirs = Contestant(folder=folder, conf=masquerade, prepare=start_nothing)
    alone = Contestant(folder=DARI_FOLDER, conf=masquerade, prepare=install_dari)
    helped = alone.replace(prepare=start_agent)
    backends = [("iptables", theirs)]
    if masquerades_with_nftables(folder):
        backends.append(("nftables", theirs.replace(conf=nftables)))
    listed = [
        Scenario(
            title=f"ipMasq (theirs: {backend}), {who}",
            reference=reference,
            dari=ours,
            budgets=budgets if backend == "iptables" else {},
        )
        for backend, reference in backends
        for who, ours, budgets in (
            ("no agent", alone, ALONE_BUDGETS),
            ("agent", helped, AGENT_BUDGETS),
        )
    ]
    return listed + [
        Scenario(
            title=f"no ipMasq, {who}",
            reference=theirs.replace(conf=plain),
            dari=ours.replace(conf=plain),
            budgets={},
        )
        for who, ours in (("no agent", alone), ("agent", helped))
    ]


def install_dari() -> Stop:
    """Put dari's executables where its contestants look for them."""
    dari_command("install", "--bin-dir", DARI_FOLDER, "--as", "bridge,host-local", *CONF_DIR)
    return _nothing_more


def start_agent() -> Stop:
    """The same, and an agent with a network of its own beside the one that is measured."""
    own = ("--store-dir", f"{FOLDER}/store", "--bridge", "cni1", "--pod-range", "10.99.0.0/24")
    return run_agent(*own)


def run_agent(*own: str) -> Stop:
    """Install, and start an agent with these options of its own; it is ready then."""
    install_dari()
    with open(AGENT_LOG, "wb") as log:
        agent = subprocess.Popen([*BOUND, *DARI, "agent", *CONF_DIR, *own], stdout=log, stderr=log)

    def stop() -> None:
        agent.terminate()
        agent.wait()

    with ExitStack() as undo:
        undo.callback(stop)
        dari_command("status", "--wait", str(AGENT_SECONDS), log=AGENT_LOG)
        undo.pop_all()
    return stop


def dari_command(*arguments: str, log: str = os.devnull) -> None:
    """Run the command, on the calling thread's node; `log` is told where it fails.

    Raises:
        BenchFailed: it ended with another status than 0.
    """
    done = subprocess.run([*DARI, *arguments], capture_output=True, text=True)
    if done.returncode != 0:
        with open(log, encoding="utf-8", errors="replace") as file:
            raise BenchFailed(f"dari {' '.join(arguments)}: {done.stderr}{file.read()}")


def masquerades_with_nftables(folder: str) -> bool:
    """Ask by trying: versions before 1.7 ignore the key and use iptables."""
    node = Node()
    try:
        pod, conf = node.new_pod(), bridge_conf(masquerade=True, backend="nftables")
        node.time("ADD", pod, conf, folder)
        return node.do(_tables_of_theirs) != ""
    finally:
        node.close()


def _tables_of_theirs() -> str:
    command = ["iptables", "-t", "nat", "-S"]
    listed = subprocess.run(command, check=True, capture_output=True, text=True).stdout
    return "" if "MASQUERADE" in listed else "nftables"


def start_nothing() -> Stop:
    """The reference plugins are in place already."""
    return _nothing_more


def _nothing_more() -> None:
    """Nothing was started."""


def run_pairs(scenario: Scenario, pairs: int, tick: Callable[[int], None]) -> list[Row]:
    """Run the two contestants in turn, each on a node of its own with one pod running.

    Args:
        scenario: what to compare.
        pairs: how many ADDs, and DELs, of each.
        tick: is told after each pair how many are done.

    Returns:
        A row for ADD and a row for DEL.

    Raises:
        BenchFailed: an executable ended with an error.
    """
    with ExitStack() as stack:
        sides = [_Side(stack, who) for who in (scenario.reference, scenario.dari)]
        for side in sides:
            side.get_ready(pairs)
        for done in range(pairs):
            for side in sides if done % 2 == 0 else reversed(sides):
                side.run_one()
            tick(done + 1)
    return [_row(scenario, verb, *sides) for verb in ("ADD", "DEL")]


class _Side:
    """One contestant at work: its node, its waiting pods, and its times so far.

    Args:
        stack: is left when the work is done.
        who: the contestant.
    """

    def __init__(self, stack: ExitStack, who: Contestant) -> None:
        self._stack = stack
        self._node = Node()
        stack.callback(self._node.close)
        self._who = who
        self._pods: list[Pod] = []
        self.times: dict[str, list[float]] = {"ADD": [], "DEL": []}

    def get_ready(self, pairs: int) -> None:
        """Install, start a pod that stays, and make the namespaces that will be used.

        Making and removing namespaces costs the kernel work in the background;
        done beforehand and at the very end, it falls into nobody's time.
        """
        stop = self._node.do(self._who.prepare)
        self._stack.callback(lambda: self._node.do(stop))
        self._time("ADD", self._node.new_pod())
        self._pods = [self._node.new_pod() for _ in range(WARM_UPS + pairs)]
        for _ in range(WARM_UPS):
            self.run_one()
        self.times = {"ADD": [], "DEL": []}

    def run_one(self) -> None:
        """One pod's ADD and DEL."""
        pod = self._pods.pop()
        for verb, times in self.times.items():
            times.append(self._time(verb, pod))

    def _time(self, verb: str, pod: Pod) -> float:
        return self._node.time(verb, pod, self._who.conf, self._who.folder)


def _row(scenario: Scenario, verb: str, reference: _Side, dari: _Side) -> Row:
    return Row(
        scenario=scenario.title,
        verb=verb,
        reference=tuple(reference.times[verb]),
        dari=tuple(dari.times[verb]),
        budget=scenario.budgets.get(verb),
    )
