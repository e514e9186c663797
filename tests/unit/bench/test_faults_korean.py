"""What `make measure` found, in Korean: the same figures, and words for all of them."""

from __future__ import annotations

from pathlib import Path

from bench.faults.korean import WORDS, tables_in_korean
from bench.faults.report import BEGIN, END
from bench.korean import without_korean

DOCS = Path(__file__).parents[3] / "docs"


def tables(page: Path) -> str:
    return page.read_text("utf-8").partition(BEGIN)[2].partition(END)[0].strip("\n")


def test_the_korean_page_has_the_tables_of_the_english_one() -> None:
    """If not: `python -m bench.faults --only-report` writes both."""
    english = tables(DOCS / "measure.md")
    assert without_korean(english, WORDS) == []
    assert tables(DOCS / "ko" / "measure.md") == tables_in_korean(english)


def test_a_miss_says_what_was_told_and_what_was_so() -> None:
    miss = "- a-b (direct, both families): explain differs: x -> y (z): told lost, really answered"
    assert tables_in_korean(miss) == (
        "- a-b (direct, 두 주소 체계): explain이 다름: x -> y (z): 결론: 사라짐, 실제: 응답이 옴"
    )
