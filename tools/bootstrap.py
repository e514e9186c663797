"""Set up what one make target needs: ``python -m tools.bootstrap demo|check|test|bench``.

As root on Debian, missing packages are installed. Anyone else, or anywhere else,
gets the list of what is missing and the command that mends it. A second run finds
everything in place and takes a moment.

May import: the standard library and its neighbours in this folder.
"""

from __future__ import annotations

import fcntl
import os
import shutil
import signal
import subprocess
import sys
from pathlib import Path

from tools import debian, needs
from tools.environment import Environment

CHECKOUT = Path(__file__).resolve().parent.parent
WITH_TOOLS = frozenset({"check", "test"})
ROOT_ONLY = {
    "test": "make test sets up nodes and runs container runtimes; `make check` needs no root",
    "bench": "make bench measures on network namespaces of root's",
}


class SetupFailed(Exception):
    """The target cannot run here; the message says why and what to do."""


def main(arguments: list[str]) -> int:
    """Set up for the one target named; 0 when it can run, 1 when it cannot, 2 for wrong use."""
    if len(arguments) != 1 or arguments[0] not in needs.ALL:
        print(f"usage: python -m tools.bootstrap {'|'.join(sorted(needs.ALL))}", file=sys.stderr)
        return 2
    signal.signal(
        signal.SIGTERM, lambda *_: sys.exit(128 + signal.SIGTERM)
    )  # so that `finally` runs
    try:
        with open(CHECKOUT / "pyproject.toml", "rb") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            _set_up(arguments[0])
    except (SetupFailed, debian.InstallFailed) as failure:
        print(f"setup: {failure}", file=sys.stderr)
        return 1
    except subprocess.CalledProcessError as failure:
        command = " ".join(str(part) for part in failure.cmd)
        print(f"setup: exit status {failure.returncode} from: {command}", file=sys.stderr)
        return 1
    return 0


def _set_up(target: str) -> None:
    _demand_root(target)
    _provide_packages(target)
    _demand_namespaces(target)
    environment = Environment(CHECKOUT, _say)
    environment.provide_base()
    environment.provide_native_entry()
    if target in WITH_TOOLS:
        environment.provide_tools()


def _demand_root(target: str) -> None:
    if target not in ROOT_ONLY or os.geteuid() == 0:
        return
    lacking = needs.missing(target)
    missing = f"\n{what_to_install(lacking)}" if lacking else ""
    raise SetupFailed(f"run this as root: {ROOT_ONLY[target]}{missing}")


def _provide_packages(target: str) -> None:
    lacking = needs.missing(target)
    if not lacking:
        return
    if os.geteuid() != 0 or shutil.which("apt-get") is None:
        raise SetupFailed(what_to_install(lacking))
    wanted = needs.packages(lacking)
    _say(f"installing Debian packages: {' '.join(wanted)}")
    debian.install(wanted)
    still = needs.missing(target)
    if still:
        raise SetupFailed(what_to_install(still))


def _demand_namespaces(target: str) -> None:
    if target not in ROOT_ONLY:
        return
    done = subprocess.run(["unshare", "-n", "-m", "true"], capture_output=True, text=True)
    if done.returncode != 0:
        raise SetupFailed(
            f"this root may make no namespaces ({done.stderr.strip()}): "
            "in a container, start it with --privileged"
        )


def what_to_install(lacking: list[needs.Need]) -> str:
    """Say what is missing, one per line, and the command that installs it."""
    lines = [f"  {need.kind} {need.name}  (Debian package {need.package})" for need in lacking]
    command = ["sudo", "apt-get", *debian.INSTALL, *needs.packages(lacking)]
    return "\n".join(["this machine lacks:", *lines, "install it with:", f"  {' '.join(command)}"])


def _say(text: str) -> None:
    print(f"setup: {text} ...", flush=True)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
