"""The agent, its record, and the store of all records.

May import: causes, language, snapshot, store, agent, doctor.
"""

from __future__ import annotations

from collections.abc import Iterator

from dari.agent.config import ROUTER
from dari.agent.desired import own_record
from dari.causes import identity, service
from dari.causes.finding import WARNING, Finding
from dari.doctor.node import Node
from dari.doctor.storeway import store_mends
from dari.explain.mend import have_agent, start_agent
from dari.language import Messages

_ = Messages("doctor")


def alive(node: Node) -> Iterator[Finding]:
    """The agent runs."""
    if node.ours and not node.agent_runs:
        yield Finding(
            code=service.AGENT_DEAD.code,
            where=node.name,
            what=node.machine.problems.get("agent", _("the agent did not answer")),
            mend=(start_agent(node.machine),),
        )


def ready(node: Node) -> Iterator[Finding]:
    """The agent is ready, and can do what it should."""
    state = node.machine.agent
    waiting, errors = _words(state.get("waiting_for")), _words(state.get("errors"))
    if state and state.get("ready") is not True:
        yield Finding(
            code=service.AGENT_NOT_READY.code,
            where=node.name,
            what=_("the agent waits for: {what}").format(what="; ".join(waiting) or "-"),
        )
    elif errors:
        yield Finding(
            code=service.STATE_DIFFERS.code,
            where=node.name,
            what=_("the agent says: {what}").format(what="; ".join(errors)),
            severity=WARNING,
        )


def store(node: Node) -> Iterator[Finding]:
    """The store answers, and has this node's record."""
    told = node.machine.agent.get("store")
    if not node.ours or not node.config or node.config.role == ROUTER:
        return
    reachable = told.get("reachable") is not False if isinstance(told, dict) else True
    held = _words(told.get("held")) if isinstance(told, dict) else []
    problem = node.machine.problems.get("store", "")
    lost = node.agent_runs and node.machine.record is None
    if reachable and not problem and not held and not lost:
        return
    yield Finding(
        code=service.STORE_UNREACHABLE.code,
        where=node.name,
        what=problem
        or (
            _("the store has no record of this node, or has lost others: {names}").format(
                names=", ".join(held) or node.name
            )
            if held or lost
            else _("the agent does not reach the store")
        ),
        mend=store_mends(node),
    )


def record(node: Node) -> Iterator[Finding]:
    """The node's record says what the node is."""
    stored = node.machine.record
    if not stored or not node.config or not node.location.addresses:
        return
    wanted = own_record(node.config, node.location, stored.pod_ranges)
    if set(wanted.addresses) != set(stored.addresses):
        yield Finding(
            code=identity.ADDRESS_NOT_RECORDED.code,
            where=node.name,
            what=_("the record has {recorded}, the node {actual}").format(
                recorded=", ".join(map(str, stored.addresses)) or "-",
                actual=", ".join(map(str, wanted.addresses)) or "-",
            ),
            mend=(have_agent(node.machine),),
        )
    elif stored.mac and wanted.mac and stored.mac != wanted.mac and not node.agent_runs:
        yield Finding(
            code=service.RECORD_DIFFERS.code,
            where=node.name,
            what=_("the record has the MAC {recorded}, the node {actual}").format(
                recorded=stored.mac, actual=wanted.mac
            ),
            mend=(start_agent(node.machine),),
        )


def place(node: Node) -> Iterator[Finding]:
    """It is clear which address is the node's."""
    if node.ours and node.config and node.config.role != ROUTER:
        for each in node.location.problems:
            yield Finding(
                code=identity.NO_CLEAR_ADDRESS.code,
                where=node.name,
                what=each,
                subject=each[:20],
            )


def _words(value: object) -> list[str]:
    return [str(each) for each in value] if isinstance(value, list) else []
