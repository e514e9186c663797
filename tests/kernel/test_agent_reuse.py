"""One container id used again, before or while what its DEL left behind is cleared."""

from __future__ import annotations

import os
import threading
from functools import partial
from pathlib import Path

from dari.agent.reaper import Reaper
from dari.errors import IOFailure
from dari.model import ContainerId, InterfaceName, Owner
from dari.wiring.names import host_end
from tests.support.agent import call, install, running, wait_for
from tests.support.isolation import add_namespace
from tests.support.kernel import links, reaches, run
from tests.support.waiting import PATIENCE

LEASES = Path("/var/lib/cni/networks/mynet")
RECORDS = Path("/run/dari/attachments")


def leases() -> list[str]:
    return sorted(each.name for each in LEASES.iterdir() if each.name[0].isdigit())


def renew_namespace() -> None:
    run("ip", "netns", "del", "c1")
    add_namespace("c1")


def assert_whole() -> None:
    """There is one pod, with its cable, its lease and its record."""
    assert len(links("dari")) == 1
    assert len(leases()) == 1
    assert [name.endswith(".json") for name in os.listdir(RECORDS)] == [True]
    assert reaches("10.22.0.1", "c1")


def let_the_reaper_pass() -> None:
    """What it has to do is done once a later pod's end is."""
    add_namespace("other")
    assert call("ADD", "other")[0] == 0
    assert call("DEL", "other") == (0, None)
    wait_for(lambda: len(os.listdir(RECORDS)) == 1)


def test_a_container_that_starts_again_in_a_new_namespace_keeps_what_it_gets() -> None:
    install()
    with running():
        add_namespace("c1")
        for number in range(8):
            status, result = call("ADD", "c1")
            assert status == 0, (number, result)
            assert call("DEL", "c1") == (0, None)
            renew_namespace()
        assert call("ADD", "c1")[0] == 0
        let_the_reaper_pass()
        assert_whole()


def test_a_cable_that_still_waits_to_be_deleted_is_in_nobodys_way() -> None:
    install()
    with running():
        for number in range(4):
            netns = add_namespace(f"n{number}")
            status, result = call("ADD", "c1", netns=netns)
            assert status == 0, result
            assert call("DEL", "c1", netns=netns) == (0, None)


def test_another_container_may_come_into_a_namespace_at_once() -> None:
    install()
    netns = add_namespace("n")
    with running():
        for number in range(8):
            status, result = call("ADD", f"c{number}", netns=netns)
            assert status == 0, result
            assert call("DEL", f"c{number}", netns=netns) == (0, None)


def test_a_pod_that_came_back_without_an_agent_is_not_taken_for_the_one_that_ended() -> None:
    install()
    add_namespace("c1")
    assert call("ADD", "c1")[0] == 0
    [record] = RECORDS.iterdir()
    record.rename(f"{record}.ended")  # as of an agent that was killed after the DEL's answer
    renew_namespace()
    status, result = call("ADD", "c1")
    assert status == 0, result
    with running():
        let_the_reaper_pass()
        assert_whole()


def test_an_add_is_refused_while_the_attachment_has_a_cable_elsewhere() -> None:
    install()
    add_namespace("c1")
    elsewhere = add_namespace("c2")
    with running():
        assert call("ADD", "c1")[0] == 0
        status, error = call("ADD", "c1", netns=elsewhere)
        assert (status, error["code"]) == (1, 4)
        assert_whole()


def test_what_could_not_be_given_back_is_tried_again_and_stops_nothing() -> None:
    owners = [
        Owner(container_id=ContainerId(name), ifname=InterfaceName("eth0"))
        for name in ("refused", "faulty", "good")
    ]
    is_mended = threading.Event()
    given_back: list[Owner] = []
    told: list[Owner] = []
    reaper = Reaper(lambda: False, lambda owner, _: told.append(owner))

    def settle(owner: Owner, failure: Exception) -> None:
        if not is_mended.is_set() and owner != owners[2]:
            raise failure
        given_back.append(owner)

    for owner, failure in zip(
        owners, (IOFailure("read-only"), ValueError(), OSError()), strict=True
    ):
        reaper.expect(host_end(owner), owner, partial(settle, owner, failure))
    thread = threading.Thread(target=reaper.run)
    thread.start()
    try:
        assert not reaper.hurry(owners[0])
        assert given_back == [owners[2]]
        assert set(told) == set(owners[:2])
        assert reaper.pending() == 2
        is_mended.set()
        assert reaper.hurry()
        assert set(given_back) == set(owners)
        assert reaper.pending() == 0
    finally:
        reaper.stop()
        thread.join(PATIENCE)
    assert not thread.is_alive()
