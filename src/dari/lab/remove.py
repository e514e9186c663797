"""`dari lab down`: end a lab, and clear what a killed one has left on disk.

One SIGKILL ends everything: the kernel takes all of a lab's processes with the
first one, and its namespaces, links, rules and files with the processes.

May import: errors, and within lab: messages, state, topology.
"""

from __future__ import annotations

from dari.errors import DariError
from dari.lab.messages import _
from dari.lab.state import Records
from dari.lab.topology import check_name

_PATIENCE = 20.0  # seconds for a killed `dari lab up` to let go of its lock


def down(name: str, records: Records) -> bool:
    """End a lab, living, half built or dead; True where there was something of it.

    Raises:
        DariError: it cannot be ended, or was built anew meanwhile.
    """
    check_name(name)
    known = name in records.names()
    state = records.read(name)
    if state is not None:
        state.first.end()
    if known:
        with records.locked(name, seconds=_PATIENCE):
            if records.read(name) is not None:
                raise DariError(
                    _("lab {name!r} was built anew meanwhile").format(name=name),
                    _("run the command again"),
                )
            records.forget(name)
    records.sweep()
    return known
