"""Debian's host-local and ours: the same answers, and one folder handed back and forth."""

from __future__ import annotations

import shutil
from ipaddress import ip_address
from pathlib import Path
from typing import TYPE_CHECKING

from hypothesis import given, settings
from hypothesis import strategies as st

from dari.errors import BadConfig, NoFreeAddress
from dari.ipam.hostlocal import HostLocal
from dari.ipam.ranges import is_usable, parse_ranges
from dari.ipam.requested import requested_addresses
from dari.model import ContainerId, InterfaceName, Owner, Request
from dari.paths import Paths
from tests.kernel.ipam_mixed import FOLDER, Conf, configuration, files, held, ours, parsed, theirs
from tests.support.reference import run_reference

if TYPE_CHECKING:
    from dari.model import IPConfig

BOTH = configuration([{"subnet": "10.1.0.0/29"}], [{"subnet": "fd00:0:0:7::/64"}])


def add(conf: Conf, container_id: str, asked: str = "") -> list[str]:
    """One ADD of ours, in this process."""
    request = Request(
        command="ADD",
        container_id=ContainerId(container_id),
        ifname=InterfaceName("eth0"),
        netns="",
        args={"IP": asked},
        path=(),
        conf=parsed(conf),
    )
    found: tuple[IPConfig, ...] = HostLocal(parsed(conf), Paths()).allocate(
        request.owner, requested_addresses(request)
    )
    return [str(one.address) for one in found]


def delete(conf: Conf, container_id: str) -> None:
    HostLocal(parsed(conf), Paths()).release(
        Owner(container_id=ContainerId(container_id), ifname=InterfaceName("eth0"))
    )


def test_a_folder_is_handed_back_and_forth() -> None:
    assert ours(BOTH, "ADD", "c1") == ["10.1.0.2/29", "fd00:0:0:7::2/64"]
    assert theirs(BOTH, "ADD", "c2") == ["10.1.0.3/29", "fd00:0:0:7::3/64"]
    assert ours(BOTH, "ADD", "c3") == ["10.1.0.4/29", "fd00:0:0:7::4/64"]
    theirs(BOTH, "DEL", "c1")
    theirs(BOTH, "DEL", "c3")
    assert held() == {"10.1.0.3": b"c2\r\neth0", "fd00:0:0:7::3": b"c2\r\neth0"}
    assert ours(BOTH, "ADD", "c4") == ["10.1.0.5/29", "fd00:0:0:7::5/64"]
    assert theirs(BOTH, "ADD", "c5") == ["10.1.0.6/29", "fd00:0:0:7::6/64"]
    assert ours(BOTH, "ADD", "c6") == ["10.1.0.2/29", "fd00:0:0:7::7/64"]
    assert theirs(BOTH, "ADD", "c7") == ["10.1.0.4/29", "fd00:0:0:7::8/64"]
    for name in ("c2", "c5", "c7"):
        ours(BOTH, "DEL", name)
    for name in ("c4", "c6"):
        theirs(BOTH, "DEL", name)
    assert files() == {
        "last_reserved_ip.0": b"10.1.0.4",
        "last_reserved_ip.1": b"fd00:0:0:7::8",
    }


def test_an_add_of_theirs_repeated_by_ours_gets_the_same() -> None:
    for name in ("c1", "c2"):
        theirs(BOTH, "ADD", name)
    first = theirs(BOTH, "ADD", "c3")
    assert ours(BOTH, "ADD", "c3") == first
    assert add(BOTH, "c3") == first
    status, refused = run_reference(
        "host-local", "ADD", BOTH, container_id="c3", ifname="eth0", netns="/x"
    )
    assert status == 1, refused


def test_their_check_accepts_our_lease_and_ours_theirs() -> None:
    ours(BOTH, "ADD", "c1")
    theirs({**BOTH, "prevResult": {"cniVersion": "1.0.0"}}, "CHECK", "c1")
    theirs(BOTH, "ADD", "c2")
    HostLocal(parsed(BOTH), Paths()).check(
        Owner(container_id=ContainerId("c2"), ifname=InterfaceName("eth0")), ()
    )


def test_our_folder_is_theirs_byte_for_byte() -> None:
    calls = [("c1", ""), ("c2", "IP=10.1.0.6"), ("c3", ""), ("c4", "IP=fd00:0:0:7::0aaa/64")]
    for name, asked in calls:
        theirs(BOTH, "ADD", name, asked)
    theirs(BOTH, "DEL", "c3")
    of_theirs = files()
    shutil.rmtree(FOLDER)
    for name, asked in calls:
        add(BOTH, name, asked.removeprefix("IP="))
    delete(BOTH, "c3")
    assert files() == of_theirs


def test_a_used_up_range_is_used_up_for_both() -> None:
    conf = configuration([{"subnet": "10.1.0.0/29"}])
    for number in range(5):
        (theirs if number % 2 else ours)(conf, "ADD", f"c{number}")
    status, answer = run_reference(
        "host-local", "ADD", conf, container_id="more", ifname="eth0", netns="/x"
    )
    assert status == 1
    assert "no IP addresses available" in str(answer["msg"])
    try:
        add(conf, "more")
    except NoFreeAddress as refused:
        assert "network pods: all 5 addresses" in refused.message
    else:
        raise AssertionError("an address from nowhere")
    theirs(conf, "DEL", "c2")
    assert ours(conf, "ADD", "more") == ["10.1.0.4/29"]


