"""Runtimes that change over: added by theirs and deleted by ours, and the other way round."""

from __future__ import annotations

from pathlib import Path

import pytest

from dari.nft import hostports, spoofing
from dari.paths import Paths
from tests.parity.cases import CASES, FAMILIES, Case, Conf, chain_of
from tests.parity.story import add, leases, prepare, verb
from tests.parity.world import HERE, OUTSIDE, Probe, seen
from tests.support.kernel import links, run
from tests.support.twins import POD, Side

CHAINS = (
    "gateway, masquerade",
    "macspoofchk",
    "ptp, masquerade",
    "portmap",
    "all in a chain",
)
PAIRS = [(CHAINS[0], family) for family in FAMILIES] + [(name, "both") for name in CHAINS[1:]]
WHERE = ("", f"/run/netns/{POD}")


@pytest.mark.parametrize("netns", WHERE, ids=["no namespace", "its namespace"])
@pytest.mark.parametrize(("name", "family"), PAIRS)
def test_added_by_theirs_and_deleted_by_ours(name: str, family: str, netns: str) -> None:
    case, versions = CASES[name], FAMILIES[family]
    chain = started(case, versions)
    theirs, ours = Side(ours=False), Side(ours=True)
    answer = add(theirs, chain, POD, "")
    assert "CNI-" in ruleset() or name == "macspoofchk"
    delete(ours, chain, answer, netns)
    delete(ours, chain, answer, netns)
    assert kept(chain) == []
    # Without its namespace a cable of theirs cannot be told; it ends with the namespace.
    assert links("veth") == [] or not netns
    assert POD_ONLY.isdisjoint(ruleset().split())
    assert not [word for word in ruleset().split() if word.startswith(("CNI-DN-", "cni-br-"))]


POD_ONLY = frozenset({"CNI-f0bca4ac77cde1bf2f3da5df"})
"""What the reference's masquerading calls its chain for `c1` in network `mynet`."""


@pytest.mark.parametrize(("name", "family"), PAIRS)
def test_added_by_ours_and_deleted_by_theirs_and_then_collected(name: str, family: str) -> None:
    case, versions = CASES[name], FAMILIES[family]
    chain = started(case, versions)
    theirs, ours = Side(ours=False), Side(ours=True)
    answer = add(ours, chain, POD, "")
    verb(theirs, "DEL", chain[::-1], answer, POD, "")
    # Once it misses its own chain of masquerading, when all else is done; a runtime tries again.
    assert verb(theirs, "DEL", chain[::-1], answer, POD, "") == [0] * len(chain)
    assert "eth0" not in links(namespace=POD)
    assert kept(chain) == []
    for conf in chain:
        collect(ours, conf)
    assert links("dari") == []
    assert not spoofing.ports(Paths())
    assert not hostports.read_claims(Paths())
    assert not any(Path("/run/dari/attachments").iterdir())


@pytest.mark.parametrize("maker", ["theirs", "ours"])
def test_another_pods_rules_stay(maker: str) -> None:
    chain = started(CASES["portmap"], (4,))
    makes, ends = Side(ours=maker == "ours"), Side(ours=maker != "ours")
    plain = chain_of(CASES["gateway, masquerade"], (4,), "1.0.0")
    answer = add(makes, plain, "c2", "")
    add(makes, chain, POD, "")
    verb(ends, "DEL", plain, answer, "c2", "")
    assert verb(ends, "DEL", plain, answer, "c2", "") == [0]
    probe = Probe(source=OUTSIDE, target=HERE[4], port=8080, server=POD, listens=80)
    assert seen(probe)


def started(case: Case, versions: tuple[int, ...]) -> list[Conf]:
    prepare(case)
    return chain_of(case, versions, "1.0.0")


def delete(side: Side, chain: list[Conf], answer: Conf, netns: str) -> None:
    for conf in chain[::-1]:
        given = {**conf, "prevResult": answer}
        status, said = side.ask(str(conf["type"]), "DEL", given, netns=netns)
        assert status == 0, said


def collect(side: Side, conf: Conf) -> None:
    given = {**conf, "cniVersion": "1.1.0", "cni.dev/valid-attachments": []}
    status, said = side.ask(str(conf["type"]), "GC", given)
    assert status == 0, said


def kept(chain: list[Conf]) -> list[str]:
    """Leases that are left."""
    return [each for each in leases(chain) if each[0].isdigit() or ":" in each]


def ruleset() -> str:
    return run("nft", "list", "ruleset")
