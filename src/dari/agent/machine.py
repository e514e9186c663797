"""Reads what tells this machine from others, for the node's record.

May import: dari, store.record.
"""

from __future__ import annotations

import os

from dari import __version__
from dari.store.record import HostFacts

BOOT_ID = "/proc/sys/kernel/random/boot_id"
PRODUCT_UUID = "/sys/class/dmi/id/product_uuid"
_LONGEST = 64  # characters that a record takes


def read_host() -> HostFacts:
    """The machine that this process runs on; its MACs are known where its links are."""
    return HostFacts(
        name=os.uname().nodename[:_LONGEST],
        boot_id=read_line(BOOT_ID),
        product_uuid=read_line(PRODUCT_UUID),
        version=__version__,
    )


def read_line(path: str) -> str:
    """The first line of a small file; empty where it cannot be read."""
    try:
        with open(path, encoding="utf-8", errors="replace") as stream:
            return stream.readline(_LONGEST + 1).strip()[:_LONGEST]
    except OSError:
        return ""
