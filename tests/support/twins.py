"""Tells the same story with Debian's executables and with ours, each on a node of its own.

A story is a function that is given a `Side`, calls plugins through it, and
returns a picture of what came of it. What must differ from node to node (names
of host ends, MACs that nobody asked for) is told apart by its place alone.
"""

from __future__ import annotations

import io
import json
import os
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any, TypeVar

from dari.cni.dispatch import respond
from dari.paths import Paths
from dari.wiring.host import Host
from tests.support.isolation import add_namespace, isolated
from tests.support.kernel import ip, run
from tests.support.reference import REFERENCE_FOLDER, run_reference

T = TypeVar("T")
Answer = dict[str, Any]
POD = "c1"
_CARRIER = {"LOWER_UP", "NO-CARRIER"}  # the kernel notices a moment later
_OF_AN_INTERFACE = ("arp_notify", "proxy_arp", "arp_filter", "rp_filter")
_SETTINGS = (
    *("net.ipv4.ip_forward", "net.ipv6.conf.all.forwarding", "net.core.somaxconn"),
    *(f"net.ipv4.conf.eth0.{each}" for each in _OF_AN_INTERFACE),
)


def run_ours(
    plugin: str,
    command: str,
    conf: dict[str, object],
    *,
    container_id: str,
    ifname: str,
    netns: str,
    args: str = "",
) -> tuple[int, Answer]:
    """Call a plugin of ours as `run_reference` calls one of theirs."""
    environ = {
        **os.environ,
        "CNI_COMMAND": command,
        "CNI_CONTAINERID": container_id,
        "CNI_IFNAME": ifname,
        "CNI_NETNS": netns,
        "CNI_ARGS": args,
        "CNI_PATH": REFERENCE_FOLDER,
    }
    log = io.StringIO()
    config = json.dumps(conf).encode()
    status, said = respond(plugin, environ, config, log, lambda given: Host(Paths(), given))
    assert not log.getvalue(), log.getvalue()
    return status, json.loads(said) if said else {}


