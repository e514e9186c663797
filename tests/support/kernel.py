"""What the kernel holds, as `ip -json` and friends tell it: the independent witness."""

from __future__ import annotations

import json
import subprocess
from typing import Any

Probe = tuple[str, str]
"""A target's address, and the namespace from which it is asked."""


def run(*words: str, namespace: str = "") -> str:
    """Run a program, in a named namespace if one is given, and return what it prints."""
    inside = ["ip", "netns", "exec", namespace] if namespace else []
    done = subprocess.run([*inside, *words], capture_output=True, text=True, check=False)
    assert done.returncode == 0, f"{words}: {done.stderr or done.stdout}"
    return done.stdout


def ip(*words: str, namespace: str = "") -> list[dict[str, Any]]:
    """Equivalent to: ``ip -json -details WORDS``; empty answers become an empty list."""
    inside = ["-n", namespace] if namespace else []
    found: list[dict[str, Any]] = json.loads(
        run("ip", "-json", "-details", *inside, *words) or "[]"
    )
    return [each for each in found if each]


def addresses(link: str, namespace: str = "") -> set[str]:
    """Addresses with prefix length of one link, link-local ones left out."""
    [found] = ip("address", "show", "dev", link, namespace=namespace)
    return {
        f"{each['local']}/{each['prefixlen']}"
        for each in found["addr_info"]
        if each["scope"] == "global"
    }


def links(prefix: str = "", namespace: str = "") -> list[str]:
    """Names of the links that start with a prefix."""
    found = ip("link", "show", namespace=namespace)
    return [each["ifname"] for each in found if each["ifname"].startswith(prefix)]


def reaches(target: str, namespace: str = "") -> bool:
    """Does one ping, waited for at most five seconds, come back?"""
    return reached((target, namespace)) == {(target, namespace)}


def reached(*probes: Probe) -> set[Probe]:
    """Ping as each probe says, all at once, and tell which are answered within five seconds."""
    pings = [(each, _ping(*each)) for each in probes]
    return {each for each, ping in pings if ping.wait() == 0}


def _ping(target: str, namespace: str) -> subprocess.Popen[bytes]:
    inside = ["ip", "netns", "exec", namespace] if namespace else []
    words = [*inside, "ping", "-q", "-c", "1", "-W", "5", target]
    return subprocess.Popen(words, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
