"""The figures as the documents quote them: all or one table, in English or Korean."""

from __future__ import annotations

from pathlib import Path

import pytest

from bench.korean import in_korean, without_korean
from bench.quotes import QUOTES, Quote, put, quoted
from bench.report import BEGIN, END

ROOT = Path(__file__).parents[3]
LATEST = ROOT / "bench" / "results" / "latest.md"
DOCUMENT = """![Bars](figures.svg)

### Single calls

| whole processes | dari, ms | budget |
| --- | --- | --- |
| no ipMasq, agent | 4.4 (4.0 to 4.9) | **missed**: at most 0.5 s |

A note of no document.

### 5,000 nodes

|  | local, direct |
| --- | --- |
| watch traffic | 607 bytes |

Resident memory (VmRSS); after deleting, once every cable is gone.

All in one run.
"""


def test_one_document_quotes_all_and_another_one_table() -> None:
    whole = quoted(DOCUMENT, Quote(path="a.md", picture="docs/a.svg"))
    assert whole == DOCUMENT.replace("figures.svg", "docs/a.svg")
    one = quoted(DOCUMENT, Quote(path="a.md", title="[0-9,]+ nodes"))
    assert one == DOCUMENT[DOCUMENT.index("### 5,000") :]


def test_korean_has_the_same_figures_and_leaves_what_it_does_not_know() -> None:
    lines = in_korean(DOCUMENT).splitlines()
    assert "| ipMasq 없음, 에이전트 | 4.4 (4.0~4.9) | **미달**: 0.5 s 이하 |" in lines
    assert {"### 호출 하나씩", "### 노드 5,000개", "| watch로 받은 양 | 607바이트 |"} <= {*lines}
    assert len(lines) == len(DOCUMENT.splitlines())
    assert without_korean(DOCUMENT) == ["Bars", "A note of no document.", "All in one run."]


def test_there_is_korean_for_everything_that_is_measured() -> None:
    assert without_korean(LATEST.read_text("utf-8")) == []


@pytest.mark.parametrize("quote", QUOTES, ids=lambda quote: quote.path)
def test_the_documents_say_what_was_measured_last(quote: Quote) -> None:
    text = (ROOT / quote.path).read_text("utf-8")
    told = text.partition(f"{BEGIN}\n")[2].partition(END)[0]
    assert told == quoted(LATEST.read_text("utf-8"), quote)


def test_a_document_without_marks_is_named(tmp_path: Path) -> None:
    (tmp_path / "README.md").write_text("no marks\n")
    with pytest.raises(ValueError, match=r"README\.md: expected one"):
        put(DOCUMENT, tmp_path)
