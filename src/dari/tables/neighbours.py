"""The table that `arp` shows, for both families.

May import: causes, tables.facts, tables.index, netlink's records and constants.
"""

from __future__ import annotations

from dari.causes.paths import NEIGHBOUR_STALE
from dari.language import N_
from dari.netlink.constants import NUD_NOARP, NUD_PERMANENT
from dari.netlink.neighbour import Neighbour
from dari.tables.facts import Facts
from dari.tables.index import Index
from dari.tables.messages import _
from dari.tables.table import Row, Table

PURPOSE = N_("which MAC address to send to, for an IP address on a network this machine is part of")

# linux/neighbour.h, NUD_*: a name, and what it means.
_UNUSED = N_("not in use yet")
_STATES = {
    0x01: ("incomplete", N_("asked, no answer yet")),
    0x02: ("reachable", N_("heard from lately")),
    0x04: ("stale", N_("known, and confirmed again at its next use")),
    0x08: ("delay", N_("in use, about to be confirmed again")),
    0x10: ("probe", N_("being asked again whether it is still there")),
    0x20: ("failed", N_("did not answer: nobody has this address")),
    NUD_PERMANENT: ("permanent", N_("written down, never asked for")),
}


# Wrong for the moment only: it is asked for anew before, or at, its next use.
_ASKED_AGAIN = 0x04 | 0x08 | 0x10 | 0x20


def neighbours(facts: Facts) -> Table:
    """One row for each neighbour, by link; multicast and loopback need none and are left out."""
    index = Index(facts)
    entries = [one for one in facts.place.neighbours if one.address and not one.state & NUD_NOARP]
    entries.sort(key=lambda one: _order(index, one))
    return Table(
        name="arp",
        purpose=_(PURPOSE),
        columns=("ADDRESS", "MAC", "LINK", "STATE"),
        rows=tuple(_row(index, one) for one in entries),
    )


def _order(index: Index, one: Neighbour) -> tuple[str, int, int]:
    assert one.address is not None  # `neighbours` has left those out
    return index.link(one.index).name, one.address.version, int(one.address)


def _row(index: Index, one: Neighbour) -> Row:
    state, meaning = _STATES.get(one.state, ("none", _UNUSED))
    cells = (str(one.address), one.mac or "-", index.link(one.index).name, state)
    why = f"{_who(index, one)}: {_(meaning)}"
    right = index.mac_of(one.address) if one.address else ""
    if not one.mac or not right or right == one.mac or one.state & _ASKED_AGAIN:
        return Row(cells=cells, why=why)
    return Row(
        cells=cells,
        why=_("{why}; it has {mac}").format(why=why, mac=right),
        code=NEIGHBOUR_STALE.code,
    )


def _who(index: Index, one: Neighbour) -> str:
    assert one.address is not None  # `neighbours` has left those out
    called = index.called(one.address, one.mac)
    if called:
        return called
    if one.address.is_link_local:
        machine = index.called_by_mac(one.mac) or _beyond(index, one)
        return _("link-local address of {machine}").format(machine=machine)
    if index.link(one.index).kind == "bridge":
        return _("a pod on {link}").format(link=index.link(one.index).name)
    return _beyond(index, one)


def _beyond(index: Index, one: Neighbour) -> str:
    return _("a machine beyond {link}").format(link=index.link(one.index).name)
