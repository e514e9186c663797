"""The reader's language: chosen, looked up, and complete."""

from __future__ import annotations

from string import Formatter

import pytest

from dari.cli.main import main
from dari.language import Messages, chosen, spoken, taken
from tools import messages


@pytest.mark.parametrize(
    ("environ", "language"),
    [
        ({}, "en"),
        ({"LANG": "ko_KR.UTF-8"}, "ko"),
        ({"LANG": "C.UTF-8"}, "en"),
        ({"LANG": "de_DE.UTF-8"}, "en"),
        ({"LANG": "en_US.UTF-8", "LC_ALL": "ko_KR"}, "ko"),
        ({"LANG": "ko", "LANGUAGE": "fr:en"}, "en"),
        ({"LANG": "", "LC_MESSAGES": "ko.UTF-8"}, "ko"),
    ],
)
def test_the_environment_names_the_language(environ: dict[str, str], language: str) -> None:
    assert chosen(environ) == language


@pytest.mark.parametrize(
    ("words", "language", "rest"),
    [
        (["doctor"], "", ["doctor"]),
        (["doctor", "--lang", "ko"], "ko", ["doctor"]),
        (["--lang=ko", "doctor"], "ko", ["doctor"]),
        (["lab", "break", "--lang", "ko", "--secret"], "ko", ["lab", "break", "--secret"]),
        (
            ["lab", "exec", "--", "x", "--lang", "ko"],
            "",
            ["lab", "exec", "--", "x", "--lang", "ko"],
        ),
        (["--lang", "ko", "lab", "exec", "n", "--", "x"], "ko", ["lab", "exec", "n", "--", "x"]),
        (["doctor", "--lang"], "", ["doctor"]),
    ],
)
def test_the_command_line_names_the_language(
    words: list[str], language: str, rest: list[str]
) -> None:
    assert taken(words) == (language, rest)


@pytest.mark.parametrize("words", [["doctor", "--lang", "xx"], ["lab", "down", "--lang"]])
def test_a_language_that_is_not_spoken_is_wrong_use(
    words: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(words) == 2
    assert "--lang" in capsys.readouterr().err


def test_a_text_without_a_translation_stays_as_it_is() -> None:
    assert Messages("causes", "ko")("never heard of") == "never heard of"


@pytest.mark.parametrize("language", messages.TRANSLATIONS)
@pytest.mark.parametrize("domain", messages.DOMAINS)
def test_catalogues_have_the_sources_texts_and_are_compiled(domain: str, language: str) -> None:
    file = messages.po_file(domain, language)
    catalog = messages.updated(domain, language)
    assert file.read_bytes() == messages.as_po(catalog), "run `make messages`"
    assert file.with_suffix(".mo").read_bytes() == messages.as_mo(catalog), "run `make messages`"


@pytest.mark.parametrize("language", messages.TRANSLATIONS)
@pytest.mark.parametrize("domain", messages.DOMAINS)
def test_every_text_is_translated(domain: str, language: str) -> None:
    assert messages.untranslated(messages.updated(domain, language)) == []
    assert len(messages.updated(domain, language)) > 0


@pytest.mark.parametrize("language", messages.TRANSLATIONS)
@pytest.mark.parametrize("domain", messages.DOMAINS)
def test_translations_have_the_same_places_to_fill_in(domain: str, language: str) -> None:
    for message in messages.updated(domain, language):
        assert fields(str(message.string)) == fields(str(message.id)), message.id


def fields(text: str) -> set[str]:
    return {name for _, name, _, _ in Formatter().parse(text) if name is not None}


def test_a_server_speaks_to_each_reader_in_their_language() -> None:
    say = Messages("map")
    with spoken("ko"):
        assert say("Tables") == "테이블"
        with spoken("en"):
            assert say("Tables") == "Tables"
        assert say("Tables") == "테이블"
