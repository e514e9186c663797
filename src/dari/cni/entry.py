"""Start of the executable that a container runtime calls.

Installed as ``bridge``, ``host-local``, ``loopback`` it answers as that plugin,
as ``dari`` or anything else as the one that the configuration's `type` names.

May import: cni.dispatch; wiring.host and paths once a call needs the node.
"""

from __future__ import annotations

import io
import os
import sys

from dari.cni.dispatch import FAILED, answer

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from typing import BinaryIO, NoReturn

    from dari.wiring.host import Host


def main(*inside: int) -> NoReturn:
    """Answer the call that this process was started for, and end the process.

    Args:
        inside: what its starter opened, if it could: descriptors of the pod's
            namespace, and of a route netlink socket in it.

    It ends without Python's own tidying up, 4 ms that the pod would wait for:
    whatever is still open, the kernel closes.
    """
    status = call(*inside)
    if sys.stderr:
        sys.stderr.flush()
    os._exit(status)


def call(*inside: int) -> int:
    """Answer the call that this process was started for, and return the exit status.

    Args:
        inside: as for `main`.
    """
    stdout = _stdout()
    if stdout is None:
        return FAILED  # nowhere to answer to, so nothing is done
    return answer(
        os.path.basename(sys.argv[0]),
        os.environ,
        sys.stdin.buffer if sys.stdin else io.BytesIO(),
        stdout,
        sys.stderr or io.StringIO(),
        _entered(*inside) if inside else node,
    )


def _entered(netns: int, pod: int) -> Callable[[Mapping[str, str]], Host]:
    """The same as `node`, for the namespace that was opened; the socket serves once."""
    unused = [pod]
    for descriptor in (netns, pod):
        os.set_inheritable(descriptor, False)  # a plugin that is delegated to needs neither

    def host(environ: Mapping[str, str]) -> Host:
        from dari.paths import Paths
        from dari.wiring.host import Host

        return Host(Paths(), environ, netns=netns, pod=unused.pop() if unused else None)

    return host


def node(environ: Mapping[str, str]) -> Host:
    """The machine that this process runs on."""
    from dari.paths import Paths
    from dari.wiring.host import Host

    return Host(Paths(), environ)


def _stdout() -> BinaryIO | None:
    """Standard output without a buffer: what could not be written is not tried again."""
    try:
        return open(1, "wb", buffering=0, closefd=False)
    except OSError:
        return None
