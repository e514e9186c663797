"""The labs that are measured in, built one at a time and rebuilt when one is spoilt."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager

from dari.lab.build import attached
from dari.lab.state import Records, State, base_folder
from dari.lab.topology import Options

Say = Callable[[str], None]

SHAPES: Mapping[str, Options] = {
    "direct, both families": Options(nodes=3, pods=2, ipv6=True),
    "vxlan": Options(nodes=3, pods=2, backend="vxlan"),
    "direct, routed": Options(nodes=3, pods=2, routed=True),
    "vxlan, both families, etcd": Options(
        nodes=2, pods=2, ipv6=True, backend="vxlan", store="etcd"
    ),
    "auto, routed": Options(nodes=4, pods=2, routed=True, backend="auto"),
    "bgp, routed, both families": Options(nodes=3, pods=2, ipv6=True, routed=True, backend="bgp"),
}


def records() -> Records:
    """Where this user's labs are recorded."""
    return Records(base_folder(os.environ, os.geteuid()))


@contextmanager
def lab(options: Options, say: Say) -> Iterator[State]:
    """A lab for the `with` block."""
    named = options.replace(name=f"measure-{os.getpid()}")
    with attached(named, records(), say) as state:
        yield state


def silent(_text: str) -> None:
    """Say nothing."""
