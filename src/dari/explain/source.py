"""Which source address a place sends from. Pure.

Source: net/ipv4/fib_semantics.c (`fib_info_update_nhc_saddr`), RFC 6724.
May import: model, netlink.constants, and within explain: lookup, world.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from dari.explain.lookup import HERE, Question
from dari.explain.world import Spot
from dari.netlink.constants import RT_SCOPE_LINK, RT_SCOPE_UNIVERSE

if TYPE_CHECKING:
    from dari.model import IPAddress


def source_for(spot: Spot, address: IPAddress) -> IPAddress | None:
    """The source address that a place would choose; None where it has no way there.

    Equivalent to: the ``src`` of ``ip route get ADDRESS``.
    """
    choice = spot.tables.choose(Question(dst=address))
    if choice is None or choice.route is None:
        return None
    if choice.route.source is not None:
        return choice.route.source
    if choice.kind in HERE:
        return address
    own = [one for one in spot.place.addresses if one.interface.version == address.version]
    near = [one for one in own if one.index == choice.hop.device]
    wide = [one for one in (*near, *own) if one.scope == RT_SCOPE_UNIVERSE]
    local = [one for one in near if one.scope == RT_SCOPE_LINK]
    last = own if address.version == 6 else []  # with nothing else, ::1 (net/ipv6/addrconf.c)
    return next((one.interface.ip for one in (*wide, *local, *last)), None)
