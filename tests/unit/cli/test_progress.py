"""One line on a terminal, written over and taken away."""

from __future__ import annotations

import io

import pytest

from dari.cli.progress import progress
from dari.language import spoken
from dari.snapshot.steps import PEERS


class Terminal(io.StringIO):
    """A stream that is one."""

    def isatty(self) -> bool:
        return True


@pytest.mark.parametrize(("language", "words"), [("en", "3 of 5"), ("ko", "5개 중 3개")])
def test_a_terminal_is_told_how_far_it_is(language: str, words: str) -> None:
    terminal = Terminal()
    with spoken(language), progress(terminal) as tell:
        tell(PEERS, 3, 5)
    shown = terminal.getvalue()
    assert words in shown and shown.endswith("\r\x1b[K") and "\n" not in shown


def test_a_failure_takes_the_line_away_too() -> None:
    terminal = Terminal()
    with pytest.raises(ValueError, match="no"), progress(terminal) as tell:
        tell(PEERS, 3, 5)
        raise ValueError("no")
    assert terminal.getvalue().endswith("\r\x1b[K")


def test_a_file_is_told_nothing() -> None:
    file = io.StringIO()
    with progress(file) as tell:
        tell(PEERS, 3, 5)
    assert file.getvalue() == ""
