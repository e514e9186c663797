"""Type `bandwidth` on the real kernel: beside Debian's, alone, and measured."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import pytest
from hypothesis import given

from dari.errors import BadConfig, CheckFailed, DariError, KernelRefused, UnsupportedField
from dari.model import Interface, Result
from dari.paths import Paths
from dari.wiring.limits import parse_limits
from dari.wiring.names import host_end, is_host_end, shaper
from dari.wiring.records import Attachment, all_attachments
from tests.support.calling import add, collect, delete, status, verb
from tests.support.calls import call
from tests.support.hostile import junk_for
from tests.support.isolation import add_namespace
from tests.support.kernel import ip, links, reaches, run
from tests.support.pages import describes, examples
from tests.support.twins import Answer, Side, assert_alike
from tests.support.waiting import wait_until

MEGABIT = 1_000_000
RATES: dict[str, object] = {
    "ingressRate": 80 * MEGABIT,
    "ingressBurst": 2 * MEGABIT,
    "egressRate": 40 * MEGABIT,
    "egressBurst": 2 * MEGABIT,
}
CONF: dict[str, object] = {"cniVersion": "1.0.0", "name": "mynet", "type": "bandwidth"}
BOTH = {**CONF, **RATES}
PTP: dict[str, object] = {
    "cniVersion": "1.0.0",
    "name": "mynet",
    "type": "ptp",
    "ipam": {"type": "host-local", "subnet": "10.41.0.0/24"},
}


def joined(container: str = "c1") -> Result:
    """A pod that ptp has joined to the node."""
    return add(PTP, container)


def device(container: str = "c1") -> str:
    return shaper(call("ADD", CONF, container).owner)


def records() -> list[str]:
    return [each.part for each in all_attachments(Paths()) if isinstance(each, Attachment)]


def qdiscs() -> str:
    return run("tc", "qdisc", "show")


def occupy_ingress(end: str) -> None:
    """Put somebody else's filter of another kind where ours would be: the kernel refuses ours."""
    run("tc", "qdisc", "add", "dev", end, "ingress")
    theirs = "ingress u32 match u32 0 0 action mirred egress redirect dev lo"
    run(*f"tc filter add dev {end} {theirs}".split())


ALIKE: dict[str, dict[str, object]] = {
    "both": RATES,
    "ingress": {"ingressRate": 8 * MEGABIT, "ingressBurst": MEGABIT},
    "egress": {"egressRate": 8 * MEGABIT, "egressBurst": MEGABIT},
    "runtime": {"runtimeConfig": {"bandwidth": RATES}},
    "own before runtime": {
        "ingressRate": 8 * MEGABIT,
        "ingressBurst": MEGABIT,
        "runtimeConfig": {"bandwidth": RATES},
    },
    "own zeros before runtime": {"ingressRate": 0, "runtimeConfig": {"bandwidth": RATES}},
    "odd numbers": {"ingressRate": 12_345_679, "ingressBurst": 1_234_567},
    "more than 32 bits": {"ingressRate": 48_000 * MEGABIT, "ingressBurst": 80 * MEGABIT},
    "nothing": {},
    "zeros": {"ingressRate": 0, "ingressBurst": 0, "egressRate": 0, "egressBurst": 0},
}


@pytest.mark.parametrize("case", ALIKE)
def test_answers_and_shapes_as_the_reference_does(case: str) -> None:
    conf = {**CONF, **ALIKE[case]}

    def story(side: Side) -> object:
        ptp = side.add("ptp", {**PTP, "mtu": 1400})
        answer = side.add("bandwidth", {**conf, "prevResult": ptp})
        shaped = side.picture()
        if side.ours or conf != CONF:  # theirs panics where nothing is configured
            side.call("bandwidth", "CHECK", {**conf, "prevResult": answer})
            side.call("bandwidth", "DEL", {**conf, "prevResult": answer})
        side.call("ptp", "DEL", {**PTP, "prevResult": answer})
        return side.result(answer), shaped, side.picture()

    assert_alike(story)


