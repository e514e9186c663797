"""Pods with host ports on a node with a machine outside, for tests of type `portmap`."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from dari.model import Result
from dari.nft import hostports
from dari.paths import Paths
from tests.support import calling
from tests.support.isolation import add_namespace
from tests.support.kernel import run

BRIDGE: dict[str, object] = {
    "cniVersion": "1.0.0",
    "name": "mynet",
    "type": "bridge",
    "bridge": "cni0",
    "isDefaultGateway": True,
    "ipMasq": True,
    "hairpinMode": True,
    "ipam": {
        "type": "host-local",
        "ranges": [[{"subnet": "10.22.0.0/16"}], [{"subnet": "fd22::/64"}]],
    },
}
PORTMAP: dict[str, object] = {"cniVersion": "1.0.0", "name": "mynet", "type": "portmap"}
WEB: dict[str, object] = {"hostPort": 8080, "containerPort": 80, "protocol": "tcp"}
NODE4, NODE6 = "192.0.2.1", "2001:db8::1"


def mapping(*mappings: dict[str, object], **keys: object) -> dict[str, object]:
    return {**PORTMAP, **keys, "runtimeConfig": {"portMappings": list(mappings)}}


def add_outside() -> None:
    """A machine on a wire to the node."""
    add_namespace("outside")
    # A link's first packets would wait until its own address is known to be the only one.
    run("sysctl", "-qw", "net.ipv6.conf.default.accept_dad=0")
    run("ip", "link", "add", "wire", "type", "veth", "peer", "name", "eth0", "netns", "outside")
    for address, place in ((NODE4, ""), ("192.0.2.9", ""), (NODE6, "")):
        give(address, "wire", place)
    give("192.0.2.2", "eth0", "outside")
    give("2001:db8::2", "eth0", "outside")
    run("ip", "link", "set", "wire", "up")
    run("ip", "link", "set", "eth0", "up", namespace="outside")


def give(address: str, link: str, place: str) -> None:
    length = "64" if ":" in address else "24"
    nodad = ["nodad"] if ":" in address else []
    run("ip", "address", "add", f"{address}/{length}", "dev", link, *nodad, namespace=place)


def wire(container: str, conf: dict[str, object] = BRIDGE) -> Result:
    wired = calling.add(conf, container)
    run("ip", "link", "set", "lo", "up", namespace=container)
    return wired


def add(conf: dict[str, object], container: str, wired: Result | None = None) -> Result:
    return calling.add(conf, container, wired or wire(container))


def ruleset() -> str:
    return run("nft", "list", "ruleset")


def led(name: str = "anywhere4") -> list[Any]:
    """The elements of dari's maps whose names begin so."""
    listed = json.loads(run("nft", "-j", "list", "table", "inet", "dari"))["nftables"]
    maps = [each["map"] for each in listed if "map" in each]
    return [
        element
        for each in maps
        if each["name"].startswith(name)
        for element in each.get("elem", [])
    ]


def nothing_left() -> bool:
    folder = Path("/run/dari/attachments")
    kept = [each.name for each in folder.iterdir() if "portmap" in each.name]
    return not kept and not hostports.read_claims(Paths()) and "10.22.0." not in maps()


def maps() -> str:
    return str([led("anywhere"), led("somewhere")])
