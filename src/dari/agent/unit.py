"""The systemd unit that keeps the agent running on a machine without Kubernetes.

deploy/systemd/dari-agent.service is this text for a dari in ``/opt/dari``.

May import: errors, files, agent.install.
"""

from __future__ import annotations

import os
import sys

from dari.agent.install import OWN_NAME
from dari.agent.messages import _
from dari.errors import BadConfig
from dari.files import read_bounded, remove, write_whole

FOLDER = "/etc/systemd/system"
NAME = "dari-agent.service"
MARKER = "# Made by `dari install --systemd`, taken away by `dari uninstall`."
_LARGEST = 1 << 16
CAPABILITIES = ("CAP_NET_ADMIN", "CAP_SYS_ADMIN", "CAP_SYS_PTRACE", "CAP_DAC_OVERRIDE")
_TEXT = """\
{marker}
[Unit]
Description=dari, this node's pod network
# It waits by itself for an address and for the store, however long they take.
After=network.target
Before=kubelet.service
StartLimitIntervalSec=0

[Service]
Type=exec
ExecStart={command} agent
Restart=always
RestartSec=1
# Told to stop, the agent answers what is under way; only what it left is killed then. The
# data path is the kernel's, and stays.
KillMode=mixed
TimeoutStopSec=30
# What is here is of this boot, not of this process: leases and attachments of running
# pods. A restart that removed it would give their addresses to others.
RuntimeDirectory={name}
RuntimeDirectoryMode=0755
RuntimeDirectoryPreserve=yes
OOMScoreAdjust=-900

# Settings, links, routes and rules: NET_ADMIN. Pods' namespaces: SYS_ADMIN, and SYS_PTRACE
# where a runtime names one by a process. BIRD's socket is another user's: DAC_OVERRIDE.
CapabilityBoundingSet={capabilities}
NoNewPrivileges=yes
# Not ProtectKernelTunables: forwarding is a setting that it keeps. Not ProtectSystem=strict,
# which would pin /run/{name} to what it is now: somebody may remove it.
ProtectSystem=full
ReadWritePaths=-/etc/cni -/etc/bird
ExecStartPre=+/bin/mkdir -p /etc/cni/net.d
ProtectHome=read-only
PrivateTmp=yes
ProtectClock=yes
ProtectControlGroups=yes
ProtectHostname=yes
ProtectKernelLogs=yes
ProtectKernelModules=yes
LockPersonality=yes
RestrictNamespaces=net
RestrictRealtime=yes
RestrictSUIDSGID=yes
SystemCallArchitectures=native
RestrictAddressFamilies=AF_UNIX AF_NETLINK AF_INET AF_INET6

[Install]
WantedBy=multi-user.target
"""


def render(interpreter: str) -> str:
    """The unit's text.

    Args:
        interpreter: absolute path of a Python that has dari.

    Raises:
        BadConfig: no unit can name it.
    """
    if not interpreter.startswith("/") or not interpreter.isprintable():
        raise BadConfig(
            _("Python's path {interpreter!r} cannot stand in a systemd unit").format(
                interpreter=interpreter
            )
        )
    escaped = interpreter.replace("\\", "\\\\").replace('"', '\\"').replace("%", "%%")
    quoted = f'"{escaped}"' if " " in escaped or escaped != interpreter else escaped
    return _TEXT.format(
        marker=MARKER,
        command=f"{quoted} -P -m dari",
        name=OWN_NAME,
        capabilities=" ".join(CAPABILITIES),
    )


def write_unit(folder: str = FOLDER) -> str:
    """Write the unit for the Python that runs now; its path.

    Raises:
        BadConfig: as `render`, or somebody else's unit is there.
        IOFailure: it cannot be written.
    """
    path = f"{folder}/{NAME}"
    if os.path.lexists(path) and not _is_ours(path):
        raise BadConfig(
            _("{path} is none of dari's").format(path=path),
            _("move it away, or do without --systemd"),
        )
    write_whole(path, render(sys.executable).encode(), mode=0o644)
    return path


def remove_unit(folder: str = FOLDER) -> tuple[str, ...]:
    """Remove the unit that `write_unit` wrote; in words what was done.

    Raises:
        IOFailure: it cannot be removed.
    """
    path = f"{folder}/{NAME}"
    if not _is_ours(path):
        return ()
    remove(path)
    return (_("removed {path}").format(path=path),)


def _is_ours(path: str) -> bool:
    return (read_bounded(path, _LARGEST) or b"").startswith(MARKER.encode())
