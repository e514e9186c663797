"""Install Debian packages without a question, and without starting a service.

May import: the standard library.
"""

from __future__ import annotations

import contextlib
import os
import subprocess
from collections.abc import Iterator

POLICY = "/usr/sbin/policy-rc.d"
POLICY_TEXT = "#!/bin/sh\n# dari's set-up, for as long as it installs packages\nexit 101\n"
APT_GET = ("apt-get", "-q", "-y", "-o", "DPkg::Lock::Timeout=300")
INSTALL = ("install", "--no-install-recommends")


class InstallFailed(Exception):
    """apt-get ended with an error; the message holds what it printed."""


def install(packages: list[str]) -> None:
    """Fetch the package lists and install `packages`. Needs root.

    Equivalent to: ``apt-get update && apt-get install --no-install-recommends …``

    Raises:
        InstallFailed: apt-get said no.
    """
    with services_stay_stopped(POLICY):
        _apt_get("update")
        _apt_get(*INSTALL, *packages)


@contextlib.contextmanager
def services_stay_stopped(policy: str) -> Iterator[None]:
    """Have maintainer scripts start nothing (invoke-rc.d asks the program at `policy`).

    A policy of the administrator's own stands. One that a killed set-up left
    behind is known by its text, and goes.
    """
    if os.path.exists(policy) and not _is_ours(policy):
        yield
        return
    try:
        _write_program(policy, POLICY_TEXT)
        yield
    finally:
        with contextlib.suppress(FileNotFoundError):
            os.unlink(policy)


def _is_ours(path: str) -> bool:
    with open(path, encoding="utf-8", errors="replace") as file:
        return file.read() == POLICY_TEXT


def _write_program(path: str, text: str) -> None:
    with open(path, "w", encoding="utf-8") as file:
        file.write(text)
    os.chmod(path, 0o755)


def _apt_get(*arguments: str) -> None:
    done = subprocess.run(
        [*APT_GET, *arguments],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        errors="replace",
        env={**os.environ, "DEBIAN_FRONTEND": "noninteractive"},
    )
    if done.returncode != 0:
        raise InstallFailed(f"apt-get {' '.join(arguments)} failed:\n{done.stdout.strip()}")
