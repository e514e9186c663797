"""The catalogue of causes, and the pages that are made from it."""

from __future__ import annotations

import re

import pytest

from dari.causes.catalogue import CAUSES
from dari.language import LANGUAGES
from tools.pages import FOLDERS, pages


def test_codes_are_of_one_form_and_in_order() -> None:
    assert all(re.fullmatch(r"DARI-[1-9]\d\d", code) for code in CAUSES)
    assert list(CAUSES) == sorted(CAUSES)


def test_every_cause_says_all_of_it() -> None:
    for cause in CAUSES.values():
        assert all([cause.title, cause.why, cause.look, cause.mend]), cause.code
        assert cause.why.endswith(".") and cause.mend.endswith("."), cause.code


@pytest.mark.parametrize("language", LANGUAGES)
def test_every_cause_has_its_page_as_the_catalogue_says(language: str) -> None:
    found = {file.name: file.read_text("utf-8") for file in FOLDERS[language].glob("*.md")}
    assert found == pages(language), "run `make messages pages`"
