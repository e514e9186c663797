"""A lab's first step: leave the machine's namespaces, and bear process 1 of the lab.

Run as ``python -m dari.lab.launch DESCRIPTOR OPTIONS`` by `dari lab up`, in a
session of its own. This process stays outside of the process namespace that it
makes, as the parent of the lab's first process, and lasts as long as that or as
`dari lab up`, whichever is shorter.

May import: errors, and within lab: births, message, privilege, state,
switch, syscalls, topology.
"""

from __future__ import annotations

import os
import sys

from dari.errors import DariError
from dari.lab import switch, syscalls
from dari.lab.births import bear
from dari.lab.message import Channel, Message
from dari.lab.privilege import leave_namespaces
from dari.lab.state import decode_options
from dari.lab.topology import plan


def main(words: list[str]) -> int:
    """Bear the lab's first process and wait for its end.

    Args:
        words: the descriptor of the channel to `dari lab up`, and its options as JSON.
    """
    syscalls.die_with_parent(True)
    report = Channel.from_descriptor(int(words[0]))
    try:
        topology = plan(decode_options(words[1]))
        leave_namespaces()
        first = bear(lambda: switch.run(topology, report), report, "switch")
    except DariError as error:
        report.send(Message(kind="failed", text=error.message, details=error.details))
        return 1
    report.close()
    return os.waitstatus_to_exitcode(os.waitpid(first, 0)[1])


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
