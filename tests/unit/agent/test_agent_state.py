from __future__ import annotations

import io
import json
import logging
from ipaddress import ip_address, ip_network

import pytest

from dari import __version__
from dari.agent.config import read_config
from dari.agent.location import Location
from dari.agent.log import logger_to
from dari.agent.protocol import Call
from dari.agent.state import Holdings, State, Sync, answer
from dari.cli.status import show
from dari.model import NodeName
from dari.paths import Paths

CONFIG = read_config({}, Paths(), "node1")
READY = State(
    passes=3,
    location=Location(addresses=(ip_address("192.168.0.1"),), interface="eth0", mtu=1500),
    pod_ranges=(ip_network("10.244.1.0/24"),),
    peers=(NodeName("node2"), NodeName("node3")),
    routes=2,
    mtu=1500,
    waiting=(),
    problems=("node3 has no IPv6 address",),
    last=Sync(at=1700000000.0),
    last_mending=Sync(at=1600000000.0, mended=("made bridge cni0",)),
)
STATUS = Call(environ={"DARI_COMMAND": "status"})


def test_a_ready_agent_answers_with_status_0_and_everything() -> None:
    told = answer(STATUS, CONFIG, READY, Holdings(attachments=7, condemned=1))
    assert told.status == 0
    assert json.loads(told.stdout) == {
        "ready": True,
        "node": "node1",
        "role": "node",
        "backend": "direct",
        "version": __version__,
        "addresses": ["192.168.0.1"],
        "interface": "eth0",
        "pod_ranges": ["10.244.1.0/24"],
        "bridge": "cni0",
        "mtu": 1500,
        "conf_dir": "/etc/cni/net.d",
        "peers": {"number": 2, "names": ["node2", "node3"], "joining": []},
        "routes": 2,
        "store": {"kind": "local", "reachable": True, "held": [], "silent": []},
        "attachments": 7,
        "condemned": 1,
        "last_sync": {"time": "2023-11-14T22:13:20Z", "mended": []},
        "last_mending": {"time": "2020-09-13T12:26:40Z", "mended": ["made bridge cni0"]},
        "waiting_for": [],
        "errors": ["node3 has no IPv6 address"],
    }


def test_pain_14_an_agent_that_is_not_ready_says_what_it_waits_for() -> None:
    told = answer(STATUS, CONFIG, State(), Holdings())
    assert told.status == 1
    state = json.loads(told.stdout)
    assert (state["ready"], state["waiting_for"]) == (False, ["the first look at the node"])
    assert next(show(state)).endswith("not ready: the first look at the node")


def test_an_unknown_command_is_an_error_as_cni_has_them() -> None:
    told = answer(
        Call(environ={"CNI_COMMAND": "ADD"}), CONFIG, READY, Holdings(attachments=7, condemned=1)
    )
    assert told.status == 1
    assert json.loads(told.stdout)["code"] == 4


def test_the_state_for_people() -> None:
    lines = list(
        show(json.loads(answer(STATUS, CONFIG, READY, Holdings(attachments=7, condemned=1)).stdout))
    )
    assert lines == [
        f"node1 (node, dari {__version__}): ready",
        "  addresses     192.168.0.1 on eth0",
        "  pod ranges    10.244.1.0/24",
        "  bridge        cni0, MTU 1500",
        "  peers         2: node2, node3",
        "  backend       direct",
        "  routes        2",
        "  store         local",
        "  last sync     2023-11-14T22:13:20Z: nothing to mend",
        "  last mending  2020-09-13T12:26:40Z: made bridge cni0",
        "  error         node3 has no IPv6 address",
    ]


def test_a_node_that_is_still_joining_is_named_and_is_no_error() -> None:
    state = READY.replace(joining=(NodeName("node3"),), problems=())
    told = json.loads(answer(STATUS, CONFIG, state, Holdings()).stdout)
    assert told["peers"]["joining"] == ["node3"]
    lines = list(show(told))
    assert "  peers         2: node2, node3 (yet to tell where they are: node3)" in lines
    assert not any("error" in line for line in lines)


def test_pain_14_no_agent_at_all_is_said_with_what_to_do() -> None:
    absent = {"ready": False, "errors": ["no agent listens on /x"], "hint": "start it with: …"}
    assert list(show(absent)) == ["not ready: no agent listens on /x", "  start it with: …"]


@pytest.fixture
def stream() -> io.StringIO:
    return io.StringIO()


def test_log_lines_are_pairs_on_one_line(stream: io.StringIO) -> None:
    log = logger_to(stream, "info")
    log.debug("unseen")
    log.info("mended", {"what": "added route 10.0.0.0/24 via 1.2.3.4", "number": 1})
    log.warning("trouble", {"what": 'a "quote"\nand 한글 \udcff', "names": ["a", "b"]})
    first, second = stream.getvalue().splitlines()
    assert first.startswith("time=")
    assert first.endswith(
        'level=info event=mended what="added route 10.0.0.0/24 via 1.2.3.4" number=1'
    )
    assert r'what="a \"quote\"\nand \ud55c\uae00 \udcff" names="a,b"' in second
    second.encode("ascii")


def test_a_fault_is_logged_with_its_trace_on_the_same_line(stream: io.StringIO) -> None:
    log = logger_to(stream, "debug")
    try:
        raise ValueError("no")
    except ValueError:
        log.exception("fault")
    (line,) = stream.getvalue().splitlines()
    assert "event=fault" in line and "ValueError: no" in line


def test_the_log_goes_nowhere_else(stream: io.StringIO) -> None:
    assert logger_to(stream, "info") is logger_to(stream, "info")
    assert len(logger_to(stream, "info").handlers) == 1
    assert not logging.getLogger("dari.agent").propagate
