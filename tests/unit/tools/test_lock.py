"""The lock files hold what pyproject.toml names, by hash, and from no fixed place."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

import pytest

CHECKOUT = Path(__file__).parents[3]
PROJECT = tomllib.loads((CHECKOUT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
LOCKS = {
    "requirements.lock": PROJECT["dependencies"],
    "requirements-dev.lock": PROJECT["dependencies"] + PROJECT["optional-dependencies"]["dev"],
}


def text(lock: str) -> str:
    return (CHECKOUT / lock).read_text(encoding="utf-8")


def pins(lock: str) -> dict[str, str]:
    """Package to version."""
    return dict(re.findall(r"^([a-z0-9.-]+)==(\S+)", text(lock), re.MULTILINE))


def normal_name(requirement: str) -> str:
    """The package's name as lock files write it (PEP 503)."""
    name = re.split(r"[<>=~! \[;]", requirement)[0]
    return re.sub(r"[-_.]+", "-", name).lower()


@pytest.mark.parametrize("lock", LOCKS)
def test_everything_named_is_locked(lock: str) -> None:
    assert set(map(normal_name, LOCKS[lock])) <= pins(lock).keys()


@pytest.mark.parametrize("lock", LOCKS)
def test_every_locked_package_has_hashes(lock: str) -> None:
    entries = [entry for entry in re.split(r"^(?=\S+==)", text(lock), flags=re.M) if "==" in entry]
    assert len(entries) == len(pins(lock))
    assert all("--hash=sha256:" in entry for entry in entries)


@pytest.mark.parametrize("lock", LOCKS)
def test_a_lock_names_no_host(lock: str) -> None:
    assert "://" not in text(lock)
    assert "--index-url" not in text(lock) and "--find-links" not in text(lock)


def test_tests_run_with_what_users_get() -> None:
    assert pins("requirements.lock").items() <= pins("requirements-dev.lock").items()
