"""One pod's sandbox: what a container runtime makes before it calls the executable.

A process that does nothing, as a runtime's pause container does, in a network,
mount and host name namespace of its own.

May import: errors, netlink, and within lab: messages, births, folders, message,
privilege, syscalls.
"""

from __future__ import annotations

import os
import socket
from functools import partial

from dari.errors import DariError
from dari.lab import folders, message, privilege, syscalls
from dari.lab.births import bear, hold
from dari.lab.message import Channel, Message
from dari.lab.messages import _
from dari.netlink.linkchange import change_link
from dari.netlink.sock import NetlinkSocket

SANDBOXES = "/run/netns"


def bear_all(names: tuple[str, ...], report: Channel) -> None:
    """Make the sandboxes of a node's pods, and a file for each in `SANDBOXES`.

    All are born before the first gets its file: a sandbox born later would hold a
    copy of that mount, and with it the earlier one's network.
    """
    ours, theirs = message.pair()
    born = {name: bear(partial(_live, name, theirs, report), report, name) for name in names}
    theirs.close()
    for _each in names:
        if ours.receive() is None:
            raise DariError(_("the process of a pod has ended"))
    ours.close()
    for name, pid in born.items():
        _show(name, pid)


def _live(name: str, ready: Channel, report: Channel) -> None:
    syscalls.die_with_parent(True)  # with its node
    privilege.leave_host()
    socket.sethostname(name)
    folders.dress_pod()
    with NetlinkSocket() as sock:
        sock.transact([change_link(name="lo", up=True)])
    report.send(Message(kind="holds", name=name))
    report.close()
    ready.send(Message(kind="born"))
    ready.close()
    hold()


def _show(name: str, pid: int) -> None:
    path = f"{SANDBOXES}/{name}"
    os.close(os.open(path, os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o444))
    syscalls.bind(f"/proc/{pid}/ns/net", path)
