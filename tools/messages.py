"""The catalogues of what dari says to people: gathered, kept, and compiled.

``python -m tools.messages`` reads the sources, brings ``locale/ko/LC_MESSAGES/*.po`` up to
date (translations stay), and compiles each to the ``.mo`` that is read at run time. Both
are in the repository, so that installing needs no tool for it; a test holds them together.

May import: babel, dari.language.
"""

from __future__ import annotations

import io
import sys
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path

from babel.messages.catalog import Catalog
from babel.messages.extract import extract_from_dir
from babel.messages.mofile import write_mo
from babel.messages.pofile import read_po, write_po

from dari.language import LANGUAGES

SOURCE = Path(__file__).resolve().parent.parent / "src" / "dari"
TRANSLATIONS = LANGUAGES[1:]  # the first is the language of the sources
_NO_TIME = datetime(2026, 1, 1, tzinfo=UTC)
DOMAINS: Mapping[str, str] = {
    "agent": "agent",
    "causes": "causes",
    "cli": "cli",
    "doctor": "doctor",
    "explain": "explain",
    "lab": "lab",
    "map": "map",
    "runtime": "cni/runtime",
    "snapshot": "snapshot",
    "tables": "tables",
}
"""Each catalogue, and the folder below src/dari whose texts it holds."""


def gather(domain: str) -> Catalog:
    """All texts of a domain that the sources have, without translations."""
    catalog = _empty(LANGUAGES[0])
    folder = SOURCE / DOMAINS[domain]
    found = extract_from_dir(str(folder), [("**.py", "python")], keywords={"_": None, "N_": None})
    for _file, _line, message, _comments, _context in sorted(found, key=lambda one: one[:2]):
        catalog.add(message)
    return catalog


def po_file(domain: str, language: str) -> Path:
    """Where a domain's translations are."""
    return SOURCE / "locale" / language / "LC_MESSAGES" / f"{domain}.po"


def kept(domain: str, language: str) -> Catalog:
    """A domain's translations as they are kept; an empty catalogue where there are none."""
    file = po_file(domain, language)
    if not file.exists():
        return _empty(language)
    with file.open("rb") as stream:
        return read_po(stream, locale=language, domain=domain)


def updated(domain: str, language: str) -> Catalog:
    """A domain's translations, with the sources' new texts, and without those that are gone."""
    catalog = kept(domain, language)
    catalog.update(gather(domain), no_fuzzy_matching=True)
    catalog.obsolete.clear()
    return catalog


def as_po(catalog: Catalog) -> bytes:
    """A catalogue as a person edits it."""
    stream = io.BytesIO()
    write_po(stream, _plain(catalog), width=100, no_location=True)
    return stream.getvalue()


def as_mo(catalog: Catalog) -> bytes:
    """A catalogue as a program reads it (gettext's manual, "The Format of GNU MO Files")."""
    stream = io.BytesIO()
    write_mo(stream, _plain(catalog))
    return stream.getvalue()


def _plain(catalog: Catalog) -> Catalog:
    """The texts alone, in their order, so that the same texts are always the same bytes."""
    plain = _empty(str(catalog.locale))
    for message in sorted(catalog, key=lambda one: str(one.id)):
        if message.id:
            plain.add(message.id, message.string)
    return plain


def _empty(language: str) -> Catalog:
    return Catalog(
        locale=language,
        project="dari",
        version="",
        copyright_holder="the authors of dari",
        msgid_bugs_address="",
        last_translator="",
        language_team=language,
        creation_date=_NO_TIME,
        revision_date=_NO_TIME,
        charset="utf-8",
        fuzzy=False,
    )


def untranslated(catalog: Catalog) -> list[str]:
    """The texts that a catalogue has no translation of."""
    return [str(message.id) for message in catalog if message.id and not message.string]


def main() -> int:
    """Bring all catalogues up to date; 1 where a text has no translation."""
    missing = 0
    for domain in DOMAINS:
        for language in TRANSLATIONS:
            catalog = updated(domain, language)
            file = po_file(domain, language)
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_bytes(as_po(catalog))
            file.with_suffix(".mo").write_bytes(as_mo(catalog))
            for text in untranslated(catalog):
                print(f"{file.name}: no translation: {text}", file=sys.stderr)
                missing += 1
    return 1 if missing else 0


if __name__ == "__main__":
    sys.exit(main())