REFUSED: dict[str, dict[str, object]] = {
    "a rate alone": {"ingressRate": 8},
    "a burst alone": {"egressBurst": 8},
    "a burst of 4 GB": {"ingressRate": 8, "ingressBurst": 2**35},
    "less than a byte": {"ingressRate": 7, "ingressBurst": 8},
    "text": {"ingressRate": "8"},
    "a negative rate": {"ingressRate": -1, "ingressBurst": 8},
    "the runtime's": {"runtimeConfig": {"bandwidth": {"egressRate": 8}}},
}


@pytest.mark.parametrize("case", REFUSED)
def test_refuses_what_the_reference_refuses_and_changes_nothing(case: str) -> None:
    conf = {**CONF, **REFUSED[case]}

    def story(side: Side) -> object:
        ptp = side.add("ptp", PTP)
        status, answer = side.ask("bandwidth", "ADD", {**conf, "prevResult": ptp})
        assert not side.ours or answer["code"] == 7
        return status, side.picture()

    assert_alike(story)


@pytest.mark.parametrize(
    ("change", "error"),
    [
        ({"shapedSubnets": ["10.0.0.0/8"]}, UnsupportedField),
        ({"unshapedSubnets": ["10.0.0.0/8"]}, UnsupportedField),
        ({"runtimeConfig": {"bandwidth": {**RATES, "shapedSubnets": ["::/0"]}}}, UnsupportedField),
        ({"runtimeConfig": {"bandwidth": 5}}, BadConfig),
    ],
)
def test_a_failing_add_changes_nothing(change: dict[str, object], error: type[DariError]) -> None:
    previous, before = joined(), qdiscs()
    with pytest.raises(error):
        verb("ADD", {**CONF, **change}, previous)
    assert qdiscs() == before
    assert not links(device())


def test_what_is_done_is_undone_when_the_kernel_refuses_a_later_step() -> None:
    previous = joined()
    end = previous.interfaces[0].name
    occupy_ingress(end)
    before = qdiscs()
    with pytest.raises(KernelRefused):
        verb("ADD", BOTH, previous)
    assert qdiscs().split() == before.split()
    assert not links(device())
    assert records() == [""]


def test_an_add_that_is_refused_leaves_an_earlier_ones_limit() -> None:
    previous = joined()
    verb("ADD", BOTH, previous)
    end = previous.interfaces[0].name
    run("tc", "qdisc", "del", "dev", end, "ingress")
    occupy_ingress(end)
    with pytest.raises(KernelRefused):
        verb("ADD", BOTH, previous)
    assert "tbf" in run("tc", "qdisc", "show", "dev", end)


def test_a_pod_without_a_cable_is_refused() -> None:
    previous = joined()
    add_namespace("other")
    with pytest.raises(BadConfig):
        verb("ADD", BOTH, None)
    with pytest.raises(BadConfig):
        verb("ADD", BOTH, previous.replace(interfaces=previous.interfaces[1:]))
    run("ip", "link", "add", "eth0", "type", "bridge", namespace="other")
    with pytest.raises(BadConfig):
        verb("ADD", BOTH, Result(interfaces=(Interface(name="eth0", sandbox="x"),)), "other")


@given(junk_for("ingressRate", "ingressBurst", "egressRate", "egressBurst", "shapedSubnets"))
def test_a_hostile_configuration_is_bad_config(junk: dict[str, object]) -> None:
    for conf in ({**CONF, **junk}, {**CONF, "runtimeConfig": {"bandwidth": junk}}):
        with suppress(BadConfig, UnsupportedField):
            parse_limits(call("ADD", conf))


def test_the_device_tells_whose_it_is() -> None:
    result = verb("ADD", BOTH, joined())
    assert result.interfaces[-1].name == device()
    assert not is_host_end(device())
    [shown] = ip("link", "show", "dev", device())
    assert shown["ifalias"] == "dari mynet c1 eth0"
    assert result.interfaces[-1].mac == shown["address"]
    assert sorted(records()) == ["", "bandwidth"]


@pytest.mark.parametrize("netns", ["", "/run/netns/gone", "/run/netns/c1"])
def test_pain_3_del_without_a_namespace_leaves_nothing(netns: str) -> None:
    verb("ADD", BOTH, joined())
    for _ in range(2):
        delete(BOTH, netns=netns)
        assert not links(device())
    assert records() == [""]
    delete({**CONF, "ingressRate": "junk"}, "never", "")


