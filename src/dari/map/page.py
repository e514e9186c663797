"""The page around the picture: HTML with its words in the reader's language. Pure.

May import: language.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from html import escape
from importlib.resources import files
from string import Template

from dari.language import LANGUAGES, Messages

CONTENT: Mapping[str, str] = {
    "page.js": "text/javascript; charset=utf-8",
    "page.css": "text/css; charset=utf-8",
    "picture.css": "text/css; charset=utf-8",
}
"""The files that the page asks for, and what they are."""


def static(name: str) -> str:
    """One of the page's files."""
    return files("dari.map").joinpath("static", name).read_text("utf-8")


def page(language: str) -> str:
    """The page in one of `LANGUAGES`."""
    _ = Messages("map", language)
    texts = {
        "title": _("The cluster's network"),
        "skip": _("To the list of nodes and pods"),
        "languages": _("Languages"),
        "things": _("Nodes and pods"),
        "filter": _("Show only names or addresses with"),
        "map": _("Map"),
        "zoom": _("Size of the map"),
        "smaller": _("Smaller"),
        "larger": _("Larger"),
        "whole": _("All of it"),
        "explain": _("Explain a packet's way"),
        "source": _("From"),
        "target": _("To"),
        "protocol": _("Protocol"),
        "port": _("Port"),
        "go": _("Explain"),
        "tables": _("Tables"),
        "choose": _("Choose a node or pod, in the list or on the map."),
    }
    values = {name: escape(text) for name, text in texts.items()}
    words = escape(json.dumps(script_words(language), ensure_ascii=False), quote=True)
    return Template(static("page.html")).substitute(values, language=language, words=words)


def script_words(language: str) -> dict[str, str]:
    """What the page's script says."""
    _ = Messages("map", language)
    return {
        "live": _("Live: looked at every few seconds."),
        "lost": _("No answer; shown is what was seen last."),
        "pods": _("{count} pods"),
        "faulty": _("something is wrong with it"),
        "tables": _("Tables"),
        "why": _("what it is for"),
        "empty": _("empty"),
        "wait": _("Reading the tables along the way …"),
        "mend": _("To mend it, on {where}:"),
    }


def wanted_language(given: str, accepted: str) -> str:
    """The page's language.

    Args:
        given: in the address, or empty.
        accepted: the browser's ``Accept-Language`` (RFC 9110, 12.5.4); its order is
            taken as the reader's, weights are not looked at.
    """
    wishes = [given, *(each.partition(";")[0].strip() for each in accepted.split(","))]
    short = (each.partition("-")[0].lower() for each in wishes)
    return next((each for each in short if each in LANGUAGES), LANGUAGES[0])
