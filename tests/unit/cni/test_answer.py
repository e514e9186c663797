"""The same calls over streams: what is read, what is written, and what if nobody reads it."""

from __future__ import annotations

import io
import json
import os
from collections.abc import Mapping
from typing import BinaryIO

import pytest

from dari.cni.dispatch import LARGEST, answer
from dari.result import SUPPORTED
from tests.unit.cni.node import FakeHost, config, environ, fake_type


class Broken(io.BytesIO):
    """A stream that refuses, as one does whose other end is gone."""

    def __init__(self, failure: Exception) -> None:
        super().__init__()
        self.failure = failure

    def read(self, size: int | None = -1) -> bytes:
        raise self.failure

    def write(self, data: object) -> int:
        raise self.failure


class Drip(io.BytesIO):
    """A stream that takes a few bytes at a time."""

    def write(self, data: object) -> int:
        assert isinstance(data, memoryview)
        return super().write(data[:7])


class Terminal(io.BytesIO):
    """A terminal, at which nobody types."""

    def isatty(self) -> bool:
        return True

    def read(self, size: int | None = -1) -> bytes:
        raise AssertionError("waits for a person to type")


def stdin(value: dict[str, object]) -> io.BytesIO:
    return io.BytesIO(json.dumps(value).encode())


def talk(
    variables: Mapping[str, str],
    source: BinaryIO,
    target: BinaryIO,
    host: FakeHost | None = None,
) -> tuple[int, str]:
    """Answer one call; exit status and what went to stderr."""
    log = io.StringIO()
    with fake_type():
        status = answer("dari", variables, source, target, log, lambda _: host or FakeHost())
    return status, log.getvalue()


def test_an_answer() -> None:
    stdout = io.BytesIO()
    assert talk(environ("ADD"), stdin(config("0.2.0")), stdout) == (0, "")
    assert json.loads(stdout.getvalue()) == {"cniVersion": "0.2.0", "ip4": {"ip": "10.22.0.5/16"}}
    assert stdout.getvalue().endswith(b"}\n")


def test_a_verb_without_an_answer_prints_nothing() -> None:
    stdout = io.BytesIO()
    assert talk(environ("DEL"), stdin(config()), stdout) == (0, "")
    assert stdout.getvalue() == b""


def test_an_answer_is_written_to_its_end() -> None:
    stdout = Drip()
    assert talk(environ("VERSION"), io.BytesIO(), stdout)[0] == 0
    assert json.loads(stdout.getvalue())["supportedVersions"] == list(SUPPORTED)


def test_a_traceback_goes_to_stderr_alone() -> None:
    stdout = io.BytesIO()
    host = FakeHost(ZeroDivisionError("x"))
    status, log = talk(environ("ADD"), stdin(config()), stdout, host)
    assert status == 1
    assert "Traceback" in log
    assert json.loads(stdout.getvalue())["code"] == 999


@pytest.mark.parametrize(
    ("source", "code"),
    [
        (io.BytesIO(), 6),
        (io.BytesIO(b"{" + b" " * LARGEST), 6),
        (Broken(IsADirectoryError(21, "Is a directory")), 5),
        (Broken(ValueError("I/O operation on closed file")), 5),
        (Terminal(), 6),
    ],
)
def test_a_configuration_that_cannot_be_read(source: BinaryIO, code: int) -> None:
    stdout, host = io.BytesIO(), FakeHost()
    assert talk(environ("ADD"), source, stdout, host)[0] == 1
    assert json.loads(stdout.getvalue())["code"] == code
    assert host.calls == []


def test_the_largest_configuration_is_read() -> None:
    content = json.dumps(config()).encode()
    source = io.BytesIO(content + b" " * (LARGEST - len(content)))
    assert talk(environ("DEL"), source, io.BytesIO())[0] == 0


def test_without_a_verb_nobody_waits_for_stdin() -> None:
    stdout = io.BytesIO()
    assert talk({}, Broken(AssertionError("read")), stdout)[0] == 1
    assert json.loads(stdout.getvalue())["code"] == 4


GONE = [
    BrokenPipeError(32, "Broken pipe"),
    OSError(28, "No space left on device"),
    ValueError("I/O operation on closed file"),
]


@pytest.mark.parametrize("failure", GONE)
def test_an_add_whose_answer_nobody_takes_is_taken_back(failure: Exception) -> None:
    host = FakeHost()
    status, log = talk(environ("ADD"), stdin(config()), Broken(failure), host)
    assert status == 1
    assert host.verbs == ["add", "delete"]
    assert "write the answer to stdout" in log


@pytest.mark.parametrize("failure", GONE)
def test_an_error_that_nobody_takes_changes_nothing(failure: Exception) -> None:
    host = FakeHost()
    assert talk(environ("ADD"), stdin(config(name="")), Broken(failure), host)[0] == 1
    assert host.calls == []


def test_a_real_pipe_without_a_reader() -> None:
    reader, writer = os.pipe()
    os.close(reader)
    host = FakeHost()
    with open(writer, "wb", buffering=0) as stdout:
        assert talk(environ("ADD"), stdin(config()), stdout, host)[0] == 1
    assert host.verbs == ["add", "delete"]
