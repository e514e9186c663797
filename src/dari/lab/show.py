"""`dari lab status`, as text and as JSON: pure.

May import: model, tables.layout, and within lab: look.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from dari.lab.look import ABSENT, GONE, NONE, READY, SYNCING, Seen, SeenNode
from dari.lab.messages import _
from dari.language import N_
from dari.tables.layout import Style, columns

if TYPE_CHECKING:
    from dari.model import Json

_AGENTS = {
    READY: N_("ready"),
    SYNCING: N_("syncing"),
    ABSENT: N_("absent"),
    GONE: N_("gone"),
    NONE: N_("none"),
}


def as_text(seen: Seen, style: Style) -> str:
    """The lab for a person: each node with its pods below it, then who else is there."""
    rows = [(_("NAME"), _("ADDRESSES"), _("POD RANGES"), _("AGENT"))]
    for node in seen.nodes:
        rows.append((node.name, _list(node.addresses), _list(node.pod_ranges), _agent(node.agent)))
        rows += [
            (f"  {pod.name}", _list(pod.addresses), "", "")
            for pod in seen.pods
            if pod.node == node.name
        ]
    if seen.router is not None:
        rows.append((seen.router.name, _list(seen.router.addresses), "", _agent(seen.router.agent)))
    rows.append(("outside", _list(seen.outside), "", ""))
    if seen.etcd:
        rows.append(("etcd", _list(seen.etcd), "", ""))
    head, *lines = columns(rows)
    return "\n".join([style.faint(head), *lines])


def as_json(seen: Seen) -> Json:
    """What `dari lab status -o json` prints; `address` is the first of `addresses`."""
    document: dict[str, object] = {
        "name": seen.name,
        "nodes": [_machine(node) for node in seen.nodes],
        "pods": [
            {"name": pod.name, "node": pod.node, "addresses": list(pod.addresses)}
            for pod in seen.pods
        ],
        "outside": {"addresses": list(seen.outside)},
    }
    if seen.router is not None:
        document["router"] = _machine(seen.router)
    if seen.etcd:
        document["etcd"] = {"addresses": list(seen.etcd)}
    return document


def is_whole(seen: Seen) -> bool:
    """Does every agent run, and has every pod an address?"""
    agents = [node.agent for node in seen.nodes]
    if seen.router is not None and seen.router.agent != NONE:
        agents.append(seen.router.agent)
    return all(agent == READY for agent in agents) and all(pod.addresses for pod in seen.pods)


def _machine(node: SeenNode) -> Json:
    return {
        "name": node.name,
        "address": node.addresses[0] if node.addresses else "",
        "addresses": list(node.addresses),
        "pod_ranges": list(node.pod_ranges),
        "agent": node.agent,
    }


def _agent(state: str) -> str:
    return _(_AGENTS.get(state, state))


def _list(texts: tuple[str, ...]) -> str:
    return ", ".join(texts) or "-"
