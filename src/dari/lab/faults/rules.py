"""A firewall of the site's own, as commands of `nft`.

May import: within lab.faults: fault, scene.
"""

from __future__ import annotations

from dari.lab.faults.fault import run
from dari.lab.faults.scene import Command

TABLE = "site"
_PRIORITIES = {"prerouting": -100, "postrouting": 100}  # dstnat and srcnat, nft(8)


def chain(node: str, name: str, kind: str, *, policy: str = "accept") -> tuple[Command, ...]:
    """A base chain in the site's table.

    Args:
        name: of the chain, and of the hook.
        kind: ``filter`` or ``nat``.
    """
    at = _PRIORITIES[name] if kind == "nat" else 0
    text = f"{{ type {kind} hook {name} priority {at} ; policy {policy} ; }}"
    return (
        run(node, "nft", "add", "table", "inet", TABLE),
        run(node, "nft", "add", "chain", "inet", TABLE, name, text),
    )


def rule(node: str, name: str, *words: str) -> Command:
    """One rule at the end of such a chain."""
    return run(node, "nft", "add", "rule", "inet", TABLE, name, *words)


def drop(node: str, name: str, *words: str) -> tuple[Command, ...]:
    """A filter chain with one rule."""
    return (*chain(node, name, "filter"), rule(node, name, *words))


def forget(node: str) -> tuple[Command, ...]:
    """Delete the site's table."""
    return (run(node, "nft", "delete", "table", "inet", TABLE),)