def test_an_old_containers_del_leaves_the_new_one_alone() -> None:
    verb("ADD", BOTH, joined("new"), "new")
    delete(BOTH, "old", "/run/netns/new")
    assert links(device("new"))


def test_a_repeated_add_is_the_same_as_one() -> None:
    previous = joined()
    first = verb("ADD", BOTH, previous)
    second = verb("ADD", BOTH, previous)
    verb("CHECK", BOTH, second)
    assert [each.name for each in first.interfaces] == [each.name for each in second.interfaces]
    assert qdiscs().count("ingress") == 1


def test_an_add_may_follow_a_del_while_the_cable_stays() -> None:
    previous = joined()
    for _ in range(2):
        verb("CHECK", BOTH, verb("ADD", BOTH, previous))
        verb("DEL", BOTH, None)
        assert not links(device())


def test_what_a_killed_add_left_is_cleared_by_the_next() -> None:
    previous = joined()
    run("ip", "link", "add", device(), "type", "ifb")
    run("tc", "qdisc", "add", "dev", previous.interfaces[0].name, "ingress")
    verb("CHECK", BOTH, verb("ADD", BOTH, previous))


@pytest.mark.parametrize("maker", ["theirs", "ours"])
def test_mixed_with_the_reference(maker: str) -> None:
    makes, ends = Side(ours=maker == "ours"), Side(ours=maker != "ours")
    ptp = makes.add("ptp", PTP)
    answer = makes.add("bandwidth", {**BOTH, "prevResult": ptp})
    conf = {**BOTH, "prevResult": answer}
    if ends.ours:
        ends.call("bandwidth", "CHECK", conf)
    ends.call("bandwidth", "DEL", conf)
    if not ends.ours:  # the reference looks for the name it would have given
        collect(BOTH, [])
    assert [each for each in ip("link", "show", "type", "ifb") if each["ifname"] != "ifb0"] == []


def test_shapes_a_pod_that_the_reference_joined() -> None:
    theirs = Side(ours=False)
    answer = theirs.add("ptp", PTP)
    ours = Side(ours=True)
    shaped = ours.add("bandwidth", {**BOTH, "prevResult": answer})
    ours.call("bandwidth", "CHECK", {**BOTH, "prevResult": shaped})


DAMAGE = {
    "ingress bucket": ("tc qdisc del dev {end} root", "what the pod receives is not limited"),
    "ingress rate": (
        "tc qdisc replace dev {end} root handle 1: tbf rate 9mbit burst 250000 latency 25ms",
        "what the pod receives is not limited",
    ),
    "ingress burst": (
        "tc qdisc replace dev {end} root handle 1: tbf rate 80mbit burst 9000 limit 500000",
        "what the pod receives is not limited",
    ),
    "device gone": ("ip link del {device}", "is missing"),
    "device down": ("ip link set {device} down", "is down"),
    "egress bucket": ("tc qdisc del dev {device} root", "what the pod sends is not limited"),
    "redirection": ("tc qdisc del dev {end} ingress", "is not redirected"),
    "filter": ("tc filter del dev {end} ingress", "is not redirected"),
    "cable gone": ("ip link del {end}", "No such device"),
}


@pytest.mark.parametrize("kind", DAMAGE)
def test_check_finds_each_kind_of_damage_and_names_it(kind: str) -> None:
    result = verb("ADD", BOTH, joined())
    verb("CHECK", BOTH, result)
    command, expected = DAMAGE[kind]
    run(*command.format(end=result.interfaces[0].name, device=device()).split())
    with pytest.raises(CheckFailed) as caught:
        verb("CHECK", BOTH, result)
    assert expected in f"{caught.value.message}; {caught.value.details}"


def test_check_without_limits_or_prevresult() -> None:
    verb("CHECK", CONF, joined())
    with pytest.raises(BadConfig):
        verb("CHECK", BOTH, None)


def test_pain_2_gc_removes_what_no_valid_attachment_holds() -> None:
    other = {**BOTH, "name": "other"}
    for container in ("keep", "lost"):
        verb("ADD", BOTH, joined(container), container)
    verb("ADD", other, joined("elsewhere"), "elsewhere")
    collect(BOTH, ["keep"])
    assert {*links("daris")} == {device("keep"), device("elsewhere")}
    assert sorted(records()) == ["", "", "", "bandwidth", "bandwidth"]


