"""Messages in the reader's language, by GNU gettext catalogues (gettext(3)).

Each package that speaks to people has a catalogue of its own name under ``locale/``:
``_ = Messages("doctor")``, then ``_("{node} has no route to {range}").format(...)``. The text
in the code is English, and is what appears where a catalogue lacks it. `N_` marks a
text that is looked up later. `make messages` gathers and compiles the catalogues.

The language is the environment's (LANGUAGE, LC_ALL, LC_MESSAGES, LANG); the option
``--lang`` sets LANGUAGE before anything is said.

What a container runtime starts says nothing to people and does not import this.

May import: particles.
"""

from __future__ import annotations

import gettext
import os
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from contextvars import ContextVar

from dari.particles import settled

LANGUAGES = ("en", "ko")
OPTION = "--lang"
FOLDER = os.path.join(os.path.dirname(__file__), "locale")
_SPOKEN: ContextVar[str] = ContextVar("language", default="")
_VARIABLES = ("LANGUAGE", "LC_ALL", "LC_MESSAGES", "LANG")


def N_(text: str) -> str:
    """Mark a text for the catalogues; it is looked up where it is shown."""
    return text


class _Korean(str):
    """A text whose particles follow what is filled in."""

    __slots__ = ()

    def format(self, *places: object, **names: object) -> str:
        return settled(super().format(*places, **names))


class Messages:
    """One package's catalogue, in whatever language is asked for at the time.

    Args:
        domain: the catalogue's name (``locale/ko/LC_MESSAGES/<domain>.mo``).
        language: one of `LANGUAGES`; empty: the environment's.
    """

    def __init__(self, domain: str, language: str = "") -> None:
        self._domain = domain
        self._language = language
        self._known: dict[str, gettext.NullTranslations] = {}

    def __call__(self, text: str) -> str:
        """The text in the reader's language; as it is, where there is no translation.

        Equivalent to: ``gettext -d DOMAIN TEXT``.
        """
        language = self._language or _SPOKEN.get() or chosen(os.environ)
        if language not in self._known:
            self._known[language] = gettext.translation(
                self._domain, FOLDER, [language], fallback=True
            )
        found = self._known[language].gettext(text)
        return _Korean(found) if language == "ko" else found

    def within(self, language: str) -> Messages:
        """The same catalogue for a reader of a given language."""
        return Messages(self._domain, language)


@contextmanager
def spoken(language: str) -> Iterator[None]:
    """Within the block, say everything in a language: a server has many readers.

    Args:
        language: one of `LANGUAGES`; empty: as before.
    """
    before = _SPOKEN.set(language or _SPOKEN.get())
    try:
        yield
    finally:
        _SPOKEN.reset(before)


def chosen(environ: Mapping[str, str]) -> str:
    """The first of `LANGUAGES` that the environment asks for; English where it asks for none."""
    for variable in _VARIABLES:
        if value := environ.get(variable, ""):
            wanted = [each.partition("_")[0].partition(".")[0] for each in value.split(":")]
            return next((each for each in wanted if each in LANGUAGES), LANGUAGES[0])
    return LANGUAGES[0]


def taken(words: Sequence[str]) -> tuple[str, list[str]]:
    """The language that a command line asks for with ``--lang``, or empty; and the other words.

    It may stand anywhere, and is needed before the command line is parsed, since that is
    where help is printed. What comes behind ``--`` belongs to another program.
    """
    ours = list(words[: words.index("--")] if "--" in words else words)
    for place, word in enumerate(ours):
        name, equals, value = word.partition("=")
        if name == OPTION:
            length = 1 if equals else 2
            language = value if equals else next(iter(ours[place + 1 : place + 2]), "")
            return language, [*words[:place], *words[place + length :]]
    return "", list(words)
