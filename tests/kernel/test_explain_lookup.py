"""A route is chosen as the kernel chooses it: random routes and rules, asked both ways."""

from __future__ import annotations

import json
import random
import subprocess
from contextlib import suppress
from ipaddress import ip_address, ip_network

from dari.errors import KernelRefused
from dari.explain.lookup import LOOPBACK, Question
from dari.explain.world import Spot
from dari.netlink.constants import RTN_LOCAL, RTN_UNICAST
from dari.netlink.link import list_links
from dari.netlink.route import KernelRoute, add_route
from dari.netlink.rule import Rule, add_rule
from dari.netlink.sock import NetlinkSocket
from dari.snapshot.model import Machine
from dari.snapshot.place import read_place
from tests.support.chance import dice

DEVICES = ("d0", "d1", "d2", "d3")
KINDS = (1, 1, 1, 1, 1, 6, 7, 8, 9)
TABLES = (254, 254, 100, 101, 1000)
ROUNDS, QUESTIONS = 4, 40


def ip(*words: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(["ip", *words], capture_output=True, text=True)


def prepare(version: int) -> None:
    """Four links: three up, of which one lost its carrier, and one down."""
    for number, name in enumerate(DEVICES):
        done = ip("link", "add", name, "type", "veth", "peer", "name", f"{name}x")
        assert done.returncode == 0, done.stderr
        if name != "d2":
            ip("link", "set", f"{name}x", "up")
        net = f"10.{number}.0.1/16" if version == 4 else f"fd00:{number}::1/32"
        ip("link", "set", name, "up")
        ip("address", "add", net, "dev", name, *(("nodad",) if version == 6 else ()))
    ip("link", "set", "d3", "down")


def network(chance: random.Random, version: int) -> str:
    length = chance.choice((8, 12, 16, 20, 24, 28, 32))
    number = chance.randrange(4)
    if version == 4:
        address = f"10.{number}.{chance.randrange(4)}.{chance.randrange(4)}"
        return str(ip_network(f"{address}/{length}", strict=False))
    address = f"fd00:{number}:{chance.randrange(4)}::{chance.randrange(4)}"
    return str(ip_network(f"{address}/{length * 2 + 16}", strict=False))


def fill(chance: random.Random, version: int, sock: NetlinkSocket) -> None:
    """Add routes and rules; what the kernel refuses is left out."""
    indexes = {link.name: link.index for link in list_links(sock)}
    for _ in range(40):
        kind = chance.choice(KINDS)
        device = indexes[chance.choice(DEVICES)] if kind == 1 else 0
        route = KernelRoute(
            dst=ip_network(network(chance, version)),
            device=device,
            kind=kind,
            table=chance.choice(TABLES),
            metric=chance.choice((0, 0, 50, 2000)),
        )
        with suppress(KernelRefused):
            sock.transact([add_route(route)])
    for priority in range(100, 106):
        src, dst = (ip_network(network(chance, version)) for _ in range(2))
        rule = Rule(
            version=version,
            priority=priority,
            table=chance.choice(TABLES),
            src=src if chance.random() < 0.4 else None,
            dst=dst if chance.random() < 0.4 else None,
            mark=chance.choice((0, 1, 3)),
            mask=chance.choice((0, 1, 3)),
            incoming=chance.choice(("", "", "lo", "d0")),
            action=chance.choice((1, 1, 1, 1, 7)),
            inverted=chance.random() < 0.2,
            suppress_prefixlen=chance.choice((-1, -1, -1, 0, 16)),
        )
        with suppress(KernelRefused):
            sock.transact([add_rule(rule)])


def kernel_says(question: Question) -> tuple[str, str] | None:
    """Device and next hop by ``ip route get``; None where it refuses."""
    words = ["-json", "route", "get", str(question.dst)]
    if question.src is not None:
        words += ["from", str(question.src)]
    if question.mark:
        words += ["mark", str(question.mark)]
    done = ip(*words)
    if done.returncode != 0:
        return None
    (found,) = json.loads(done.stdout)
    return str(found.get("dev")), str(found.get("gateway", ""))


def we_say(spot: Spot, question: Question) -> tuple[str, str] | None:
    choice = spot.tables.choose(question)
    if choice is None or choice.kind not in (RTN_UNICAST, RTN_LOCAL):
        return None
    device = LOOPBACK if choice.kind == RTN_LOCAL else spot.names[choice.hop.device]
    return device, str(choice.hop.gateway or "")


def check(version: int) -> None:
    chance = dice(version)
    prepare(version)
    with NetlinkSocket() as sock:
        for _ in range(ROUNDS):
            fill(chance, version, sock)
            spot = Spot(Machine(name="here"), None, read_place())
            own = [one for one in spot.addresses if one.version == version and not one.is_loopback]
            for _ in range(QUESTIONS):
                asked = ip_network(network(chance, version)).network_address
                question = Question(
                    dst=ip_address(asked),
                    src=chance.choice([None, *[one for one in own if not one.is_link_local]]),
                    mark=chance.choice((0, 0, 1, 2, 3)),
                )
                ours, theirs = we_say(spot, question), kernel_says(question)
                tables = ip(f"-{version}", "rule").stdout
                assert ours == theirs, f"{question}: {ours}, not {theirs}\n{tables}"


def test_routes_of_ipv4_are_chosen_as_the_kernel_does() -> None:
    check(4)


def test_routes_of_ipv6_are_chosen_as_the_kernel_does() -> None:
    check(6)
