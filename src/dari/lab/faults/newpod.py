"""Starts a pod on a node, as a runtime would, looks at it, and ends it.

May import: errors, and within lab: state; within lab.faults: fault, inside, scene.
"""

from __future__ import annotations

import json
from ipaddress import ip_address

from dari.lab.faults import inside
from dari.lab.faults.fault import run
from dari.lab.faults.scene import Scene
from dari.lab.state import State

_NAME = "lab-trial"


def trouble(state: State, scene: Scene, node: str) -> str:
    """Why a new pod does not start there, or starts wrongly; empty where all is well."""
    made = inside.run(state, run(node, "ip", "netns", "add", _NAME))
    if made.returncode != 0:
        return made.stderr.strip()
    try:
        return _started(state, scene, node)
    finally:
        inside.run(state, run(node, "dari", "del", _NAME, _NAME))
        inside.run(state, run(node, "ip", "netns", "del", _NAME))


def _started(state: State, scene: Scene, node: str) -> str:
    done = inside.run(state, run(node, "dari", "add", _NAME, _NAME, "-o", "json"))
    if done.returncode != 0:
        return (done.stderr.strip() or done.stdout.strip()).partition("\n")[0]
    try:
        texts = [str(ip["address"]).partition("/")[0] for ip in json.loads(done.stdout)["ips"]]
        foreign = [
            text
            for text in texts
            if not any(ip_address(text) in each for each in scene.ranges(node))
        ]
    except (ValueError, LookupError, TypeError):
        return done.stdout.strip()
    return f"{', '.join(foreign)}?" if foreign or not texts else ""
