"""The map's page in a real browser: of a real lab, live, by keyboard, in both languages."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from selenium.webdriver import Chrome, Keys
from selenium.webdriver.common.by import By
from selenium.webdriver.remote.webelement import WebElement

from tests.support.browser import browser, complaints, unnamed
from tests.support.labs import ROOT, Caller, Lab, caller, lab
from tests.support.waiting import wait_until


@contextmanager
def served(by: Caller, *words: str) -> Iterator[str]:
    """The page's address."""
    line = by.line("map", *words, "--listen", "127.0.0.1:0", "--every", "0.5")
    program = subprocess.Popen(line, env=by.environ, stdout=subprocess.PIPE, text=True)
    try:
        assert program.stdout
        yield program.stdout.readline().strip()
    finally:
        program.terminate()
        program.communicate()


def find(driver: Chrome, selector: str) -> list[WebElement]:
    return driver.find_elements(By.CSS_SELECTOR, selector)


def text(driver: Chrome, selector: str) -> str:
    return " ".join(str(each.get_property("textContent")) for each in find(driver, selector))


def until(driver: Chrome, selector: str, words: str) -> None:
    wait_until(lambda: words in text(driver, selector), f"{words!r} in {selector}")


def test_the_page_shows_a_lab_live_and_explains_it(tmp_path: Path) -> None:
    with (
        caller(ROOT) as by,
        lab(by, "--nodes", "2", "--pods", "2") as built,
        served(by, "--lab", built.name) as address,
        browser(tmp_path) as driver,
    ):
        driver.get(f"{address}?lang=en")
        until(driver, "#list", "pod-2-2")
        assert len(find(driver, ".picture .pod")) == 4
        keyboard_reaches_a_pods_tables(driver)
        a_way_is_explained_and_drawn(driver)
        what_breaks_is_shown(driver, built)
        assert unnamed(driver) == []
        driver.get(f"{address}?lang=ko")
        until(driver, "h1", "클러스터 네트워크")
        assert complaints(driver) == []


def keyboard_reaches_a_pods_tables(driver: Chrome) -> None:
    """Only keys: from the skip link to the list, and to a pod."""
    press(driver, Keys.TAB)
    assert "skip" in (focused(driver).get_attribute("class") or "")
    focused(driver).send_keys(Keys.ENTER)
    for _ in range(40):
        press(driver, Keys.TAB)
        if focused(driver).get_attribute("data-id") == "pod:pod-1-1":
            break
    focused(driver).send_keys(Keys.ENTER)
    until(driver, "#tables-heading", "pod-1-1")
    until(driver, "#tables", "everything that no other row fits")
    assert find(driver, ".picture .chosen")[0].get_attribute("data-id") == "pod:pod-1-1"


def a_way_is_explained_and_drawn(driver: Chrome) -> None:
    for name, value in (("src", "pod-1-1"), ("dst", "pod-2-1")):
        find(driver, f"[name={name}]")[0].send_keys(value)
    find(driver, "#explain button")[0].send_keys(Keys.ENTER)
    wait_until(lambda: bool(find(driver, "#journey .arrives")), "an explained way")
    assert len(find(driver, "#journey li")) > 3
    assert find(driver, "#path .way-there")


def what_breaks_is_shown(driver: Chrome, built: Lab) -> None:
    built.ok("pod-1-2", "ip", "link", "set", "eth0", "down")
    wait_until(
        lambda: bool(find(driver, '.picture .faulty[data-id="pod:pod-1-2"]')), "a pod cut off"
    )
    assert find(driver, '#list .faulty-thing[data-id="pod:pod-1-2"]')
    built.ok("pod-1-2", "ip", "link", "set", "eth0", "up")


def press(driver: Chrome, key: str) -> None:
    focused(driver).send_keys(key)


def focused(driver: Chrome) -> WebElement:
    return driver.switch_to.active_element
