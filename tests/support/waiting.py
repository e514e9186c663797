"""Wait for something to become true, by asking again and again."""

from __future__ import annotations

import time
from collections.abc import Callable

PATIENCE = 60.0  # seconds; only a broken program on a busy machine is waited for that long
_FIRST_PAUSE, _LONGEST_PAUSE = 0.01, 0.1  # asking costs the time of what is waited for


def wait_until(
    true: Callable[[], bool],
    what: str = "it to be so",
    *,
    seconds: float = PATIENCE,
    told: Callable[[], str] = str,
) -> float:
    """Return as soon as `true()` is; fail after a time.

    Args:
        true: asked at growing intervals.
        what: is waited for, in the words of a failure.
        seconds: after which it fails.
        told: gives what else a failure should show, such as a log.

    Returns:
        The seconds that it took, for whoever wants to print them.
    """
    began, pause = time.monotonic(), _FIRST_PAUSE
    while not true():
        waited = time.monotonic() - began
        assert waited < seconds, f"waited {seconds:g} s in vain for {what}\n{told()}"
        time.sleep(pause)
        pause = min(1.5 * pause, _LONGEST_PAUSE)
    return time.monotonic() - began


def until_told(ask: Callable[[], str], what: str) -> str:
    """What `ask` returns, as soon as it fails no assertion and returns anything.

    Args:
        ask: asked at growing intervals.
        what: is asked, in the words of a failure.
    """
    answer, failure = "", ""

    def told() -> bool:
        nonlocal answer, failure
        try:
            answer = ask()
        except AssertionError as error:
            failure = str(error)
        return answer != ""

    wait_until(told, what, told=lambda: failure)
    return answer