def test_old_leases_of_theirs_are_released_by_ours() -> None:
    FOLDER.mkdir(parents=True)
    (FOLDER / "10.1.0.2").write_bytes(b"c1")
    (FOLDER / "10.1.0.3").write_bytes(b"c2\neth0\n")
    delete(BOTH, "c1")
    delete(BOTH, "c2")
    assert held() == {}


def test_a_temporary_file_left_by_a_kill_does_not_disturb_theirs() -> None:
    ours(BOTH, "ADD", "c1")
    (FOLDER / ".dari-new").write_bytes(b"c9\r\neth0")
    assert theirs(BOTH, "ADD", "c9") == ["10.1.0.3/29", "fd00:0:0:7::3/64"]
    theirs(BOTH, "DEL", "c9")
    ours(BOTH, "DEL", "c1")
    assert held() == {}


# Whatever is configured: what theirs refuses, ours refuses.

_IN_NETWORK = st.integers(0, 15).map(lambda n: f"10.1.0.{n}")
_SUBNETS = st.sampled_from(
    ["10.1.0.0/28", "10.1.0.0/29", "10.1.0.8/29", "10.1.0.4/30", "10.1.0.2/31", "10.1.0.3/28"]
)
_RANGES = st.fixed_dictionaries(
    {"subnet": _SUBNETS},
    optional={"rangeStart": _IN_NETWORK, "rangeEnd": _IN_NETWORK, "gateway": _IN_NETWORK},
)


@settings(deadline=None, max_examples=100)
@given(
    st.lists(st.lists(_RANGES, min_size=1, max_size=2), min_size=1, max_size=2),
    st.one_of(st.just(""), _IN_NETWORK, st.just("10.2.0.1")),
)
def test_what_theirs_refuses_ours_refuses(ranges: list[list[dict[str, str]]], asked: str) -> None:
    conf = configuration(*ranges)
    answers = []
    for one in (step, step_of_theirs):
        shutil.rmtree(FOLDER, ignore_errors=True)
        answers.append(one(conf, "ADD", "c1", asked))
    assert answers[0] is None or answers[1] is not None


# And what both accept, they lease alike, call by call.

_HOSTS = st.integers(1, 6)
_STEPS = st.tuples(
    st.sampled_from(["ADD", "ADD", "DEL"]),
    st.sampled_from("abcdefgh"),
    st.one_of(st.none(), st.none(), st.tuples(st.integers(0, 3), _HOSTS)),
)


def good_range(number: int, start: int, end: int, gateway: int) -> dict[str, str]:
    """A range in a network of its own; 0 stands for what is not given."""
    net = f"10.{number}.0"
    given = {"rangeStart": min(start, end) or start, "rangeEnd": end and max(start, end)}
    fields = {**given, "gateway": gateway}
    return {
        "subnet": f"{net}.0/29",
        **{key: f"{net}.{host}" for key, host in fields.items() if host},
    }


@settings(deadline=None, max_examples=40)
@given(
    st.lists(
        st.tuples(*[st.integers(0, 6)] * 3).filter(lambda r: not r[2] or not r[0] == r[1] == r[2]),
        min_size=1,
        max_size=4,
    ),
    st.booleans(),
    st.lists(_STEPS, max_size=14),
)
def test_both_lease_the_same_call_by_call(
    spans: list[tuple[int, int, int]],
    pooled: bool,
    steps: list[tuple[str, str, tuple[int, int] | None]],
) -> None:
    ranges = [good_range(number, *span) for number, span in enumerate(spans)]
    conf = configuration(ranges) if pooled else configuration(*([one] for one in ranges))
    ipam = conf["ipam"]
    assert isinstance(ipam, dict)
    try:
        pools = parse_ranges(ipam, {})
    except BadConfig:
        return
    shutil.rmtree("/var/lib/cni/networks", ignore_errors=True)
    of_theirs = {**conf, "ipam": {**ipam, "dataDir": "/var/lib/cni/networks/theirs"}}
    of_ours = {**conf, "ipam": {**ipam, "dataDir": "/var/lib/cni/networks/ours"}}
    living: set[str] = set()
    for verb, name, wish in steps:
        asked = f"10.{wish[0]}.0.{wish[1]}" if wish else ""
        if asked and not any(is_usable(pool, ip_address(asked)) for pool in pools):
            continue  # refused by both, but by theirs after it has moved on in other ranges
        if (verb == "ADD") == (name in living):
            continue  # of a repeated ADD theirs makes an error, or another lease
        assert step(of_ours, verb, name, asked) == step_of_theirs(of_theirs, verb, name, asked)
        folders = ("/var/lib/cni/networks/ours/pods", "/var/lib/cni/networks/theirs/pods")
        mine, other = (files(Path(folder)) for folder in folders)
        assert mine == other
        living = {text.split(b"\r")[0].decode() for text in mine.values() if b"\r" in text}


def step(conf: Conf, verb: str, name: str, asked: str) -> list[str] | None:
    if verb == "DEL":
        delete(conf, name)
        return []
    try:
        return add(conf, name, asked)
    except (BadConfig, NoFreeAddress):
        return None


def step_of_theirs(conf: Conf, verb: str, name: str, asked: str) -> list[str] | None:
    status, answer = run_reference(
        "host-local",
        verb,
        conf,
        container_id=name,
        ifname="eth0",
        netns="/x",
        args=f"IP={asked}" if asked else "",
    )
    ips = answer.get("ips", [])
    assert isinstance(ips, list)
    return None if status else [one["address"] for one in ips]
