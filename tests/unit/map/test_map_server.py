"""The map's server: what it tells, to whom, and what it refuses."""

from __future__ import annotations

import json
import re
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from http.client import HTTPConnection, HTTPResponse
from typing import Any

import pytest

from dari.errors import BadConfig, IOFailure
from dari.map.page import page, static, wanted_language
from dari.map.server import serve
from tests.support.waiting import PATIENCE


def tell(values: Mapping[str, str]) -> dict[str, object]:
    if "wrong" in values:
        raise BadConfig("wrong: it is wrong", "do not")
    return {"values": dict(values)}


@contextmanager
def served() -> Iterator[int]:
    server = serve("127.0.0.1", 0, {"told.json": tell})
    thread = threading.Thread(target=server.serve_forever, args=(0.05,))
    thread.start()
    try:
        yield server.server_address[1]
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


@pytest.fixture
def port() -> Iterator[int]:
    with served() as number:
        yield number


def ask(port: int, path: str, method: str = "GET", **headers: str) -> tuple[HTTPResponse, str]:
    connection = HTTPConnection("127.0.0.1", port, timeout=PATIENCE)
    connection.request(method, path, headers={k.replace("_", "-"): v for k, v in headers.items()})
    answer = connection.getresponse()
    text = answer.read().decode()
    connection.close()
    return answer, text


def test_the_page_and_its_files_are_served_under_a_strict_policy(port: int) -> None:
    for path in ("/", "/page.js", "/page.css", "/picture.css"):
        answer, text = ask(port, path)
        assert answer.status == 200 and text
        assert "default-src 'none'" in (answer.getheader("Content-Security-Policy") or "")


@pytest.mark.parametrize("name", ["page.html", "page.js", "page.css", "picture.css"])
def test_nothing_is_loaded_from_elsewhere_or_written_into_the_page(name: str) -> None:
    text = static(name)
    assert not re.search(r"https?://(?!www\.w3\.org/2000/svg)|//cdn|@import|eval\(", text)
    assert not re.search(r"<script(?![^>]* src=)|<style| style=| on[a-z]+=", text)


def test_what_is_told_is_json_and_unchanged_things_are_told_once(port: int) -> None:
    answer, text = ask(port, "/told.json?a=1&lang=ko")
    assert json.loads(text) == {"values": {"a": "1", "lang": "ko"}}
    again, nothing = ask(port, "/told.json?a=1&lang=ko", If_None_Match=answer.headers["ETag"])
    assert (again.status, nothing) == (304, "")


def test_an_error_is_told_with_what_to_do(port: int) -> None:
    answer, text = ask(port, "/told.json?wrong=1")
    assert answer.status == 400
    assert json.loads(text) == {"error": "wrong: it is wrong; do not"}


@pytest.mark.parametrize("host", ["evil.example", "evil.example:80", "127.0.0.1", ""])
def test_another_host_s_name_is_refused(port: int, host: str) -> None:
    answer, _ = ask(port, "/told.json", Host=host)
    assert answer.status == 421


def test_only_reading_is_allowed(port: int) -> None:
    for method in ("POST", "PUT", "DELETE"):
        assert ask(port, "/told.json", method)[0].status == 501
    assert ask(port, "/../../etc/passwd")[0].status == 404


def test_an_address_that_is_taken_is_named(port: int) -> None:
    with pytest.raises(IOFailure, match=f"listen on 127.0.0.1 port {port}"):
        serve("127.0.0.1", port, {})


@pytest.mark.parametrize(
    ("given", "accepted", "language"),
    [("", "", "en"), ("ko", "en", "ko"), ("", "fr, ko-KR;q=0.8, en", "ko"), ("xx", "", "en")],
)
def test_the_page_is_in_the_reader_s_language(given: str, accepted: str, language: str) -> None:
    assert wanted_language(given, accepted) == language


@pytest.mark.parametrize("language", ["en", "ko"])
def test_the_page_says_every_word_that_its_script_wants(language: str) -> None:
    text = page(language)
    assert f'<html lang="{language}">' in text and "$" not in text
    found: Any = re.search(r'data-words="([^"]*)"', text)
    words = json.loads(found[1].replace("&quot;", '"').replace("&#x27;", "'").replace("&amp;", "&"))
    assert set(re.findall(r"words\.(\w+)", static("page.js"))) == set(words)
