"""The parts of a lab that only decide: overlays, advice, environment, the demo's journey."""

from __future__ import annotations

import errno
import os
import sys

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dari.errors import BadConfig
from dari.lab import journey, show
from dari.lab.folders import OWN, overlays
from dari.lab.look import Seen, SeenNode, SeenPod
from dari.lab.privilege import advice
from dari.lab.probe import Report
from dari.lab.programs import environment, launcher, python, refuse_hidden
from dari.tables.layout import Style


@given(st.sets(st.sampled_from(OWN)))
def test_after_the_overlays_every_folder_of_a_node_s_own_is_there(existing: set[str]) -> None:
    found = overlays(existing.__contains__)
    made = {f"{overlay.path}/{folder}" for overlay in found for folder in overlay.folders}
    assert set(OWN) - {"/run"} <= existing | made
    assert "/etc" in {overlay.path for overlay in found}


def test_nothing_is_overlaid_without_need() -> None:
    assert [overlay.path for overlay in overlays(lambda _: True)] == ["/etc"]
    assert "/opt" in [overlay.path for overlay in overlays(lambda _: False)]


def settings_that_say(**values: str) -> dict[str, str]:
    return {
        "/proc/sys/kernel/unprivileged_userns_clone": values.get("clone", ""),
        "/proc/sys/user/max_user_namespaces": values.get("most", "1000\n"),
        "/proc/sys/kernel/apparmor_restrict_unprivileged_userns": values.get("apparmor", ""),
    }


@pytest.mark.parametrize(
    ("said", "error", "ordinary", "expected"),
    [
        ({"clone": "0\n"}, errno.EPERM, True, "kernel.unprivileged_userns_clone=1"),
        ({"apparmor": "1\n"}, errno.EACCES, True, "apparmor_restrict_unprivileged_userns=0"),
        ({"most": "0\n"}, errno.ENOSPC, True, "user.max_user_namespaces=10000"),
        ({}, errno.ENOSPC, True, "user.max_net_namespaces=10000"),
        ({"clone": "1\n", "apparmor": "0\n"}, errno.EPERM, True, "--privileged"),
        ({"apparmor": "1\n"}, errno.EPERM, False, "--privileged"),
    ],
)
def test_a_refused_namespace_names_the_setting(
    said: dict[str, str], error: int, ordinary: bool, expected: str
) -> None:
    read = settings_that_say(**said).__getitem__
    assert expected in advice(OSError(error, "no"), ordinary=ordinary, read=read)


def test_programs_inside_find_this_dari_and_what_root_needs() -> None:
    found = environment({"PATH": "/usr/bin:/home/me/bin", "PYTHONPATH": "src::.", "LANG": "C"})
    path = found["PATH"].split(":")
    assert path[0] == "/run/lab/bin"
    assert {"/usr/sbin", "/sbin", "/home/me/bin"} <= set(path)
    assert len(set(path)) == len(path)
    assert all(os.path.isabs(each) for each in found["PYTHONPATH"].split(":"))
    assert found["PYTHONPATH"].startswith(f"{os.path.abspath('src')}:{os.path.abspath('.')}")
    assert found["LANG"] == "C"
    assert environment(found) == found


def test_the_launcher_is_a_script_that_runs_this_python() -> None:
    text = launcher({})
    assert text.startswith("#!/bin/sh\n")
    assert f'exec {sys.executable} -P -m dari "$@"' in text
    assert python("dari", ["tables"]) == [sys.executable, "-P", "-m", "dari", "tables"]


def test_a_dari_that_machines_would_not_see_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    refuse_hidden()
    monkeypatch.setattr(sys, "executable", "/run/venv/bin/python")
    with pytest.raises(BadConfig, match="/run"):
        refuse_hidden()


ADDRESSES = {"v4": "10.244.%d.%d", "v6": "fd00:10:244:%d::%d"}


def a_lab(nodes: int, pods: int) -> Seen:
    def of(number: int, host: int) -> tuple[str, ...]:
        return tuple(form % (number, host) for form in ADDRESSES.values())

    return Seen(
        name="lab",
        nodes=tuple(
            SeenNode(
                name=f"node{n}",
                addresses=(f"10.0.1.{n}", f"fd00:10:0:1::{n}"),
                pod_ranges=(f"10.244.{n}.0/24",),
                agent="ready",
            )
            for n in range(1, nodes + 1)
        ),
        pods=tuple(
            SeenPod(name=f"pod-{n}-{p}", node=f"node{n}", addresses=of(n, p + 1))
            for n in range(1, nodes + 1)
            for p in range(1, pods + 1)
        ),
        outside=("10.0.1.254", "fd00:10:0:1::254"),
    )


SIZES = st.builds(a_lab, st.integers(1, 5), st.integers(0, 4))


