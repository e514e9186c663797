"""Seconds on a command line."""

from __future__ import annotations

from argparse import ArgumentTypeError

import pytest

from dari.cli.seconds import seconds_from


@pytest.mark.parametrize(("text", "seconds"), [("0.2", 0.2), ("45", 45.0), ("1e3", 1000.0)])
def test_a_number_of_seconds_is_taken(text: str, seconds: float) -> None:
    assert seconds_from(0.2)(text) == seconds


@pytest.mark.parametrize("text", ["", "x", "nan", "inf", "-1", "0.1", "3601", "10s"])
def test_anything_else_is_told_with_what_is_taken(text: str) -> None:
    with pytest.raises(ArgumentTypeError, match=r"from 0\.2 to 3600"):
        seconds_from(0.2)(text)
