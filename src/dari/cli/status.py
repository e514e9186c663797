"""`dari status`: is this node's agent ready, and if not, what does it wait for?

May import: agent, errors, paths, tables.layout.
"""

from __future__ import annotations

import json
import time
from argparse import ArgumentParser, Namespace
from collections.abc import Iterator
from typing import TYPE_CHECKING

from dari.cli.messages import _
from dari.cli.seconds import seconds_from
from dari.errors import DariError
from dari.language import N_
from dari.tables.layout import columns

if TYPE_CHECKING:
    from dari.model import Json

NAME = "status"
HELP = N_("show this node's agent: ready or not, its addresses, pod ranges, peers and routes")
_POLL = 0.1
# What the agent says that it waits for, in English: it is told to programs, too.
WAITS = (
    N_("the first look at the node"),
    N_("the store's first answer"),
    N_("an address at which the other nodes reach this one"),
)


def configure(parser: ArgumentParser) -> None:
    """Declare `-o` and `--wait`."""
    parser.add_argument("-o", "--output", choices=("text", "json"), default="text")
    parser.add_argument(
        "--wait",
        type=seconds_from(0),
        default=0.0,
        metavar="SECONDS",
        help=_("wait so long for the agent to be ready"),
    )
    parser.epilog = _(
        "Exit status: 0 once the agent is ready, 1 otherwise.\n"
        "\n"
        "examples:\n"
        "  dari status\n"
        "  dari status --wait 30 -o json"
    )


def run(arguments: Namespace) -> int:
    """Print the agent's state."""
    from dari.paths import Paths

    state = ask_until_ready(Paths().agent_socket, arguments.wait)
    if arguments.output == "json":
        print(json.dumps(state, indent=1))
    else:
        print("\n".join(show(state)))
    return 0 if state["ready"] else 1


def ask_until_ready(path: str, seconds: float) -> Json:
    """The agent's state; where it cannot be asked, one that says why.

    Args:
        path: the agent's socket.
        seconds: how long to wait for it to be ready; 0 asks once.
    """
    from dari.agent.client import ask_status

    deadline = time.monotonic() + seconds
    while True:
        try:
            state = ask_status(path)
        except DariError as error:
            state = {"ready": False, "errors": [error.message], "hint": error.details}
        if state.get("ready") is True or time.monotonic() >= deadline:
            return {**state, "ready": state.get("ready") is True}
        time.sleep(_POLL)


def show(state: Json) -> Iterator[str]:
    """The state as lines for a person."""
    if "node" not in state:
        yield _("not ready: {reasons}").format(reasons="; ".join(_words(state, "errors")))
        if state.get("hint"):
            yield f"  {state['hint']}"
        return
    waiting = "; ".join(map(_, _words(state, "waiting_for")))
    ready = _("ready") if state["ready"] else _("not ready: {reasons}").format(reasons=waiting)
    yield f"{state['node']} ({state.get('role')}, dari {state.get('version')}): {ready}"
    rows = {
        _("addresses"): " ".join(_words(state, "addresses")) + _on(state.get("interface")),
        _("pod ranges"): " ".join(_words(state, "pod_ranges")),
        _("bridge"): f"{state.get('bridge')}, MTU {state.get('mtu')}" if state.get("mtu") else "",
        _("peers"): _peers(state.get("peers")),
        _("backend"): str(state.get("backend", "")),
        _("routes"): str(state.get("routes", "")),
        _("store"): _store(state.get("store")),
        _("last sync"): _moment(state.get("last_sync")),
        _("last mending"): _moment(state.get("last_mending")),
    }
    lines = [(name, value.strip() or "-") for name, value in rows.items()]
    lines += [(_("error"), error) for error in _words(state, "errors")]
    yield from (f"  {line}" for line in columns(lines))


def _peers(peers: object) -> str:
    names = _words(peers, "names")
    joining = _words(peers, "joining")
    late = (
        _(" (yet to tell where they are: {joining})").format(joining=", ".join(joining))
        if joining
        else ""
    )
    return f"{len(names)}{': ' if names else ''}{', '.join(names)}{late}"


def _store(store: object) -> str:
    if not isinstance(store, dict):
        return ""
    held = len(_words(store, "held"))
    kept = _(", {held} nodes kept that it lost").format(held=held) if held else ""
    silent = _words(store, "silent")
    quiet = (
        _(", no sign of life from the agent of {silent}").format(silent=", ".join(silent))
        if silent
        else ""
    )
    gone = "" if store.get("reachable") else _(", unreachable")
    return f"{store.get('kind')}{gone}{kept}{quiet}"


def _on(interface: object) -> str:
    return _(" on {interface}").format(interface=interface) if interface else ""


def _words(state: object, key: str) -> list[str]:
    value = state.get(key) if isinstance(state, dict) else None
    return [str(each) for each in value] if isinstance(value, list) else []


def _moment(sync: object) -> str:
    if not isinstance(sync, dict) or not sync.get("time"):
        return ""
    mended = "; ".join(_words(sync, "mended")) or _("nothing to mend")
    return f"{sync['time']}: {mended}"
