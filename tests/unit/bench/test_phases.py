"""Parts of a call: from what it added to the agent's metrics."""

from __future__ import annotations

import pytest

from bench.figures import MISSED
from bench.phases import Anatomy, Parts, parts_between, section

_OWN = 'dari_cni_seconds_sum{command="ADD"}'
_LEASE = 'dari_cni_phase_seconds_sum{command="ADD",phase="lease"}'
_WIRE = 'dari_cni_phase_seconds_sum{command="ADD",phase="wire"}'


def test_a_call_is_what_it_added() -> None:
    last = {_OWN: 1.0, _WIRE: 0.5}
    now = {_OWN: 1.002, _WIRE: 0.501, _LEASE: 0.0005}
    parts = parts_between(5.0, last, now)
    assert parts.whole == 5.0
    assert (parts.own, parts.lease, parts.wire) == pytest.approx((2.0, 0.5, 1.0))


@pytest.mark.parametrize(("floor", "missed"), [(1.0, False), (0.9, True)])
def test_the_parts_add_up_and_are_held_against_the_floor(floor: float, missed: bool) -> None:
    call = Parts(whole=5.0, own=2.0, lease=0.5, wire=1.0)
    found = Anatomy(calls=(call, call), starts=(1.0, 1.0), floor=(floor, floor))
    cells = {line[0]: line[1:] for line in section(found).lines}
    parts = [cells[name][0].split()[0] for name in list(cells)[:7]]
    assert parts == ["5.00", "1.00", "2.00", "2.00", "0.50", "1.00", "0.50"]
    assert (MISSED in cells["the agent's own time / kernel floor"][-1]) == missed
