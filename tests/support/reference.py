"""Runs the reference plugins (Debian's containernetworking-plugins) as witnesses.

They are started as a container runtime would: `CNI_*` variables, the
configuration on stdin, the answer on stdout. The process is born in the calling
thread's namespaces, so a kernel test's plugins work on that test's own node.
"""

from __future__ import annotations

import json
import os
import subprocess

REFERENCE_FOLDER = "/usr/lib/cni"


def run_reference(
    plugin: str,
    command: str,
    conf: dict[str, object],
    *,
    container_id: str,
    ifname: str,
    netns: str,
    args: str = "",
    path: str = REFERENCE_FOLDER,
) -> tuple[int, dict[str, object]]:
    """Run one reference plugin once.

    Args:
        plugin: the executable's name, such as ``host-local``.
        command: a CNI verb, such as ``ADD``.
        conf: the network configuration, encoded onto stdin.
        container_id: ``CNI_CONTAINERID``.
        ifname: ``CNI_IFNAME``.
        netns: ``CNI_NETNS``, a path; empty for a DEL without one.
        args: ``CNI_ARGS``, such as ``IP=10.22.0.9;IgnoreUnknown=1``.
        path: the folder of the executable, also given as ``CNI_PATH``.

    Returns:
        The exit status, and the decoded answer: a result, an error, or empty
        where the plugin printed nothing (as after a DEL).
    """
    environment = {
        "PATH": os.environ.get("PATH", "/usr/sbin:/usr/bin:/sbin:/bin"),
        "CNI_COMMAND": command,
        "CNI_CONTAINERID": container_id,
        "CNI_IFNAME": ifname,
        "CNI_NETNS": netns,
        "CNI_ARGS": args,
        "CNI_PATH": path,
    }
    finished = subprocess.run(
        [f"{path}/{plugin}"],
        input=json.dumps(conf).encode(),
        env=environment,
        capture_output=True,
        timeout=120,
    )
    answer = json.loads(finished.stdout) if finished.stdout.strip() else {}
    return finished.returncode, answer
