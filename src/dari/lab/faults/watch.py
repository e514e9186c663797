"""Looks at what a fault's sights name: the one place that tells broken from mended.

May import: errors, language, and within lab: state; within lab.faults: agents, inside, newpod,
packets, scene, sights.
"""

from __future__ import annotations

import time
from collections.abc import Sequence

from dari.lab.faults import agents, inside, newpod, packets
from dari.lab.faults.fault import run
from dari.lab.faults.scene import Scene
from dari.lab.faults.sights import ARP, AgentAnswers, FilesGone, PodStarts, Sight, Trial
from dari.lab.state import State
from dari.language import Messages

_ = Messages("lab")
_POD_AGAIN = 0.5  # seconds between two starts of a pod


def wrong(state: State, scene: Scene, sights: Sequence[Sight], seconds: float) -> list[str]:
    """What is not as it should be, in the reader's language, packets first.

    Args:
        seconds: for so long a packet is sent again, an agent asked again, and a pod started again.

    Raises:
        DariError: the lab has ended, or may not be looked into.
    """
    trials = [one for one in sights if isinstance(one, Trial)]
    deadline = time.monotonic() + seconds
    found = _of_trials(state, trials, seconds)
    for one in sorted(sights, key=lambda each: not isinstance(each, AgentAnswers)):
        if isinstance(one, AgentAnswers):
            found += _of_agent(state, one, deadline)
        elif isinstance(one, PodStarts):
            found += _of_pod(state, scene, one, deadline)
        elif isinstance(one, FilesGone):
            found += _of_files(state, one)
    return found


def _of_trials(state: State, trials: Sequence[Trial], seconds: float) -> list[str]:
    if not trials:
        return []
    pids = {name: holder.pid for name, holder in state.holders.items()}
    seen = inside.attempt(state, lambda: packets.send(trials, pids, seconds))
    found = (_of_trial(*pair) for pair in zip(trials, seen, strict=True))
    return [text for text in found if text]


def _of_trial(trial: Trial, seen: str) -> str:
    names = {"source": trial.source, "target": trial.target, "address": trial.address}
    if trial.way == ARP:
        wanted = _("{source} asks who has {address}, and {seen} answers")
        return "" if seen == trial.seen else wanted.format(**names, seen=seen or "-")
    if seen == packets.FAILED:
        return _("{source} does not reach {target} ({address})").format(**names)
    if trial.seen and seen != trial.seen:
        return _("{target} sees {seen} where {source} ({own}) connects").format(
            **names, seen=seen, own=trial.seen
        )
    return ""


def _of_agent(state: State, one: AgentAnswers, deadline: float) -> list[str]:
    while (trouble := agents.trouble(state, one.node)) and time.monotonic() < deadline:
        time.sleep(0.1)
    text = _("the agent of {node} is not well: {trouble}")
    return [text.format(node=one.node, trouble=trouble)] if trouble else []


def _of_pod(state: State, scene: Scene, one: PodStarts, deadline: float) -> list[str]:
    while (trouble := newpod.trouble(state, scene, one.node)) and time.monotonic() < deadline:
        time.sleep(_POD_AGAIN)
    text = _("a new pod on {node} does not start as it should: {trouble}")
    return [text.format(node=one.node, trouble=trouble)] if trouble else []


def _of_files(state: State, one: FilesGone) -> list[str]:
    done = inside.run(state, run(one.where, "ls", *one.paths))
    there = done.stdout.split()
    text = _("{node} still has {files}")
    return [text.format(node=one.where, files=", ".join(there))] if there else []
