"""A chain and the one call that stands for it ask for the same pod."""

from __future__ import annotations

from collections.abc import Mapping

from bench.chains import chain, resident, section, single_call, with_result
from bench.figures import MISSED


def test_each_of_a_chain_belongs_to_the_same_network() -> None:
    confs = chain()
    assert [conf["type"] for conf in confs] == [
        "bridge",
        "portmap",
        "bandwidth",
        "firewall",
        "tuning",
    ]
    assert {(conf["name"], conf["cniVersion"]) for conf in confs} == {("bench", "1.0.0")}


def test_one_call_asks_for_all_that_the_chain_does() -> None:
    bridge, portmap, bandwidth, _firewall, tuning = chain()
    one = single_call()
    asked = {**_wishes(portmap), **_wishes(bandwidth)}
    assert one["runtimeConfig"] == asked
    assert one["sysctl"] == tuning["sysctl"]
    assert one["ingressPolicy"] == "open"
    assert all(one[key] == bridge[key] for key in bridge if key != "type")


def _wishes(conf: Mapping[str, object]) -> Mapping[str, object]:
    wishes = conf["runtimeConfig"]
    assert isinstance(wishes, dict)
    return wishes


def test_the_pod_that_stays_takes_no_host_port() -> None:
    assert [conf["type"] for conf in resident(chain())] == ["bridge"]
    (one,) = resident([single_call()])
    assert "runtimeConfig" not in one and one["type"] == "dari"


def test_a_result_is_passed_on_where_there_is_one() -> None:
    assert with_result({"type": "bridge"}, None) == {"type": "bridge"}
    assert with_result({"type": "tuning"}, {"ips": []})["prevResult"] == {"ips": []}


def test_both_ways_are_held_against_the_reference() -> None:
    theirs = {"ADD": [200.0, 200.0], "DEL": [400.0, 400.0]}
    ours = {"ADD": [20.0, 20.0], "DEL": [40.0, 40.0]}
    lines = section(theirs, ours, ours).lines
    assert [line[-2] for line in lines] == ["0.100"] * 4
    assert [MISSED in line[-1] for line in lines] == [False, False, True, True]
    assert [bar.label for bar in section(theirs, ours, ours).bars] == [
        "a chain's ADD",
        "a chain's DEL",
    ]
