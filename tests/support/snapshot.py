"""All that a call of the executable could leave behind, to be compared before and after.

Links, limits, addresses, routes, rules, settings and translated UDP connections of this
node and of its named namespaces, and every file of the folders that plugins write to. What
changes by itself (carrier, duplicate address detection) is left out.
"""

from __future__ import annotations

import os
import re
import stat
from collections.abc import Iterator
from contextlib import suppress
from difflib import unified_diff
from pathlib import Path
from typing import Any

from dari.paths import Paths
from dari.wiring.records import half_deleted
from tests.support.kernel import ip, run
from tests.support.waiting import wait_until

FOLDERS = ("/run/dari", "/run/cni", "/var/lib/cni", "/etc/cni")
SETTINGS = (
    *("net.ipv4.ip_forward", "net.ipv6.conf.all.forwarding", "net.core.somaxconn"),
    *(f"net.ipv4.conf.{each}" for each in ("all.arp_notify", "cni0.route_localnet")),
)
CONNECTIONS = Path("/proc/thread-self/net/nf_conntrack")
_WAY = re.compile(r"src=(\S+) dst=(\S+) sport=(\d+) dport=(\d+)")
# An agent takes over a folder of leases in the pass after its first pod, whatever is called.
_BY_ITSELF = ".taken-over"
LASTING_FLAGS = frozenset({"UP", "PROMISC", "ALLMULTI", "NOARP"})

Snapshot = dict[str, object]


def snapshot() -> Snapshot:
    """Look at everything once."""
    found: Snapshot = {"namespaces": _namespaces()}
    found["rules"] = run("nft", "list", "ruleset")  # without handles: a rebuilt table is the same
    for name in ("", *_namespaces()):
        links = ip("address", "show", namespace=name)
        found[f"links {name}"] = [_link(each) for each in links]
        found[f"addresses {name}"] = [each for link in links for each in _addresses(link)]
        found[f"routes {name}"] = sorted(_routes(name))
        found[f"limits {name}"] = run("tc", "qdisc", "show", namespace=name)
        found[f"settings {name}"] = run("sysctl", "-e", *SETTINGS, namespace=name)
    found["connections"] = sorted(_translated())
    found.update({path: content for folder in FOLDERS for path, content in _files(Path(folder))})
    return found


def settled() -> Snapshot:
    """Look at everything when an agent has deleted the past.

    It deletes a pod's cable, and then its record, a little after DEL's answer.
    """
    wait_until(lambda: not [*half_deleted(Paths())], "an agent has deleted the past")
    return snapshot()


def difference(before: Snapshot, after: Snapshot) -> dict[str, tuple[object, object]]:
    """What changed: key to the two values, None for one that is not there."""
    return {
        key: (before.get(key), after.get(key))
        for key in sorted(before.keys() | after.keys())
        if before.get(key) != after.get(key)
    }


def assert_unchanged(before: Snapshot, rewritten: tuple[str, ...] = ()) -> None:
    """Fail where something differs from `before` and stays so.

    Args:
        before: an earlier snapshot.
        rewritten: parts of the names of files whose content may differ; such a
            file may neither come nor go.
    """
    seen: dict[str, tuple[object, object]] = {}

    def same() -> bool:
        seen.clear()
        seen.update(difference(before, snapshot()))
        for key in [key for key in seen if any(part in key for part in rewritten)]:
            if None not in seen[key]:
                del seen[key]
        return not seen

    try:
        wait_until(same)
    except AssertionError:
        told = "\n".join(f"{key}: {_told(*values)}" for key, values in seen.items())
        raise AssertionError(f"left behind: {told}") from None


def _told(before: object, after: object) -> str:
    """Of two long texts, only the lines that differ."""
    if isinstance(before, str) and isinstance(after, str):
        lines = unified_diff(before.splitlines(), after.splitlines(), n=0, lineterm="")
        return "\n".join(lines)
    return f"{before!r} is now {after!r}"


def _namespaces() -> list[str]:
    return sorted(os.listdir("/run/netns"))


def _link(found: dict[str, Any]) -> tuple[object, ...]:
    kept = ("ifindex", "ifname", "mtu", "master", "address", "link_type", "ifalias", "group")
    flags = sorted(LASTING_FLAGS & set(found.get("flags", ())))
    return (*(found.get(key) for key in kept), *flags)


def _addresses(link: dict[str, Any]) -> Iterator[tuple[object, ...]]:
    for each in link["addr_info"]:
        if each["scope"] != "link":
            yield link["ifname"], each["local"], each["prefixlen"], each["scope"]


def _routes(namespace: str) -> Iterator[str]:
    for each in ip("route", "show", "table", "all", namespace=namespace):
        if not str(each["dst"]).startswith(("fe80:", "ff00:")):
            kept = ("dst", "gateway", "dev", "table", "protocol", "metric", "type")
            yield " ".join(f"{key} {each[key]}" for key in kept if key in each)


def _translated() -> Iterator[tuple[str, ...]]:
    """UDP connections of the node whose answers come from another address than was asked."""
    for line in CONNECTIONS.read_text().splitlines():
        asked, answered = _WAY.findall(line) if " udp " in line else ((), ())
        if asked[1:2] != answered[:1]:
            yield (*asked, *answered)


def _files(folder: Path) -> Iterator[tuple[str, object]]:
    for place, below, names in os.walk(folder):
        for name in (*below, *names):
            if name.endswith(_BY_ITSELF):
                continue
            path = Path(place, name)
            with suppress(FileNotFoundError):  # an agent removes some meanwhile
                mode = path.lstat().st_mode
                yield str(path), path.read_bytes() if stat.S_ISREG(mode) else oct(mode)
