"""The kernel's settings that a pod network needs on the node.

May import: errors, files, netlink, paths.
"""

from __future__ import annotations

from dari import files
from dari.errors import IOFailure

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable

    from dari.netlink.namespace import Namespace
    from dari.paths import Paths

_IPV6_OFF = "net/ipv6/conf/{}/disable_ipv6"
FORWARDING = {4: "net/ipv4/ip_forward", 6: "net/ipv6/conf/all/forwarding"}


def read(paths: Paths, name: str) -> str:
    """A setting's value, without white space around it.

    Args:
        name: below /proc/sys, with slashes: ``net/ipv4/ip_forward``.

    Raises:
        IOFailure: the kernel has no such setting, or it may not be read.
    """
    path = f"{paths.proc_sys}/{name}"
    try:
        return files.read_setting(path)
    except OSError as error:
        raise IOFailure(f"read {path}: {error.strerror}") from None


def ensure(paths: Paths, name: str, value: str) -> bool:
    """Set a setting where it differs; True where it did.

    Equivalent to: ``sysctl -w NAME=VALUE``.

    Raises:
        IOFailure: it may not be read or written.
    """
    if read(paths, name) == value:
        return False
    path = f"{paths.proc_sys}/{name}"
    try:
        files.write_setting(path, value)
    except OSError as error:
        raise IOFailure(
            f"set {path} to {value}: {error.strerror}", "is /proc/sys mounted read-only?"
        ) from None
    return True


def ensure_forwarding(paths: Paths, versions: Iterable[int]) -> bool:
    """Let the node pass packets on, for each IP version given; True where it did not yet."""
    changed = [ensure(paths, FORWARDING[version], "1") for version in sorted(set(versions))]
    return any(changed)


def allow_ipv6(namespace: Namespace, paths: Paths, ifname: str) -> None:
    """Let a pod's interface have IPv6 addresses: some runtimes make sandboxes without IPv6.

    Raises:
        IOFailure: the kernel has no IPv6.
    """
    namespace.run(lambda: ensure(paths, _IPV6_OFF.format(ifname), "0"))
