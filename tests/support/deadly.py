"""Executables that are killed: at a moment, or before one change of those that they make.

`fatal` puts one in a folder of its own, which a runtime is to search first. What it is told
in its environment holds for one verb; with any other it is the executable it stands for.
"""

from __future__ import annotations

import sys
from collections.abc import Mapping
from pathlib import Path

from dari.files import write_whole
from tests.support.executable import BIN_DIR

SOURCES = Path(__file__).parents[2] / "src"
_FOLDER = Path("/run/fatal")
_PROGRAM = """#!{python} -IS
import os, signal, sys
name, verb = os.path.basename(sys.argv[0]), os.environ["CNI_COMMAND"]
after, at = os.environ.get("FATAL_AFTER"), os.environ.get("FATAL_AT")
if verb != os.environ["FATAL_VERB"] or at is None:
    if verb == os.environ["FATAL_VERB"]:
        signal.setitimer(signal.ITIMER_REAL, max(float(after), 1e-6))  # lives on in what follows
    os.execv("{bin}/" + name, [name])
sys.path.insert(0, "{sources}")
import dari.nft.table, dari.files
left = int(at)
def fatal(real):
    def call(*given, **named):
        global left
        if left == 0:
            os.kill(os.getpid(), signal.SIGKILL)
        left -= 1
        return real(*given, **named)
    return call
for each in ("rename", "link", "unlink", "mkdir", "rmdir"):
    setattr(os, each, fatal(getattr(os, each)))
from dari.nft.library import Nft
Nft.run = fatal(Nft.run)
from dari.netlink.sock import NetlinkSocket
NetlinkSocket.transact, NetlinkSocket.ask = map(fatal, (NetlinkSocket.transact, NetlinkSocket.ask))
plain, deadly = os.open, fatal(os.open)
os.open = lambda path, flags, *given, **named: (
    deadly if flags & os.O_WRONLY and str(path).startswith("/proc/sys/") else plain
)(path, flags, *given, **named)
from dari.cni.entry import main
main()
"""


def fatal(plugin: str) -> tuple[str, str]:
    """The folders in which a runtime finds this plugin to be one that is killed.

    It is written once, and whole: other threads may be starting it.
    """
    program = _FOLDER / plugin / plugin
    if not program.exists():
        text = _PROGRAM.format(python=sys.executable, bin=BIN_DIR, sources=SOURCES)
        write_whole(str(program), text.encode(), mode=0o755)
    return str(program.parent), BIN_DIR


def after(verb: str, seconds: float) -> Mapping[str, str]:
    """Killed so long after its start in that verb, in which it makes nothing of a signal."""
    return {"FATAL_VERB": verb, "FATAL_AFTER": f"{seconds:.6f}"}


def before_change(verb: str, number: int) -> Mapping[str, str]:
    """Killed before a change in that verb: of the kernel, of the rules or of a folder."""
    return {"FATAL_VERB": verb, "FATAL_AT": str(number)}
