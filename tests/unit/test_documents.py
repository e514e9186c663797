"""The documents lead where they say, and say the same in both languages."""

from __future__ import annotations

import re
from functools import cache
from pathlib import Path

import pytest

from tests.support.markdown import Block, read_document

ROOT = Path(__file__).parents[2]
DOCS = ROOT / "docs"
KOREAN = DOCS / "ko"
PAGES = sorted([*ROOT.glob("*.md"), *DOCS.glob("**/*.md")])
TWINS = {
    **{ROOT / f"{page}.md": ROOT / f"{page}.ko.md" for page in ("README", "CONTRIBUTING")},
    **{
        page: KOREAN / page.relative_to(DOCS)
        for page in DOCS.glob("**/*.md")
        if KOREAN not in page.parents
    },
}
BOTH = [*TWINS.items()]
read = cache(read_document)
_SOURCE = re.compile(r"\w[\w./-]*/[\w.-]+\.(py|md|c|toml|yaml|service|svg)")


def name(page: object) -> str:
    return str(page.relative_to(ROOT)) if isinstance(page, Path) else str(page)


@pytest.mark.parametrize("page", PAGES, ids=name)
def test_every_link_leads_to_a_file_and_a_heading_of_it(page: Path) -> None:
    lost = []
    for link in read(page).links:
        path, _, anchor = link.partition("#")
        target = (page.parent / path).resolve() if path else page
        if not target.exists() or (anchor and anchor not in read(target).anchors):
            lost.append(link)
    assert lost == []


def test_every_page_is_there_in_both_languages() -> None:
    assert [name(korean) for korean in TWINS.values() if not korean.exists()] == []
    assert [name(page) for page in KOREAN.glob("**/*.md") if page not in TWINS.values()] == []


@pytest.mark.parametrize("page", PAGES, ids=name)
def test_every_file_of_the_code_that_is_named_is_there(page: Path) -> None:
    named = [each for each in read(page).code if _SOURCE.fullmatch(each)]
    places = (ROOT, ROOT / "src" / "dari")
    assert [each for each in named if not any((one / each).exists() for one in places)] == []


@pytest.mark.parametrize(("english", "korean"), BOTH, ids=name)
def test_both_languages_have_the_same_parts(english: Path, korean: Path) -> None:
    ours, theirs = read(english), read(korean)
    assert theirs.levels == ours.levels
    assert theirs.tables == ours.tables
    assert theirs.items == ours.items
    assert len(theirs.blocks) == len(ours.blocks)
    for mine, other in zip(ours.blocks, theirs.blocks, strict=True):
        assert same(other) == same(mine)


@pytest.mark.parametrize(("english", "korean"), BOTH, ids=name)
def test_both_languages_lead_to_each_other(english: Path, korean: Path) -> None:
    for page, other, label in ((english, korean, "한국어"), (korean, english, "English")):
        path = Path(*[".."] * len(page.parent.relative_to(ROOT).parts), other.relative_to(ROOT))
        found = re.findall(rf"\[{label}\]\(([^)]+)\)", page.read_text("utf-8"))
        assert [(page.parent / each).resolve() for each in found] == [other], path


@pytest.mark.parametrize(("english", "korean"), BOTH, ids=name)
def test_a_korean_page_leads_to_korean_pages(english: Path, korean: Path) -> None:
    targets = [(korean.parent / each.partition("#")[0]).resolve() for each in read(korean).links]
    assert [name(each) for each in targets if each in TWINS and each != english] == []


def same(block: Block) -> tuple[str, list[str] | int]:
    """What a block must have in common with its twin.

    Code is the same but for its comments. What a program prints is in the reader's
    language, line by line.
    """
    if not block.language:
        return "", len(block.lines)
    return block.language, [re.sub(r"(^|\s+)#\s.*$", "", line) for line in block.lines]
