"""Agents that are killed and replaced while pods come and go: no call fails, nothing is left."""

from __future__ import annotations

import signal
import time
from concurrent.futures import ThreadPoolExecutor

import pytest

from dari.cni.runtime.cache import Attachment
from tests.support.agent import Agents, wait_for, wait_until_ready
from tests.support.chains import NAMES, WAYS, chain, pod
from tests.support.executable import install
from tests.support.isolation import add_namespace
from tests.support.kernel import links
from tests.support.snapshot import assert_unchanged, snapshot

REWRITTEN = ("/last_reserved_ip.", "/run/dari/owners/", "/run/dari/agent.")
CALLERS = 8


def pods(count: int) -> list[Attachment]:
    """Each in a namespace of its own, with a host port of its own."""
    numbers = range(count)
    return [
        pod(f"c{each}", add_namespace(f"c{each}"), 9000 + each, udp=each == 0) for each in numbers
    ]


@pytest.mark.long(10)
@pytest.mark.parametrize("way", WAYS)
def test_an_agent_killed_at_work_leaves_nothing_that_the_next_does_not_finish(way: str) -> None:
    """SIGKILL at growing moments under load: every ADD is answered or can be retried."""
    install(names=NAMES)
    network, attachments = chain(WAYS[way]), pods(20)
    network.add(pod("stays", add_namespace("stays"), 9))
    with Agents("--gc-grace", "1") as agents, ThreadPoolExecutor(CALLERS) as callers:
        wait_until_ready()
        before, staying = snapshot(), links("dari")
        for number in range(3):
            adding = [callers.submit(network.add, each) for each in attachments]
            time.sleep(0.01 * (number + 1))
            agents.replace(signal.SIGKILL)
            given = {str(ip.address) for each in adding for ip in each.result().ips}
            assert len(given) == 2 * len(attachments), "an address was given twice"
            deleting = [callers.submit(network.delete, each) for each in attachments]
            time.sleep(0.01 * number)
            agents.replace(signal.SIGKILL)
            for each in deleting:
                each.result()
            wait_for(lambda: links("dari") == staying)
            assert_unchanged(before, REWRITTEN)


@pytest.mark.parametrize("way", WAYS)
def test_restarting_the_agent_under_load_fails_no_call(way: str) -> None:
    install(names=NAMES)
    network, attachments = chain(WAYS[way]), pods(30)
    with Agents() as agents, ThreadPoolExecutor(4) as callers:
        for work in (network.add, network.delete):
            calling = [callers.submit(work, each) for each in attachments]
            for _ in range(3):
                time.sleep(0.05)
                agents.replace(signal.SIGTERM)
            for each in calling:
                each.result()
    assert links("dari") == []