class Side:
    """Theirs or ours; `names` maps the names of host links to what they are in a picture."""

    def __init__(self, ours: bool) -> None:
        self.ours = ours
        self.names: dict[str, str] = {}

    def ask(
        self,
        plugin: str,
        command: str,
        conf: dict[str, object],
        *,
        container: str = POD,
        netns: str | None = None,
        ifname: str = "eth0",
        args: str = "",
    ) -> tuple[int, Answer]:
        """Call a plugin; the exit status and the answer."""
        call = run_ours if self.ours else run_reference
        path = f"/run/netns/{container}" if netns is None else netns
        return call(
            plugin, command, conf, container_id=container, ifname=ifname, netns=path, args=args
        )

    def add(self, plugin: str, conf: dict[str, object], *, args: str = "") -> Answer:
        """Call ADD, which must work, for the pod `POD`, which is made if need be."""
        if not os.path.exists(f"/run/netns/{POD}"):
            add_namespace(POD)
        status, answer = self.ask(plugin, "ADD", conf, args=args)
        assert status == 0, answer
        for place, interface in enumerate(answer.get("interfaces", [])):
            if not interface.get("sandbox"):
                self.names[interface["name"]] = f"host{place}"
        return answer

    def call(self, plugin: str, command: str, conf: dict[str, object], *, args: str = "") -> None:
        """Call another verb, which must work."""
        status, answer = self.ask(plugin, command, conf, args=args)
        assert status == 0, answer

    def result(self, answer: Answer, macs: Iterable[str] = ()) -> Answer:
        """A result as both sides would give it; MACs other than `macs` are left out."""
        interfaces = [
            {
                **{key: value for key, value in each.items() if key != "mac"},
                "name": self.names.get(each["name"], each["name"]),
                **({"mac": each["mac"]} if each.get("mac") in macs else {}),
            }
            for each in answer.get("interfaces", [])
        ]
        others = {key: value for key, value in answer.items() if value and key != "interfaces"}
        return {**others, **({"interfaces": interfaces} if interfaces else {})}

    def picture(self, macs: Iterable[str] = ()) -> dict[str, object]:
        """What the kernel holds of the node and of the pod."""
        return {
            place or "node": {
                "links": self._links(place, macs),
                "addresses": self._addresses(place),
                "routes": self._routes(place),
                "neighbours": ip("neigh", "show", "nud", "permanent", namespace=place),
                "settings": self._settings(place),
                "qdiscs": self._qdiscs(place),
            }
            for place in ("", POD)
        }

    def _links(self, place: str, macs: Iterable[str]) -> list[object]:
        return [
            {
                "name": self._named(each["ifname"]),
                "kind": each.get("linkinfo", {}).get("info_kind"),
                "data": each.get("linkinfo", {}).get("info_data", {}),
                "mac": each["address"] if each["address"] in macs else "any",
                "flags": sorted({*each["flags"]} - _CARRIER),
                **{key: each.get(key) for key in ("mtu", "promiscuity", "allmulti")},
            }
            for each in ip("link", "show", namespace=place)
        ]

    def _addresses(self, place: str) -> list[tuple[object, ...]]:
        return sorted(
            (self._named(link["ifname"]), each["local"], each["prefixlen"], each["scope"])
            for link in ip("address", "show", namespace=place)
            for each in link["addr_info"]
            if not each["local"].startswith("fe80")
        )

    def _routes(self, place: str) -> list[object]:
        keys = ("type", "dst", "gateway", "dev", "table", "scope", "prefsrc", "metric", "protocol")
        found = [
            {key: self._named(each[key]) for key in keys if key in each}
            for family in ("-4", "-6")
            for each in ip(family, "route", "show", "table", "all", namespace=place)
            if not each["dst"].startswith(("fe80", "ff00"))
            # An IPv6 address of theirs is not in use before it is known to be the only one.
            and not (family == "-6" and each.get("table") == "local")
        ]
        return sorted(found, key=str)

    def _settings(self, place: str) -> list[str]:
        return run("sysctl", "-e", *_SETTINGS, namespace=place).splitlines()

    def _qdiscs(self, place: str) -> list[object]:
        listed = json.loads(run("tc", "-json", "qdisc", "show", namespace=place) or "[]")
        found = [
            {**each, "dev": self._named(each["dev"]), "options": _rounded(each["options"])}
            for each in listed
        ]
        return sorted(found, key=str)

    def _named(self, value: object) -> Any:
        return self.names.get(value, value) if isinstance(value, str) else value


def _rounded(options: dict[str, Any]) -> dict[str, Any]:
    """Theirs rounds a burst to what fits whole microseconds."""
    near: dict[str, Any] = {
        key: float(f"{options[key]:.2g}") for key in ("burst", "lat") if key in options
    }
    return {**options, **near}


def both(story: Callable[[Side], T]) -> tuple[T, T]:
    """The story told by theirs, and by ours: at the same time, since each waits a lot."""
    with ThreadPoolExecutor(2) as tellers:
        theirs = tellers.submit(isolated, lambda: story(Side(ours=False)))
        ours = tellers.submit(isolated, lambda: story(Side(ours=True)))
        return theirs.result(), ours.result()


def assert_alike(story: Callable[[Side], object]) -> None:
    """Both sides end with the same picture."""
    theirs, ours = both(story)
    found = list(differences(theirs, ours, "it"))
    assert not found, "\n".join(found)


def differences(theirs: object, ours: object, where: str) -> Iterator[str]:
    """One line for each place where two pictures differ."""
    if isinstance(theirs, dict) and isinstance(ours, dict):
        for key in sorted({*theirs, *ours}, key=str):
            yield from differences(theirs.get(key), ours.get(key), f"{where}.{key}")
    elif isinstance(theirs, tuple) and isinstance(ours, tuple) and len(theirs) == len(ours):
        for place, (left, right) in enumerate(zip(theirs, ours, strict=True)):
            yield from differences(left, right, f"{where}[{place}]")
    elif isinstance(theirs, list) and isinstance(ours, list):
        for item in [each for each in theirs if each not in ours]:
            yield f"{where}: only theirs: {item}"
        for item in [each for each in ours if each not in theirs]:
            yield f"{where}: only ours: {item}"
    elif theirs != ours:
        yield f"{where}: theirs {theirs}, ours {ours}"
