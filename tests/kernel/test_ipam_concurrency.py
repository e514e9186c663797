"""Sixteen executables at once, theirs and ours, in one folder."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

from tests.kernel.ipam_mixed import Conf, configuration, held, ours, theirs

WIDE = configuration([{"subnet": "10.1.0.0/24"}], [{"subnet": "fd00::/120"}])


def test_pain_20_concurrent_adds_of_both_never_share_an_address() -> None:
    def lease(number: int) -> list[str]:
        return (theirs if number % 2 else ours)(WIDE, "ADD", f"c{number}")

    with ThreadPoolExecutor(16) as callers:
        leased = [one for found in callers.map(lease, range(96)) for one in found]
    assert len(leased) == len(set(leased)) == 192
    assert set(held()) == {one.split("/")[0] for one in leased}


def test_concurrent_adds_and_dels_of_both_lose_nothing() -> None:
    def live_and_die(number: int) -> None:
        first, second = (theirs, ours) if number % 2 else (ours, theirs)
        for name in (f"a{number}", f"b{number}"):
            first(WIDE, "ADD", name)
        second(WIDE, "DEL", f"a{number}")

    with ThreadPoolExecutor(16) as callers:
        list(callers.map(live_and_die, range(32)))
    assert sorted(held().values()) == sorted([f"b{n}\r\neth0".encode() for n in range(32)] * 2)


def test_the_last_addresses_go_to_exactly_as_many() -> None:
    narrow: Conf = configuration([{"subnet": "10.1.0.0/28"}])

    def try_to_lease(number: int) -> bool:
        try:
            (theirs if number % 2 else ours)(narrow, "ADD", f"c{number}")
        except AssertionError:
            return False
        return True

    with ThreadPoolExecutor(16) as callers:
        won = list(callers.map(try_to_lease, range(32)))
    assert sum(won) == len(held()) == 13
