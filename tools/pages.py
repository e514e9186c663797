"""The documents that are made from code: a page for each cause, and the list of exercises.

``python -m tools.pages`` writes docs/causes and docs/ko/causes anew; a test holds them to
the catalogue.

May import: dari.causes, dari.language, tools.exercises.
"""

from __future__ import annotations

import sys
from collections.abc import Mapping
from pathlib import Path

from dari.causes.catalogue import CAUSES
from dari.causes.cause import Cause
from dari.language import LANGUAGES, Messages
from tools import exercises

DOCS = Path(__file__).resolve().parent.parent / "docs"
FOLDERS: Mapping[str, Path] = {"en": DOCS / "causes", "ko": DOCS / "ko" / "causes"}
_HEADINGS: Mapping[str, tuple[str, str, str, str]] = {
    "en": ("What it does", "How to see it", "How to mend it", "All causes"),
    "ko": ("어떤 일이 생기나", "직접 확인하기", "고치는 법", "모든 원인"),
}
_NOTE: Mapping[str, str] = {
    "en": "`dari doctor` and `dari explain` print the exact commands for what they found.",
    "ko": "`dari doctor`와 `dari explain`은 찾아낸 것에 꼭 맞는 명령을 출력합니다.",
}

# What the other language is called in itself, and where its pages are from here.
_TWINS: Mapping[str, tuple[str, str]] = {
    "en": ("한국어", "../ko/causes"),
    "ko": ("English", "../../causes"),
}


def page(cause: Cause, language: str) -> str:
    """One cause's page (Markdown)."""
    _ = Messages("causes", language)
    why, look, mend, back = _HEADINGS[language]
    return "\n".join(
        [
            f"# {cause.code}: {_(cause.title)}",
            f"\n{_other_language(language, f'{cause.code}.md')}",
            f"\n## {why}\n\n{_(cause.why)}",
            f"\n## {look}\n\n```sh\n{cause.look}\n```",
            f"\n## {mend}\n\n{_(cause.mend)}\n\n{_NOTE[language]}",
            f"\n[{back}](README.md)\n",
        ]
    )


def overview(language: str) -> str:
    """The list of all pages (Markdown)."""
    _ = Messages("causes", language)
    rows = [f"- [{each.code}]({each.code}.md): {_(each.title)}" for each in CAUSES.values()]
    head = f"# {_HEADINGS[language][3]}\n\n{_other_language(language, 'README.md')}\n\n"
    return head + "\n".join(rows) + "\n"


def _other_language(language: str, name: str) -> str:
    """A link to the same page in the other language."""
    label, folder = _TWINS[language]
    return f"[{label}]({folder}/{name})"


def pages(language: str) -> dict[str, str]:
    """All of a language's pages, by file name."""
    return {
        "README.md": overview(language),
        **{f"{each.code}.md": page(each, language) for each in CAUSES.values()},
    }


def main() -> int:
    """Write all pages, and remove those of causes that are no more."""
    for language in LANGUAGES:
        folder = FOLDERS[language]
        folder.mkdir(parents=True, exist_ok=True)
        wanted = pages(language)
        for old in folder.glob("*.md"):
            if old.name not in wanted:
                old.unlink()
        for name, text in wanted.items():
            (folder / name).write_text(text, encoding="utf-8")
    exercises.write()
    return 0


if __name__ == "__main__":
    sys.exit(main())
