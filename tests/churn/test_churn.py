"""Many pods come and go at once, and some calls are killed midway: nothing is left over.

A runtime calls the installed executables on a node of its own: for the bridge alone, for a
chain of five plugins, and for the same pod in one call; without an agent and through one.
"""

from __future__ import annotations

import random
import signal
import socket
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, nullcontext
from typing import TypeVar

import pytest

from dari.cni.runtime.cache import Attachment
from dari.cni.runtime.chain import Chain
from dari.delegate import PluginFailed
from dari.errors import DariError
from dari.model import Result
from tests.support.agent import running, wait_until_ready
from tests.support.chains import NAMES, WAYS, Plugins, chain, pod
from tests.support.deadly import after, fatal
from tests.support.executable import install
from tests.support.isolation import add_namespace
from tests.support.kernel import links
from tests.support.snapshot import Snapshot, assert_unchanged, settled
from tests.support.waiting import wait_until

T = TypeVar("T")
CALLERS, LANES = 16, 4
FIRST_SPAN = 0.1  # seconds
FIRST_PORT = 20000
MOST_ATTEMPTS = 100
REWRITTEN = ("/last_reserved_ip.", "/run/dari/owners/")  # where the next pod begins to look
KILLED = f"killed by signal {signal.SIGALRM:d}"


def runs(*sizes: tuple[str, str, int, int]) -> pytest.MarkDecorator:
    """Parameters for a test: a way to run a pod, whether an agent serves, how many, seconds."""
    return pytest.mark.parametrize(
        ("way", "served", "times"),
        [
            pytest.param(
                way, who == "agent", times, id=f"{way}-{who}", marks=pytest.mark.long(seconds)
            )
            for way, who, times, seconds in sizes
        ],
    )


class Addresses:
    """Who holds which address, by what the executable answered."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._held: dict[str, str] = {}

    def given(self, container: str, result: Result) -> None:
        """Note an ADD's addresses; fails where another holds one."""
        with self._lock:
            for address in (str(each.address.ip) for each in result.ips):
                holder = self._held.setdefault(address, container)
                assert holder == container, f"{address} given to {container}, held by {holder}"

    def returned(self, container: str) -> None:
        """Forget what a container held; call this before its DEL."""
        with self._lock:
            self._held = {at: who for at, who in self._held.items() if who != container}


def cycle(network: Chain, number: int, netns: str, addresses: Addresses) -> None:
    """One pod's ADD, a datagram to its host port, and its DEL.

    Few have one of UDP: for each the kernel looks through all of its connections, 10 ms.
    """
    mine = pod(f"c{number}", netns, FIRST_PORT + number, udp=number % 10 == 0)
    result = network.add(mine)
    addresses.given(mine.container_id, result)
    knock(result, FIRST_PORT + number)
    addresses.returned(mine.container_id)
    network.delete(mine)


def knock(result: Result, port: int) -> None:
    """Send a datagram to the node's port in each family; the kernel remembers it for long."""
    for gateway in [each.gateway for each in result.ips]:
        assert gateway is not None
        family = socket.AF_INET6 if gateway.version == 6 else socket.AF_INET
        with socket.socket(family, socket.SOCK_DGRAM) as sender:
            sender.sendto(b"?", (str(gateway), port))


def namespaces(count: int) -> list[str]:
    return [add_namespace(f"pod{index}") for index in range(count)]


@contextmanager
def ready() -> Iterator[None]:
    """An agent that has all as it should be."""
    with running():
        wait_until_ready()
        yield


def node_with_a_past(plugins: Plugins, places: list[str]) -> Snapshot:
    """Run one pod in each namespace, and look at what stays: the bridge, the table, one pod.

    Without that one, the next occasion would take from the table what no pod uses any more.
    """
    chain(plugins).add(pod("stays", add_namespace("stays"), 9))
    staying = links("dari")
    for index, netns in enumerate(places):
        cycle(chain(plugins), index, netns, Addresses())
    wait_until(lambda: staying == links("dari"), "what an agent deletes later is gone")
    return settled()


def in_lanes(work: Callable[[int, str], None], times: int, places: list[str]) -> None:
    """Call `work(number, netns)` for each number below `times`, one at a time per namespace."""
    count = len(places)

    def lane(index: int) -> None:
        for number in range(index, times, count):
            work(number, places[index])

    with ThreadPoolExecutor(max_workers=count) as pool:
        list(pool.map(lane, range(count)))