@given(SIZES)
def test_the_journey_pings_every_ordered_pair_over_each_family(seen: Seen) -> None:
    plan = journey.itinerary(seen)
    count = len(seen.pods)
    assert sum(len(visit.ping) for visit in plan.values()) == count * max(count - 1, 0) * 2
    for pod in seen.pods:
        assert not set(plan[pod.name].ping) & set(pod.addresses)
        assert set(seen.outside) <= set(plan[pod.name].ask)


@given(SIZES)
def test_pods_ask_a_pod_on_another_node_where_there_is_one(seen: Seen) -> None:
    homes = {address: pod.node for pod in seen.pods for address in pod.addresses}
    for name, visit in journey.itinerary(seen).items():
        (own,) = [pod for pod in seen.pods if pod.name == name]
        asked = {homes[address] for address in visit.ask if address in homes}
        assert len(asked) == (1 if len(seen.pods) > 1 else 0)
        assert len(seen.nodes) == 1 or asked != {own.node}


def perfect(seen: Seen) -> dict[str, Report]:
    """What a cluster that works answers."""
    nodes = {node.name: node.addresses for node in seen.nodes}
    reports = {}
    for pod in seen.pods:
        visit = journey.itinerary(seen)[pod.name]
        answers = {}
        for address in visit.ask:
            family = 0 if journey.version(address) == 4 else 1
            owner = nodes[pod.node] if address in seen.outside else pod.addresses
            answers[address] = (owner[family], owner[family])
        reports[pod.name] = Report(seconds=dict.fromkeys(visit.ping, 0.001), seen=answers)
    return reports


@given(SIZES)
def test_a_perfect_answer_is_found_right(seen: Seen) -> None:
    reports = perfect(seen)
    assert all(pair.seconds is not None for pair in journey.pairs(seen, reports))
    assert all(one.right for one in journey.arrivals(seen, reports))


def test_masquerading_between_pods_and_none_to_the_outside_are_both_wrong() -> None:
    seen = a_lab(2, 1)
    reports = perfect(seen)
    swapped = {
        "10.244.2.2": ("10.0.1.1", "10.244.1.2"),  # TCP came with the node's address
        "10.0.1.254": ("10.244.1.2", "10.244.1.2"),  # it came with the pod's
    }
    reports["pod-1-1"] = reports["pod-1-1"].replace(seen={**reports["pod-1-1"].seen, **swapped})
    wrong = [one for one in journey.arrivals(seen, reports) if not one.right]
    assert [(one.asker, one.asked, one.expected) for one in wrong] == [
        ("pod-1-1", "pod-2-1", "10.244.1.2"),
        ("pod-1-1", "outside", "10.0.1.1"),
    ]


def test_a_lost_ping_is_a_lost_pair() -> None:
    seen = a_lab(2, 1)
    reports = perfect(seen)
    reports["pod-2-1"] = reports["pod-2-1"].replace(seconds={"10.244.1.2": None})
    lost = [pair for pair in journey.pairs(seen, reports) if pair.seconds is None]
    assert [(pair.source, pair.target, pair.version) for pair in lost] == [
        ("pod-2-1", "pod-1-1", 4),
        ("pod-2-1", "pod-1-1", 6),
    ]


def test_status_as_json_has_the_promised_keys() -> None:
    document = show.as_json(a_lab(1, 1))
    assert document == {
        "name": "lab",
        "nodes": [
            {
                "name": "node1",
                "address": "10.0.1.1",
                "addresses": ["10.0.1.1", "fd00:10:0:1::1"],
                "pod_ranges": ["10.244.1.0/24"],
                "agent": "ready",
            }
        ],
        "pods": [
            {
                "name": "pod-1-1",
                "node": "node1",
                "addresses": ["10.244.1.2", "fd00:10:244:1::2"],
            }
        ],
        "outside": {"addresses": ["10.0.1.254", "fd00:10:0:1::254"]},
    }


def test_status_as_text_names_everything_once() -> None:
    text = show.as_text(a_lab(2, 2), Style())
    for name in ("node1", "node2", "pod-1-1", "pod-1-2", "pod-2-1", "pod-2-2", "outside"):
        assert text.count(name) == 1
    assert "\x1b" not in text


@pytest.mark.parametrize("agent", ["absent", "syncing", "gone"])
def test_a_lab_with_an_agent_that_is_not_ready_is_not_whole(agent: str) -> None:
    seen = a_lab(2, 1)
    assert show.is_whole(seen)
    first, second = seen.nodes
    assert not show.is_whole(seen.replace(nodes=(first, second.replace(agent=agent))))
    assert not show.is_whole(seen.replace(pods=(seen.pods[0].replace(addresses=()),)))
    assert not show.is_whole(seen.replace(router=first.replace(agent=agent)))
