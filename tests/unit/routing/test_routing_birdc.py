"""BIRD's control protocol, spoken with a scripted BIRD."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dari.errors import NotAvailable, Undecodable
from dari.routing.birdc import Birdc, BirdRefused, Line, parse_line

HELLO = b"0001 BIRD 2.0.12 ready.\n"


@contextmanager
def scripted(path: Path, *answers: bytes) -> Iterator[str]:
    """A BIRD that says hello, then gives one answer to each command, then hangs up."""
    listener = socket.socket(socket.AF_UNIX)
    listener.bind(str(path))
    listener.listen()

    def serve() -> None:
        connection, _ = listener.accept()
        with connection, suppress(OSError):
            connection.sendall(HELLO)
            for answer in answers:
                connection.recv(1000)
                for byte in range(len(answer)):
                    connection.sendall(answer[byte : byte + 1])

    thread = threading.Thread(target=serve)
    thread.start()
    try:
        yield str(path)
    finally:
        listener.close()
        thread.join()


def test_answers_of_several_lines_are_gathered(tmp_path: Path) -> None:
    first = b"0002-Reading configuration from /x\n0003 Reconfigured\n"
    second = b"1002-dari_node2_4 BGP\n more of it\n0000 \n"
    with scripted(tmp_path / "ctl", first, second) as path, Birdc(path) as bird:
        assert [line.code for line in bird.ask("configure")] == [2, 3]
        assert [line.text for line in bird.ask("show protocols")] == [
            "dari_node2_4 BGP",
            "more of it",
            "",
        ]


def test_what_bird_refuses_is_an_error_in_its_words(tmp_path: Path) -> None:
    answer = b"0002-Reading configuration from /x\n8002 /x:3:1 syntax error\n"
    with (
        scripted(tmp_path / "ctl", answer) as path,
        Birdc(path) as bird,
        pytest.raises(BirdRefused, match="BIRD: configure: /x:3:1 syntax error"),
    ):
        bird.ask("configure")


def test_a_bird_that_is_not_there_hangs_up_or_talks_nonsense_is_told_of(tmp_path: Path) -> None:
    with pytest.raises(NotAvailable, match="no BIRD answers at"):
        Birdc(str(tmp_path / "nothing"))
    with (
        scripted(tmp_path / "short", b"0002-Reading") as path,
        Birdc(path) as bird,
        pytest.raises(NotAvailable, match="hung up"),
    ):
        bird.ask("configure")
    with (
        scripted(tmp_path / "odd", b"220 mail ready\n") as path,
        Birdc(path) as bird,
        pytest.raises(Undecodable, match="220 mail"),
    ):
        bird.ask("configure")


@given(st.text(max_size=20))
def test_any_line_is_read_or_undecodable(text: str) -> None:
    with suppress(Undecodable):
        assert isinstance(parse_line(text, 7), Line)
