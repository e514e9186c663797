"""Reads the rules of iptables-legacy, which nft does not show: by its own program, as facts.

It is run only where the kernel says that such tables are in use here, so that looking
loads no module; without a shell, and only from the folders that programs are in.

Source: iptables-save(8); /proc/net/ip_tables_names.
May import: snapshot.model.
"""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Iterable, Iterator, Mapping

from dari.snapshot.model import LegacyTable

MOST_RULES = 20_000  # of one table; of one with more, nothing sure could be said in seconds
_NAMES = {"iptables": "ip_tables_names", "ip6tables": "ip6_tables_names"}
_FOLDERS = "/usr/sbin:/sbin:/usr/local/sbin:/usr/bin:/bin"
_SECONDS = 10.0
_LARGEST = 16 << 20  # bytes


def names_in_use() -> list[str]:
    """Tables that are in use in the calling thread's namespace: ``iptables filter``."""
    found = []
    for program, file in _NAMES.items():
        try:
            with open(f"/proc/thread-self/net/{file}", encoding="ascii") as stream:
                found += [f"{program} {name}" for name in sorted(stream.read().split())]
        except OSError:
            continue  # the module is not loaded
    return found


def read_legacy(names: Iterable[str]) -> list[LegacyTable]:
    """The tables of these names, as far as there is a program to read them.

    Equivalent to: ``iptables-legacy-save -t TABLE`` for each.
    """
    return [table for name in names for table in _read(*name.split())]


def _read(program: str, table: str) -> Iterator[LegacyTable]:
    path = shutil.which(f"{program}-legacy-save", path=_FOLDERS)
    if path is None:
        return
    try:
        done = subprocess.run(
            [path, "-t", table],
            stdin=subprocess.DEVNULL,
            capture_output=True,
            timeout=_SECONDS,
            env={**os.environ, "LC_ALL": "C"},
        )
    except (OSError, subprocess.TimeoutExpired):
        return
    if done.returncode == 0 and len(done.stdout) <= _LARGEST:
        yield from parse_saved(program, table, done.stdout.decode(errors="replace"))


def parse_saved(program: str, table: str, text: str) -> Iterator[LegacyTable]:
    """Read what ``iptables-save`` prints of one table; nothing where it is too long.

    Args:
        program: ``iptables`` or ``ip6tables``.
        table: such as ``filter``.
    """
    policies: dict[str, str] = {}
    rules = []
    for line in text.splitlines():
        if line.startswith(":"):
            chain, _, rest = line[1:].partition(" ")
            policies[chain] = rest.partition(" ")[0]
        elif line.startswith("-A "):
            rules.append(line)
    if len(rules) <= MOST_RULES:
        yield LegacyTable(program=program, name=table, policies=_told(policies), rules=tuple(rules))


def _told(policies: Mapping[str, str]) -> dict[str, str]:
    """Chains of a person's own have none, which is printed as a hyphen."""
    return {chain: "" if policy == "-" else policy for chain, policy in policies.items()}
