"""The command `dari`: finding commands, and what their ends look like from outside."""

from __future__ import annotations

import os
import subprocess
import sys
from argparse import ArgumentParser, Namespace
from collections.abc import Callable
from pathlib import Path

import pytest

from dari.cli.main import COMMANDS, load, main, run_command
from dari.errors import BadConfig

ROOT = Path(__file__).parents[3]


class Made:
    """A command whose work is a function."""

    NAME = "made"
    HELP = "is made up"

    def __init__(self, work: Callable[[], int]) -> None:
        self.work = work

    def configure(self, parser: ArgumentParser) -> None:
        parser.epilog = "example:\n  dari made"

    def run(self, arguments: Namespace) -> int:
        return self.work()


def raising(error: BaseException) -> Callable[[], int]:
    def work() -> int:
        raise error

    return work


@pytest.mark.parametrize("name", COMMANDS)
def test_every_command_keeps_the_contract(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    command = load(name)
    assert name == command.NAME
    assert command.HELP and "\n" not in command.HELP
    with pytest.raises(SystemExit) as ended:
        main([name, "--help"])
    assert ended.value.code == 0
    shown = capsys.readouterr().out
    assert f"usage: dari {name}" in shown
    assert "example" in shown and f"dari {name}" in shown.split("example", 1)[1]


@pytest.mark.parametrize("words", [["--help"], ["-h"], ["help"]])
def test_help_lists_every_command(words: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert main(words) == 0
    shown = capsys.readouterr().out
    for name in COMMANDS:
        assert f"\n  {name} " in shown


def test_no_command_is_wrong_use(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("CNI_COMMAND", raising=False)
    assert main([]) == 2
    assert "usage: dari COMMAND" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("word", "hint"), [("ad", "`dari add`"), ("chekc", "`dari check`"), ("x", "`dari --help`")]
)
def test_an_unknown_command(word: str, hint: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main([word]) == 2
    assert hint in capsys.readouterr().err


@pytest.mark.parametrize("words", [["add"], ["add", "web1"], ["version", "--nope"]])
def test_wrong_words_are_wrong_use(words: list[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        main(words)
    assert ended.value.code == 2


@pytest.mark.parametrize("status", [0, 1])
def test_a_commands_status_is_the_exit_status(status: int) -> None:
    assert run_command(Made(lambda: status), []) == status


def test_an_error_of_ours_is_a_line_and_what_to_do(capsys: pytest.CaptureFixture[str]) -> None:
    assert run_command(Made(raising(BadConfig("mtu: 'x'", "set a number"))), []) == 1
    assert capsys.readouterr() == ("", "dari: mtu: 'x'\n  set a number\n")


def test_ctrl_c() -> None:
    assert run_command(Made(raising(KeyboardInterrupt())), []) == 130


def test_what_nobody_foresaw_is_not_hidden() -> None:
    with pytest.raises(ZeroDivisionError):
        run_command(Made(raising(ZeroDivisionError())), [])


def dari(*words: str, **environ: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "dari", *words],
        capture_output=True,
        text=True,
        stdin=subprocess.DEVNULL,
        env={**os.environ, **environ},
    )


def test_version() -> None:
    done = dari("version", "-o", "json")
    assert (done.returncode, done.stderr) == (0, "")
    assert '"1.1.0"' in done.stdout
    assert dari("--version").stdout.startswith("dari ")


def test_a_reader_that_leaves_is_no_error() -> None:
    """`dari --help | head -0`, in effect: no traceback, and Python does not complain at its end."""
    reader, writer = os.pipe()
    os.close(reader)
    with open(writer, "wb") as gone:
        done = subprocess.run(
            [sys.executable, "-m", "dari", "version"], stdout=gone, stderr=subprocess.PIPE
        )
    assert (done.returncode, done.stderr) == (1, b"")


def test_a_runtime_that_starts_the_command_gets_the_plugins_answer() -> None:
    done = dari(CNI_COMMAND="VERSION")
    assert done.returncode == 0
    assert '"supportedVersions"' in done.stdout


def test_only_the_command_asked_for_is_imported() -> None:
    program = (
        "import sys; from dari.cli.main import main; main(['version']);"
        "print(sorted(name for name in sys.modules if name.startswith('dari.cli.')))"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    shared = ["dari.cli.main", "dari.cli.messages", "dari.cli.parsing"]
    assert done.stdout.splitlines()[-1] == str([*shared, "dari.cli.version"])
