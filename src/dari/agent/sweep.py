"""Clears attachments whose DEL never came.

containerd calls neither GC nor CHECK, and a runtime that is killed never sends
its DELs. An attachment whose network namespace is gone serves nobody: its cable
went with the namespace, its lease and records did not. After a time of grace, in
which a DEL may still come, the agent makes the DEL itself, from the record.

May import: errors, netlink, paths, wiring.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Collection
from typing import TYPE_CHECKING

from dari.errors import DariError, Undecodable
from dari.netlink.link import list_links
from dari.wiring import records
from dari.wiring.host import Host
from dari.wiring.registry import plugin
from dari.wiring.remains import is_lost, is_over

if TYPE_CHECKING:
    from dari.model import Owner
    from dari.paths import Paths
    from dari.wiring.records import Attachment

Key = tuple["Owner", str]


class Sweeper:
    """Remembers since when each attachment is lost.

    Args:
        paths: where dari's files are.
        grace: seconds that a DEL may still take to come.
        clock: seconds from any fixed moment.
    """

    def __init__(self, paths: Paths, grace: float, clock: Callable[[], float]) -> None:
        self._paths = paths
        self._grace = grace
        self._clock = clock
        self._since: dict[Key, float] = {}
        self.held = 0
        """How many attachments there were at the last look, lost ones included."""

    def sweep(self) -> tuple[list[Attachment], list[str]]:
        """Clear what has been lost for longer than the grace.

        Returns:
            What was cleared, and in words what could not be.
        """
        with Host(self._paths, os.environ) as host:
            # Who seems lost is looked at alone before anything is cleared.
            names = {link.name for link in list_links(host.rtnl, settled=False)}
            everything = list(records.all_attachments(self._paths))
            self.held = len(everything)
            trouble = [each.message for each in everything if isinstance(each, Undecodable)]
            there = [each for each in everything if not isinstance(each, Undecodable)]
            lost = [each for each in there if is_over(self._paths, each, names.__contains__)]
            cleared = []
            # What was chained goes first, as in any DEL: the rest tells that it is lost.
            for attachment in sorted(self._due(lost), key=lambda each: not each.part):
                # What goes before it takes its time, and the container may start again.
                if not is_lost(host, attachment.owner, attachment.part):
                    continue
                try:
                    plugin(_type_of(attachment)).delete(records.as_delete(attachment), host)
                    cleared.append(attachment)
                except DariError as error:
                    trouble.append(f"clear {attachment.owner.container_id}: {error.message}")
        return cleared, trouble

    def _due(self, lost: Collection[Attachment]) -> list[Attachment]:
        now = self._clock()
        self._since = {_key(each): self._since.get(_key(each), now) for each in lost}
        return [each for each in lost if now - self._since[_key(each)] >= self._grace]


def _type_of(attachment: Attachment) -> str:
    return attachment.part or str(attachment.conf.get("type", ""))


def _key(attachment: Attachment) -> Key:
    return attachment.owner, attachment.part
