"""A container of a DaemonSet on a test's node: the manifest's mounts, and little else of the node.

Run as ``python -m tests.support.container SPEC`` with the node's namespaces. As the kubelet
and a runtime do, it makes the folders of the hostPath volumes, gives the command a mount
namespace with those at their places (into which later mounts of the node come, where the
manifest says so), settings and a service account, and becomes the command. What dari has
in the node besides, above all /run, the container has of its own, and empty.
"""

from __future__ import annotations

import ctypes
import json
import os
import sys
from pathlib import Path
from typing import Any

CLONE_NEWNS, MS_RDONLY, MS_REMOUNT, MS_BIND, MS_REC, MS_SLAVE = (
    0x20000,
    0x1,
    0x20,
    0x1000,
    0x4000,
    0x80000,
)
EMPTY = ("/run", "/etc/cni", "/etc/dari", "/opt/cni", "/var/lib/cni", "/var/lib/dari")
ACCOUNT = "/run/secrets/kubernetes.io/serviceaccount"
_libc = ctypes.CDLL(None, use_errno=True)


def spec(pod: dict[str, Any], container: dict[str, Any], **more: Any) -> dict[str, Any]:
    """What `main` reads: the container's mounts by the pod's volumes.

    Args:
        more: `command`, `environ`, `settings` (text by file name) and `account`, the same.
    """
    volumes = {each["name"]: each.get("hostPath", {}).get("path") for each in pod["volumes"]}
    mounts = [
        {**each, "hostPath": volumes[each["name"]]} for each in container.get("volumeMounts", [])
    ]
    return {"mounts": mounts, **more}


def main(path: str) -> None:
    told = json.loads(Path(path).read_text())
    _check(_libc.unshare(CLONE_NEWNS), "unshare")
    _mount("none", "/", "none", MS_REC | MS_SLAVE)
    opened = [(each, _open(each["hostPath"])) for each in told["mounts"] if each["hostPath"]]
    for folder in EMPTY:
        _mount("tmpfs", folder, "tmpfs", 0)
    for each, descriptor in opened:
        target = each["mountPath"]
        os.makedirs(target, exist_ok=True)
        _mount(f"/proc/self/fd/{descriptor}", target, "none", MS_BIND | MS_REC)
        os.close(descriptor)
        if each.get("readOnly"):
            _mount("none", target, "none", MS_REMOUNT | MS_BIND | MS_RDONLY)
    settings = [each["mountPath"] for each in told["mounts"] if not each["hostPath"]]
    for folder in settings:
        _fill(folder, told["settings"])
    _fill(ACCOUNT, told["account"])
    os.execvpe(told["command"][0], told["command"], {**os.environ, **told["environ"]})


def _open(path: str) -> int:
    """Type DirectoryOrCreate."""
    os.makedirs(path, mode=0o755, exist_ok=True)
    return os.open(path, os.O_PATH | os.O_DIRECTORY)


def _fill(folder: str, files: dict[str, str]) -> None:
    os.makedirs(folder, exist_ok=True)
    for name, text in files.items():
        Path(folder, name).write_text(text)


def _mount(source: str, target: str, kind: str, flags: int) -> None:
    words = [os.fsencode(each) for each in (source, target, kind)]
    _check(_libc.mount(*words, ctypes.c_ulong(flags), None), f"mount {kind} on {target}")


def _check(result: int, doing: str) -> None:
    if result != 0:
        raise OSError(ctypes.get_errno(), doing)


if __name__ == "__main__":
    main(sys.argv[1])
