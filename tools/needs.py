"""What each make target needs from the machine, and which Debian package brings it.

A need is looked for where it is used (a program, a library, a file), not asked of
the package manager: what came another way, or on another distribution, counts too.

May import: the standard library.
"""

from __future__ import annotations

import ctypes
import importlib.util
import os
import shutil
from typing import NamedTuple

PROGRAM_PATH = os.pathsep.join(
    [os.environ.get("PATH", ""), "/usr/local/sbin", "/usr/sbin", "/sbin", "/usr/bin", "/bin"]
)
REFERENCE_PLUGINS = "/usr/lib/cni"


class Need(NamedTuple):
    """One thing that must be there.

    Attributes:
        kind: "program", "library", "file" or "module" (of the running Python).
        name: what to look for: a program's, library's or module's name, or a path.
        package: the Debian package that holds it.
        targets: the make targets that need it.
    """

    kind: str
    name: str
    package: str
    targets: frozenset[str]


ALL = frozenset({"demo", "check", "test", "bench"})
KERNEL = frozenset({"demo", "test", "bench"})
PAIRED = frozenset({"test", "bench"})
CHECK = frozenset({"check", "test"})
TEST = frozenset({"test"})

NEEDS = (
    Need("library", "libnftables.so.1", "libnftables1", KERNEL),
    Need("program", "ping", "iputils-ping", KERNEL),
    Need("module", "ensurepip", "python3-venv", ALL),
    Need("program", "openssl", "openssl", CHECK),
    Need("program", "ip", "iproute2", PAIRED),
    Need("program", "iptables", "iptables", PAIRED),
    Need("program", "iperf3", "iperf3", PAIRED),
    Need("program", "gcc", "gcc", PAIRED),
    Need("file", "/usr/include/stdio.h", "libc6-dev", PAIRED),
    Need("program", "musl-gcc", "musl-tools", PAIRED),
    Need("file", f"{REFERENCE_PLUGINS}/bridge", "containernetworking-plugins", PAIRED),
    Need("program", "nft", "nftables", TEST),
    Need("program", "sysctl", "procps", TEST),
    Need("program", "conntrack", "conntrack", PAIRED),
    Need("program", "ethtool", "ethtool", TEST),
    Need("program", "bird", "bird2", TEST),
    Need("program", "containerd", "containerd", TEST),
    Need("program", "runc", "runc", TEST),
    Need("program", "podman", "podman", TEST),
    Need("program", "etcd", "etcd-server", PAIRED),
    Need("program", "systemd-analyze", "systemd", TEST),
    Need("program", "busybox", "busybox-static", TEST),
    Need("program", "chromium", "chromium", TEST),
    Need("program", "chromedriver", "chromium-driver", TEST),
)


def missing(target: str) -> list[Need]:
    """List what `target` needs and this machine lacks, in the table's order."""
    return [need for need in NEEDS if target in need.targets and not present(need)]


def present(need: Need) -> bool:
    """Tell whether the thing itself can be found."""
    return _PROBES[need.kind](need.name)


def packages(needs: list[Need]) -> list[str]:
    """The Debian packages that bring all of `needs`, each once, in order."""
    return list(dict.fromkeys(need.package for need in needs))


def _has_program(name: str) -> bool:
    return shutil.which(name, path=PROGRAM_PATH) is not None


def _has_library(name: str) -> bool:
    try:
        ctypes.CDLL(name)
    except OSError:
        return False
    return True


def _has_module(name: str) -> bool:
    return importlib.util.find_spec(name) is not None


_PROBES = {
    "program": _has_program,
    "library": _has_library,
    "file": os.path.exists,
    "module": _has_module,
}
