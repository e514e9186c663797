"""Executables that play plugins: they note their calls and say what their configuration bids.

A stub's configuration may hold, for each verb under ``says``, what it prints,
under ``exits`` its exit status, and under ``warns`` what goes to its stderr. Its
log is a line of JSON for each call.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

_PROGRAM = """\
import json, os, sys
conf = json.load(sys.stdin)
verb = os.environ["CNI_COMMAND"]
names = [name for name in os.environ if name.startswith("CNI_")]
call = {"name": os.path.basename(sys.argv[0]), "verb": verb, "conf": conf}
call["environ"] = {name: os.environ[name] for name in names}
with open(LOG, "a") as log:
    log.write(json.dumps(call) + "\\n")
sys.stderr.write(conf.get("warns", ""))
says = conf.get("says", {}).get(verb)
if says is None and verb == "ADD":
    lists = {"ips": [{"version": "4", "address": "10.22.0.5/16"}]}
    flat = {"ip4": {"ip": "10.22.0.5/16"}}
    usual = flat if conf["cniVersion"] in ("0.1.0", "0.2.0") else lists
    says = conf.get("prevResult") or usual
if says is not None:
    print(says if isinstance(says, str) else json.dumps(says))
sys.exit(conf.get("exits", {}).get(verb, 1 if isinstance(says, dict) and "code" in says else 0))
"""


def install(folder: Path, *names: str) -> None:
    """Put stubs of these names into a folder; their log is the file `log` there."""
    folder.mkdir(exist_ok=True)
    program = f"#!{sys.executable} -IS\nLOG = {str(folder / 'log')!r}\n{_PROGRAM}"
    for name in names:
        (folder / name).write_text(program)
        (folder / name).chmod(0o755)


def calls(folder: Path) -> list[dict[str, Any]]:
    """What the folder's stubs were asked, in order."""
    log = folder / "log"
    return [json.loads(line) for line in log.read_text().splitlines()] if log.exists() else []


def order(folder: Path) -> list[tuple[str, str]]:
    """Name and verb of each call."""
    return [(call["name"], call["verb"]) for call in calls(folder)]
