"""Names in dari's table that end in a digest."""

from __future__ import annotations

import json

from tests.support.kernel import run


def named(command: str, *, end: str = "") -> str:
    """A command with ``{anywhere4_}`` and the like replaced by the whole name of that map.

    Args:
        command: words, as `str.format` takes them.
        end: what ``{end}`` stands for.
    """
    listed = json.loads(run("nft", "-j", "list", "table", "inet", "dari"))["nftables"]
    objects = [each.get("map") or each.get("set") or {} for each in listed]
    names = [str(each["name"]) for each in objects if "name" in each]
    return command.format(**{_stem(each): each for each in names}, end=end)


def _stem(name: str) -> str:
    head, _, _digest = name.rpartition("_")
    return f"{head}_"
