"""`dari lab exec`: run a command in a machine or pod, as its root.

`nsenter` (util-linux, on every Debian) becomes the command; nothing of dari stays.

May import: errors, and within lab: messages, process, programs, state.
"""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from typing import NoReturn

from dari.errors import DariError, NotAvailable
from dari.lab import programs
from dari.lab.messages import _
from dari.lab.process import Process
from dari.lab.state import State

SWITCH = "switch"


def command(state: State, name: str, words: Sequence[str]) -> list[str]:
    """The command line that runs `words` inside.

    Args:
        name: a machine's or pod's, or ``switch``.

    Raises:
        DariError: the lab has none of that name, or its process was killed.
    """
    target = _holder(state, name)
    namespaces = ["--mount", "--uts", "--net", "--pid"]
    if state.own_user_namespace:
        # Credentials are kept: user 0 inside is this user, and setgroups is denied there.
        namespaces += ["--user", "--preserve-credentials"]
    return ["nsenter", "--target", str(target.pid), *namespaces, "--", *words]


def enter(state: State, name: str, words: Sequence[str], environ: Mapping[str, str]) -> NoReturn:
    """Become a command inside; its exit status is this process's.

    Raises:
        DariError: as `command`.
        NotAvailable: there is no nsenter.
    """
    line = command(state, name, words)
    try:
        os.execvpe(line[0], line, programs.environment(environ))
    except FileNotFoundError:
        raise NotAvailable(
            _("nsenter is not there"), _("install it: apt-get install util-linux")
        ) from None


def _holder(state: State, name: str) -> Process:
    holders = {**state.holders, SWITCH: state.first}
    if name not in holders:
        raise DariError(
            _("lab {lab!r} has no {name!r}").format(lab=state.options.name, name=name),
            _("it has: {holders}").format(holders=", ".join(holders)),
        )
    if not holders[name].alive:
        raise DariError(
            _("{name} of lab {lab!r} has lost its process").format(
                name=name, lab=state.options.name
            ),
            _("`dari lab down --name {lab}` and up again").format(lab=state.options.name),
        )
    return holders[name]
