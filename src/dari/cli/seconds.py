"""Seconds on a command line.

May import: cli.messages.
"""

from __future__ import annotations

from argparse import ArgumentTypeError
from collections.abc import Callable

from dari.cli.messages import _

_MOST = 3600.0


def seconds_from(least: float) -> Callable[[str], float]:
    """A type for argparse: a number of seconds, fractions allowed, up to an hour.

    Args:
        least: the smallest that is taken.
    """

    def parse(text: str) -> float:
        try:
            seconds = float(text)
        except ValueError:
            seconds = -1.0
        if not least <= seconds <= _MOST:
            raise ArgumentTypeError(
                _("{text!r} is not a number of seconds from {least:g} to {most:g}").format(
                    text=text, least=least, most=_MOST
                )
            )
        return seconds

    return parse
