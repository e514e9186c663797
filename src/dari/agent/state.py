"""What the agent tells of itself: `dari status` shows it, `-o json` prints it as it is.

May import: dari, errors, model, record, agent.
"""

from __future__ import annotations

import json
import time
from typing import TYPE_CHECKING

from dari import __version__
from dari.agent.config import AgentConfig
from dari.agent.location import Location
from dari.agent.protocol import Answer, Call
from dari.record import Record

if TYPE_CHECKING:
    from dari.model import IPNetwork, Json, NodeName


class Sync(Record):
    """One pass of the reconciler that put something right, or the last one of all.

    Attributes:
        at: seconds since 1970.
        mended: what it put right, in words.
    """

    at: float = 0.0
    mended: tuple[str, ...] = ()


class StoreState(Record):
    """How the agent stands with the store.

    Attributes:
        reachable: did it answer when it was last asked?
        held: nodes that are kept although the store has lost them (see `memory`).
        silent: nodes whose agents give no sign of life; their pods may be well.
    """

    reachable: bool = True
    held: tuple[NodeName, ...] = ()
    silent: tuple[NodeName, ...] = ()


class State(Record):
    """The agent's state after a pass.

    Attributes:
        passes: how many there were; 0: the first is still to come.
        waiting: what readiness waits for, in words; ready once it is empty.
        problems: what else is wrong.
        peers: names of the other nodes.
        joining: those of them that hold a range and have yet to tell where they are.
        routes: how many of dari's routes there should be.
        last_mending: the last pass that had something to do.
    """

    passes: int = 0
    location: Location = Location()
    pod_ranges: tuple[IPNetwork, ...] = ()
    peers: tuple[NodeName, ...] = ()
    joining: tuple[NodeName, ...] = ()
    routes: int = 0
    mtu: int = 0
    store: StoreState = StoreState()
    waiting: tuple[str, ...] = ("the first look at the node",)
    problems: tuple[str, ...] = ()
    last: Sync = Sync()
    last_mending: Sync = Sync()

    @property
    def ready(self) -> bool:
        """Can pods start here and reach the others?"""
        return not self.waiting


class Holdings(Record):
    """What the agent holds for pods.

    Attributes:
        attachments: how many there were at the last look.
        condemned: cables of pods that ended, still to be deleted.
    """

    attachments: int = 0
    condemned: int = 0


def describe(config: AgentConfig, state: State, holdings: Holdings) -> Json:
    """The state as JSON-able data; times are in ISO 8601, UTC."""
    return {
        "ready": state.ready,
        "node": config.node_name,
        "role": config.role,
        "backend": config.backend.overlay.type,
        "version": __version__,
        "addresses": [str(address) for address in state.location.addresses],
        "interface": state.location.interface,
        "pod_ranges": [str(network) for network in state.pod_ranges],
        "bridge": config.bridge,
        "mtu": state.mtu,
        "conf_dir": config.conf_dir,
        "peers": {
            "number": len(state.peers),
            "names": list(state.peers),
            "joining": list(state.joining),
        },
        "routes": state.routes,
        "store": {
            "kind": config.store,
            "reachable": state.store.reachable,
            "held": list(state.store.held),
            "silent": list(state.store.silent),
        },
        "attachments": holdings.attachments,
        "condemned": holdings.condemned,
        "last_sync": _sync(state.last),
        "last_mending": _sync(state.last_mending),
        "waiting_for": list(state.waiting),
        "errors": list(state.problems),
    }


def _sync(sync: Sync) -> Json:
    moment = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(sync.at)) if sync.at else None
    return {"time": moment, "mended": list(sync.mended)}


def answer(call: Call, config: AgentConfig, state: State, holdings: Holdings) -> Answer:
    """Answer one call on the agent's socket: `status`, and nothing else yet."""
    command = call.environ.get("DARI_COMMAND", "")
    if command == "status":
        text = json.dumps(describe(config, state, holdings)).encode() + b"\n"
        return Answer(status=0 if state.ready else 1, stdout=text)
    error = {"code": 4, "msg": f"the agent knows no command {command!r}", "details": "use: status"}
    return Answer(status=1, stdout=json.dumps(error).encode() + b"\n")
