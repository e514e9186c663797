"""What is told on each side: a chain is added, looked at, checked and deleted again."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from ipaddress import ip_interface
from typing import Any

from tests.parity.cases import MACS, Case, Conf, args_of, chain_of
from tests.parity.world import (
    HERE,
    NODE,
    OUTSIDE,
    THERE,
    Probe,
    add_outside,
    sights,
    wait_for_no_duplicates,
)
from tests.support.isolation import add_namespace
from tests.support.kernel import run
from tests.support.twins import POD, Answer, Side

OTHER = "c2"
_CHECKED = "0.4.0"


def tell(side: Side, case: Case, versions: tuple[int, ...], cni_version: str) -> Conf:
    """Add two pods, look at all there is, check and delete them, and look again."""
    prepare(case)
    chain, args = chain_of(case, versions, cni_version), args_of(case, versions)
    answers = {POD: add(side, chain, POD, args), OTHER: add(side, others(chain), OTHER, "")}
    told: Conf = {
        "result": side.result(answers[POD], MACS),
        "wired": picture(side),
        "seen": sights([*probes(case, answers[POD], answers[OTHER])]),
    }
    if cni_version >= _CHECKED:
        told["check"] = verb(side, "CHECK", chain, answers[POD], POD, args)
    told["del"] = verb(side, "DEL", chain[::-1], answers[POD], POD, args)
    told["del again"] = verb(side, "DEL", chain[::-1], answers[POD], POD, args)
    verb(side, "DEL", others(chain)[::-1], answers[OTHER], OTHER, "")
    told["unwired"] = picture(side)
    told["leases"] = leases(chain)
    return told


def picture(side: Side) -> dict[str, Any]:
    """What the kernel holds, without what a bridge's MAC and the time make of it."""
    found: dict[str, Any] = side.picture(MACS)
    for place in found.values():
        for link in place["links"]:
            passing = ("bridge_id", "root_id", "_timer", "topology_change")
            link["data"] = {
                key: value
                for key, value in link["data"].items()
                if not key.endswith(passing) and not key.startswith(passing)
            }
    return found


def prepare(case: Case) -> None:
    """Make the machine outside, the pods' namespaces, and what the case wants before."""
    add_outside()
    for name in (POD, OTHER):
        add_namespace(name)
        wait_for_no_duplicates(name)
    for command in case.before:
        run(*command.split())


def add(side: Side, chain: Sequence[Conf], container: str, args: str) -> Answer:
    """Call ADD of each plugin, with what the one before it answered."""
    answer: Answer = {}
    for conf in chain:
        given = {**conf, "prevResult": answer} if answer else conf
        status, answer = side.ask(str(conf["type"]), "ADD", given, container=container, args=args)
        assert status == 0, (side.ours, conf["type"], answer)
    place = "" if container == POD else "other "
    for number, interface in enumerate(answer.get("interfaces", [])):
        if not interface.get("sandbox"):
            side.names.setdefault(interface["name"], f"{place}host{number}")
    return answer


def others(chain: Sequence[Conf]) -> list[Conf]:
    """The same chain for another pod, which asks for nothing of its own."""
    return [
        {key: value for key, value in conf.items() if key not in ("runtimeConfig", "args")}
        if conf["type"] != "bridge" or "ipRanges" not in str(conf.get("runtimeConfig"))
        else conf
        for conf in chain
    ]


def verb(
    side: Side, name: str, chain: Sequence[Conf], answer: Answer, container: str, args: str
) -> list[int]:
    """Call a verb of each plugin; the exit statuses."""
    return [
        side.ask(
            str(conf["type"]), name, {**conf, "prevResult": answer}, container=container, args=args
        )[0]
        for conf in chain
    ]


def leases(chain: Sequence[Conf]) -> list[str]:
    """The files that host-local has left."""
    ipam: Any = chain[0].get("ipam", {})
    folder = f"{ipam.get('dataDir', '/var/lib/cni/networks')}/mynet"
    return sorted(os.listdir(folder)) if os.path.isdir(folder) else []


def probes(case: Case, pod: Answer, other: Answer) -> Iterator[tuple[str, Probe]]:
    """Who is to be reached, and from where, for each address of the first pod."""
    theirs = {_version(each): each for each in _addresses(other)}
    for own in _addresses(pod):
        version = _version(own)
        if version not in theirs:
            continue
        yield f"IPv{version} pod to pod", _plain(POD, theirs[version], OTHER)
        yield f"IPv{version} pod to node", _plain(POD, HERE[version], NODE)
        yield f"IPv{version} pod to outside", _plain(POD, THERE[version], OUTSIDE)
        yield f"IPv{version} outside to pod", _plain(OUTSIDE, own, POD)
        if any(each["type"] == "portmap" for each in case.chained):
            for source in (OUTSIDE, NODE, POD, OTHER):
                probe = Probe(
                    source=source, target=HERE[version], port=8080, server=POD, listens=80
                )
                yield f"IPv{version} host port from {source or 'node'}", probe


def _plain(source: str, target: str, server: str) -> Probe:
    return Probe(source=source, target=target, port=4000, server=server, listens=4000)


def _addresses(answer: Answer) -> list[str]:
    return [str(ip_interface(each["address"]).ip) for each in answer.get("ips", [])]


def _version(address: str) -> int:
    return 6 if ":" in address else 4