def test_gc_clears_what_a_killed_add_left_without_an_alias() -> None:
    verb("ADD", BOTH, joined())
    run("ip", "link", "set", device(), "alias", "")
    collect(BOTH, [])
    assert not links("daris")
    assert records() == [""]


def test_status() -> None:
    status(BOTH)
    with pytest.raises(BadConfig):
        status({**CONF, "ingressRate": 8})


SINK = """
import socket, sys, time
server = socket.create_server(("0.0.0.0", 7777))
print("ready", flush=True)
peer, _ = server.accept()
total, began = 0, time.monotonic()
while data := peer.recv(1 << 16):
    began = began if total else time.monotonic()
    total += len(data)
seconds = time.monotonic() - began
# Much shorter than it was sent: this program slept, and then took what had gathered.
print(total * 8 / seconds if seconds > 1 else 0.0, flush=True)
"""
SOURCE = """
import socket, sys, time
peer = socket.create_connection((sys.argv[1], 7777), timeout=60)
end = time.monotonic() + 1.5
while time.monotonic() < end:
    peer.sendall(bytes(1 << 14))
"""


def measured(target: str, receiver: str = "", sender: str = "") -> float:
    """Bits per second that get from one namespace to another, over 1.5 s of TCP.

    0 where the machine had no time to measure it.
    """

    def program(place: str, text: str, *words: str) -> list[str]:
        inside = ["ip", "netns", "exec", place] if place else []
        return [*inside, sys.executable, "-c", text, *words]

    with subprocess.Popen(program(receiver, SINK), stdout=subprocess.PIPE, text=True) as sink:
        assert sink.stdout is not None and sink.stdout.readline() == "ready\n"
        subprocess.run(program(sender, SOURCE, target), check=True)
        return float(sink.stdout.readline())


def test_a_limited_pod_is_as_fast_as_it_may_be() -> None:
    result = joined()
    pod, gateway = str(result.ips[0].address.ip), str(result.ips[0].gateway)
    wait_until(lambda: measured(pod, receiver="c1") > 200 * MEGABIT)
    verb("ADD", BOTH, result)
    assert_limited(lambda: measured(pod, receiver="c1"), 80)
    assert_limited(lambda: measured(gateway, sender="c1"), 40)
    assert reaches(gateway, "c1")


def assert_limited(measure: Callable[[], float], megabits: int) -> None:
    """Never half as much again, and half of it as soon as the machine has time for that."""
    found: list[float] = []

    def as_fast_as_may_be() -> bool:
        found.append(measure() / MEGABIT)
        assert found[-1] < 1.5 * megabits, found
        return found[-1] > 0.5 * megabits

    wait_until(as_fast_as_may_be, told=lambda: f"{found}")


def test_the_pages_example_runs_as_a_chain() -> None:
    [conf] = examples("bandwidth")
    side = Side(ours=True)
    answer: Answer | None = None
    for each in conf["plugins"]:
        given = {**each, "cniVersion": conf["cniVersion"], "name": conf["name"]}
        previous = {} if answer is None else {"prevResult": answer}
        answer = side.add(each["type"], {**given, **previous})
    assert answer is not None and len(answer["interfaces"]) == 3
    assert "rate 80Mbit" in qdiscs() and "rate 40Mbit" in qdiscs()


@pytest.mark.parametrize(
    "key", [*RATES, "runtimeConfig.bandwidth", "shapedSubnets", "unshapedSubnets"]
)
def test_the_page_names_every_key(key: str) -> None:
    assert describes("bandwidth", key)


def test_the_record_names_the_plugin_and_its_configuration() -> None:
    verb("ADD", BOTH, joined())
    end = host_end(call("ADD", BOTH).owner)
    document = json.loads(Path(f"/run/dari/attachments/{end}.bandwidth.json").read_text())
    assert document["part"] == "bandwidth"
    assert document["config"]["egressRate"] == 40 * MEGABIT
    assert "prevResult" not in document["config"]
