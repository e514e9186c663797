"""The kernel's numbers, compared with those that pyroute2 knows.

The few that it does not know show by their effects in tests/kernel.
"""

from __future__ import annotations

from collections.abc import Iterator

import pyroute2.netlink
import pyroute2.netlink.rtnl as rtnl
import pytest
from pyroute2.netlink.rtnl import fibmsg, ifaddrmsg, ifinfmsg, ndmsg, rtmsg
from pyroute2.netlink.rtnl.ifinfmsg import protinfo_bridge

from dari.netlink import constants

MODULES = (pyroute2.netlink, rtnl, rtmsg, ifinfmsg, ndmsg, ifaddrmsg, fibmsg)
MAPS = (
    rtmsg.rtmsg,
    rtmsg.rtmsg.metrics,
    ifinfmsg.ifinfmsg,
    ifinfmsg.ifinfmsg.ifinfo,
    ifaddrmsg.ifaddrmsg,
    ndmsg.ndmsg,
    fibmsg.fibmsg,
    protinfo_bridge,
)


def theirs() -> Iterator[tuple[str, int]]:
    for module in MODULES:
        for name, value in vars(module).items():
            if isinstance(value, int):
                yield name, value
    for message in MAPS:
        for index, entry in enumerate(message.nla_map):
            yield (entry[1], entry[0]) if isinstance(entry[0], int) else (entry[0], index)


KNOWN = dict(theirs())
OURS = {name: value for name, value in vars(constants).items() if name.isupper()}


@pytest.mark.parametrize("name", sorted(OURS.keys() & KNOWN.keys()))
def test_a_number_is_what_pyroute2_says(name: str) -> None:
    assert OURS[name] == KNOWN[name]


def test_most_numbers_have_a_witness() -> None:
    assert len(OURS.keys() & KNOWN.keys()) > 0.8 * len(OURS)
