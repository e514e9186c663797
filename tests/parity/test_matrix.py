"""Debian's executables and ours, side by side on twin nodes: configurations, versions, families."""

from __future__ import annotations

import pytest

from tests.parity.cases import (
    CASES,
    FAMILIES,
    REFUSED,
    VERSIONS,
    Case,
    Conf,
    args_of,
    chain_of,
)
from tests.parity.differences import DIFFERENCES, Difference, explains, unexpected
from tests.parity.story import OTHER, leases, prepare, tell
from tests.support.kernel import ip
from tests.support.twins import POD, Side, assert_alike, both, differences

ROTATED = [
    (name, family, case.versions[(place + turn) % len(case.versions)])
    for place, (name, case) in enumerate(CASES.items())
    for turn, family in enumerate(FAMILIES)
]
"""Each configuration in each family; versions take turns, so that all three meet each case."""

FULL = [
    (name, family, version)
    for name in ("gateway, masquerade", "all in a chain")
    for family in FAMILIES
    for version in CASES[name].versions
]


@pytest.mark.parametrize(("case", "family", "version"), sorted({*ROTATED, *FULL}))
def test_alike(case: str, family: str, version: str) -> None:
    def story(side: Side) -> object:
        return tell(side, CASES[case], FAMILIES[family], version)

    theirs, ours = both(story)
    found = unexpected(case, differences(theirs, ours, ""))
    assert not found, "\n".join(found)


@pytest.mark.parametrize("listed", DIFFERENCES, ids=lambda each: each.line)
def test_a_listed_difference_is_still_there(listed: Difference) -> None:
    case = CASES[listed.cases[0]]

    def story(side: Side) -> object:
        return tell(side, case, (4,), "1.0.0")

    theirs, ours = both(story)
    assert any(explains(listed, line) for line in differences(theirs, ours, ""))
    assert {*listed.cases} <= {*CASES}


def test_loopback_is_alike() -> None:
    conf: Conf = {"cniVersion": "1.0.0", "name": "lo", "type": "loopback"}

    def story(side: Side) -> object:
        prepare(Case())
        status, answer = side.ask("loopback", "ADD", conf, ifname="lo")
        up = lo()
        given = {**conf, "prevResult": answer}
        verbs = [side.ask("loopback", each, given, ifname="lo")[0] for each in ("CHECK", "DEL")]
        return status, side.result(answer), up, verbs, lo()

    assert_alike(story)


def lo() -> object:
    [found] = ip("address", "show", "dev", "lo", namespace=POD)
    return sorted({*found["flags"]}), [each["local"] for each in found["addr_info"]]


@pytest.mark.parametrize("family", FAMILIES)
@pytest.mark.parametrize("version", VERSIONS)
def test_host_local_alone_is_alike(family: str, version: str) -> None:
    [conf] = chain_of(Case(ipam={"routes": True}), FAMILIES[family], version)
    named: Conf = {**conf, "type": "host-local"}

    def story(side: Side) -> object:
        prepare(Case())
        pods = (POD, OTHER)
        answers = [side.ask("host-local", "ADD", named, container=each) for each in pods]
        between = leases([conf])
        ended = [side.ask("host-local", "DEL", named, container=each)[0] for each in pods]
        told = [(status, side.result(answer)) for status, answer in answers]
        return told, between, ended, leases([conf])

    assert_alike(story)


@pytest.mark.parametrize("name", REFUSED)
def test_both_refuse(name: str) -> None:
    case = REFUSED[name]

    def story(side: Side) -> int:
        prepare(case)
        return refusal(side, case)

    assert both(story) == (1, 1)


def refusal(side: Side, case: Case) -> int:
    """The exit status of the first plugin of a chain that does not answer 0."""
    answer = None
    for conf in chain_of(case, (4,), "1.0.0"):
        given = {**conf, "prevResult": answer} if answer else conf
        status, answer = side.ask(
            str(conf["type"]), "ADD", given, container=POD, args=args_of(case, (4,))
        )
        if status:
            return status
    return 0
