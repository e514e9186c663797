"""Sends real packets in a lab: as `explain.live` does, with the lab's namespaces for doors.

May import: explain, and within lab: faults.inside, state.
"""

from __future__ import annotations

import json

from dari.explain import live
from dari.explain.journey import Journey
from dari.explain.live import Live
from dari.lab.faults.inside import attempt
from dari.lab.state import State
from dari.snapshot.codec import decode, encode
from dari.snapshot.model import SWITCH


def send(state: State, journey: Journey) -> Live:
    """Send what a journey is about.

    Raises:
        DariError: the lab may not be looked into.
    """
    holders = {**state.holders, SWITCH: state.first}
    doors = {name: f"/proc/{one.pid}/ns/net" for name, one in holders.items()}
    (told,) = attempt(state, lambda: [json.dumps(encode(live.send(journey, doors)))])
    return decode(Live, json.loads(told), "what was seen")