@runs(
    ("plain", "alone", 1000, 55),
    ("five", "alone", 40, 15),
    ("five", "agent", 500, 15),
    ("one-call", "alone", 60, 10),
    ("one-call", "agent", 400, 10),
)
def test_pods_by_the_hundred_sixteen_at_a_time_leave_nothing(
    way: str, served: bool, times: int
) -> None:
    install(names=NAMES)
    places, addresses = namespaces(CALLERS), Addresses()
    with ready() if served else nullcontext():
        before = node_with_a_past(WAYS[way], places)
        network = chain(WAYS[way])
        in_lanes(lambda number, at: cycle(network, number, at, addresses), times, places)
        assert_unchanged(before, REWRITTEN)


@runs(
    ("plain", "alone", 200, 25),
    ("five", "alone", 40, 15),
    ("five", "agent", 100, 10),
    ("one-call", "alone", 40, 10),
    ("one-call", "agent", 60, 10),
)
def test_killed_calls_leave_nothing(way: str, served: bool, times: int) -> None:
    install(names=NAMES)
    places = namespaces(LANES)
    with ready() if served else nullcontext():
        before = node_with_a_past(WAYS[way], places)
        victims = Victims(WAYS[way], Addresses())
        in_lanes(victims.kill_two, times // 2, places)
        assert_unchanged(before, REWRITTEN)


class Victims:
    """Kills plugins, each at another moment, and does what a runtime does then.

    The moments are spread over the time that a plugin took in the last whole run in that
    namespace, which changes with what else the machine does.

    Args:
        plugins: a network's.
        addresses: who holds what.
    """

    def __init__(self, plugins: Plugins, addresses: Addresses) -> None:
        self._plugins = plugins
        self._addresses = addresses
        self._span: dict[str, float] = {}

    def kill_two(self, number: int, netns: str) -> None:
        """Kill an ADD and clear up with a DEL; add a pod there, and kill the DEL of that one.

        The pod that comes after a killed ADD is the same one every other time.
        """
        moments = random.Random(number)
        container = self._kill("ADD", f"a{number}", netns, moments)
        again = container if number // LANES % 2 else f"d{number}"
        self._kill("DEL", again, netns, moments)

    def _kill(self, verb: str, name: str, netns: str, moments: random.Random) -> str:
        """Kill one call, whose container is returned, and clear up with a DEL.

        A call that was over before its end came is no victim: the next one is tried.
        """
        for attempt in range(MOST_ATTEMPTS):
            container = f"{name}-{attempt}" if attempt else name
            hit = self._attempt(verb, container, netns, moments)
            self._addresses.returned(container)
            self._whole(chain(self._plugins).delete, container, netns)
            if hit:
                return container
        raise AssertionError(f"{name}: {MOST_ATTEMPTS} calls were over before they were killed")

    def _attempt(self, verb: str, container: str, netns: str, moments: random.Random) -> bool:
        if verb == "DEL":
            self._addresses.given(
                container, self._whole(chain(self._plugins).add, container, netns)
            )
            self._addresses.returned(container)
        victim = str(moments.choice(self._plugins)["type"])
        moment = moments.random() * self._span.get(netns, FIRST_SPAN)
        network = chain(self._plugins, folders=fatal(victim), environ=after(verb, moment))
        return was_killed(network.add if verb == "ADD" else network.delete, container, netns)

    def _whole(self, work: Callable[[Attachment], T], container: str, netns: str) -> T:
        began = time.monotonic()
        result = work(pod_in(netns, container))
        self._span[netns] = (time.monotonic() - began) / len(self._plugins)
        return result


def was_killed(work: Callable[..., object], container: str, netns: str) -> bool:
    """Did the call, which a runtime makes for a pod, end by the kill?"""
    try:
        work(pod_in(netns, container))
    except PluginFailed as error:
        assert KILLED in error.message, f"{error.message}; {error.details}"
        return True
    except DariError as error:
        raise AssertionError(f"{error.message}; {error.details}") from error
    return False


def pod_in(netns: str, container: str) -> Attachment:
    """A pod with the host port that one namespace's pods have in turn; one also has UDP's."""
    number = int(netns.removeprefix("/run/netns/pod"))
    return pod(container, netns, FIRST_PORT + number, udp=number == 0)
