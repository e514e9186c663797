"""Whatever people read goes through the catalogues: in the sources, and as it is printed."""

from __future__ import annotations

import ast
import re
from argparse import ArgumentParser, _SubParsersAction
from collections.abc import Iterator
from pathlib import Path

import pytest

import dari
from dari.agent.state import State
from dari.cli import status
from dari.cli.main import COMMANDS, load, main, overview
from dari.cli.messages import _
from dari.cli.parsing import speak_of_usage
from dari.language import spoken
from tools.messages import DOMAINS

_SOURCE = Path(dari.__path__[0])
_SPEAKING = (
    *_SOURCE.glob("cli/*.py"),
    *_SOURCE.rglob("lab/**/*.py"),
    *(_SOURCE / "agent" / f"{name}.py" for name in ("client", "install", "lock", "options")),
    *(_SOURCE / "agent" / f"{name}.py" for name in ("purge", "reader", "stores", "unit")),
    *_SOURCE.glob("cni/runtime/*.py"),
    _SOURCE / "snapshot" / "files.py",
    _SOURCE / "map" / "live.py",
)
# What is handed to a person: these calls' arguments, and these keywords of any call.
_TELLS = frozenset({"print", "say", "ArgumentTypeError"})
_KEYWORDS = frozenset({"help", "description", "epilog"})
_LOOKED_UP = frozenset({"_", "N_", "_causes"})
_SENTENCE = re.compile(r"[A-Za-z]{2,} [A-Za-z`]")
_COMMAND = re.compile(r"^(dari|ip|sh|nft|[a-z.]+\.log) ")
_HANGUL = re.compile("[가-힣]")


def _name(call: ast.Call) -> str:
    return getattr(call.func, "id", getattr(call.func, "attr", ""))


def _is_error(name: str) -> bool:
    """Of dari's own classes of errors."""
    return isinstance(getattr(dari.errors, name, None), type)


def spoken_parts(tree: ast.AST) -> Iterator[ast.expr]:
    """What is told to a person, as expressions."""
    for node in ast.walk(tree):
        if not isinstance(node, ast.Call):
            continue
        name = _name(node)
        if name in _TELLS or _is_error(name):
            yield from node.args
        yield from (each.value for each in node.keywords if each.arg in _KEYWORDS)


def bare_sentences(part: ast.AST) -> Iterator[str]:
    """Sentences in an expression that are not looked up in a catalogue."""
    if isinstance(part, ast.Call) and _name(part) in _LOOKED_UP:
        return
    if isinstance(part, ast.JoinedStr):
        text = "".join(str(each.value) for each in part.values if isinstance(each, ast.Constant))
        if _SENTENCE.search(text):
            yield text
        return
    if isinstance(part, ast.Constant):
        if isinstance(part.value, str) and _SENTENCE.search(part.value):
            yield part.value
        return
    for child in ast.iter_child_nodes(part):
        yield from bare_sentences(child)


@pytest.mark.parametrize("path", _SPEAKING, ids=lambda path: str(path.relative_to(_SOURCE)))
def test_no_sentence_is_told_that_no_catalogue_has(path: Path) -> None:
    tree = ast.parse(path.read_text(encoding="utf-8"))
    found = [text for part in spoken_parts(tree) for text in bare_sentences(part)]
    assert [text for text in found if not _COMMAND.match(text)] == []


@pytest.mark.parametrize("folder", DOMAINS.values())
def test_no_text_is_looked_up_within_another_where_the_catalogues_miss_it(folder: str) -> None:
    for path in (_SOURCE / folder).rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            inner = list(ast.walk(node)) if isinstance(node, ast.JoinedStr) else []
            calls = [each for each in inner if isinstance(each, ast.Call) and _name(each) == "_"]
            assert not [each for each in calls if isinstance(each.args[0], ast.Constant)], path


def parsers(parser: ArgumentParser) -> Iterator[ArgumentParser]:
    """A parser, and those of its verbs."""
    yield parser
    for action in parser._actions:
        if isinstance(action, _SubParsersAction):
            for each in action.choices.values():
                yield from parsers(each)


@pytest.mark.parametrize("name", COMMANDS)
def test_a_command_s_help_is_korean_where_that_is_asked_for(
    name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LANGUAGE", "ko")
    speak_of_usage()
    command = load(name)
    parser = ArgumentParser(prog=f"dari {name}", description=_(command.HELP))
    command.configure(parser)
    for each in parsers(parser):
        assert _HANGUL.search(each.description or ""), each.prog
        texts = [action.help or "" for action in each._actions if action.help]
        assert [text for text in texts if not _HANGUL.search(text)] == [], each.prog
        assert _HANGUL.search(each.epilog or ""), each.prog


def test_the_overview_is_korean() -> None:
    with spoken("ko"):
        lines = overview().split("\n")
    assert [line for line in lines if line and not _HANGUL.search(line)] == []


def test_the_headings_of_a_help_are_korean_too(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LANGUAGE", "en")
    with pytest.raises(SystemExit):
        main(["add", "--help", "--lang", "ko"])
    lines = capsys.readouterr().out.split("\n")
    headings = [line for line in lines if line.endswith(":")]
    assert len(headings) == 3 and all(map(_HANGUL.search, headings))


@pytest.mark.parametrize(
    "words",
    [
        ["tables", "--lang", "ko", "nonsense"],
        ["lab", "up", "--nodes", "many", "--lang", "ko"],
        ["lab", "--lang", "ko"],
        ["explain", "one", "--lang", "ko"],
        ["status", "--wait", "--lang", "ko"],
        ["doctor", "--role", "clown", "--lang", "ko"],
        ["install", "--as", "nonsense", "--lang", "ko"],
        ["version", "--nonsense", "--lang", "ko"],
    ],
    ids=" ".join,
)
def test_wrong_use_is_told_in_korean(
    words: list[str], capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LANGUAGE", "en")
    with pytest.raises(SystemExit) as ended:
        main(words)
    assert ended.value.code == 2
    said = capsys.readouterr().err
    assert said.startswith("사용법: ") and ": 오류: " in said
    assert "error" not in said and "invalid" not in said


@pytest.mark.parametrize(
    "words",
    [
        ["lab", "status", "--name", "no-such-lab", "--lang", "ko"],
        ["tables", "--from", "/no/such/file", "--lang", "ko"],
        ["nonsense", "--lang", "ko"],
    ],
    ids=" ".join,
)
def test_an_error_and_what_to_do_are_told_in_korean(
    words: list[str], capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LANGUAGE", "en")
    assert main(words) in (1, 2)
    lines = capsys.readouterr().err.strip().split("\n")
    assert all(_HANGUL.search(line) for line in lines), lines


def test_what_an_agent_waits_for_has_a_translation_where_status_shows_it() -> None:
    assert set(State().waiting) <= set(status.WAITS)
    with spoken("ko"):
        assert all(_HANGUL.search(_(each)) for each in status.WAITS)
