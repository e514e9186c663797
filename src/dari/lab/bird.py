"""A real BIRD on each machine of a lab whose backend is BGP.

What is written here is what a machine's owner writes once: on a node, the kernel's
part and where dari's is; on the router, all of it. The router has an AS of its own
and talks with every node; it learns each node's range and tells the others. No
route is written anywhere.

May import: errors, and within lab: messages, topology.
"""

from __future__ import annotations

import os
import shutil
import subprocess

from dari.errors import DariError
from dari.lab.messages import _
from dari.lab.topology import Machine, Topology

FOLDER = "/run/bird"
PART = f"{FOLDER}/dari.conf"
NODES_AS, ROUTERS_AS = 64512, 65000
_CONF, _SOCKET, _PID, _LOG = (f"{FOLDER}/bird{tail}" for tail in (".conf", ".ctl", ".pid", ".log"))

_HEAD = """\
router id {router_id};
protocol device {{ scan time 5; }}
protocol kernel {{ scan time 5; ipv4 {{ import none; export where source = RTS_BGP; }}; }}
protocol kernel {{ scan time 5; ipv6 {{ import none; export where source = RTS_BGP; }}; }}
"""
_SESSION = """\
protocol bgp {name}_{version} {{
  local as {own};
  neighbor {address} as {theirs};
  direct;
  connect delay time 1;
  connect retry time 5;
  error wait time 1, 10;
  ipv{version} {{ import all; export where source = RTS_BGP; next hop self; }};
}}
"""


def settings(topology: Topology, one: Machine) -> dict[str, object]:
    """What a node's agent is told: its router, or nothing where all peer with all."""
    routed = any(each.kind == "router" for each in topology.machines)
    peers = [f"{gateway}@{ROUTERS_AS}" for gateway in one.gateways] if routed else []
    return {"bird-conf": PART, "bgp-as": NODES_AS, "bgp-peer": peers}


def configuration(topology: Topology, one: Machine) -> str:
    """The text of ``bird.conf`` on a machine."""
    head = _HEAD.format(router_id=one.addresses[0])
    if one.kind == "node":
        return f'{head}include "dari*.conf";\n'
    sessions = [
        _SESSION.format(
            name=node.name,
            version=address.version,
            own=ROUTERS_AS,
            theirs=NODES_AS,
            address=address,
        )
        for node in topology.nodes
        for address in node.addresses
    ]
    return head + "".join(sessions)


def start(topology: Topology, one: Machine) -> None:
    """Run it on this machine; its log is beside its configuration.

    Raises:
        DariError: it is not installed.
    """
    program = shutil.which("bird")
    if program is None:
        raise DariError(
            _("there is no program bird, which the backend bgp needs"),
            _("install it: apt-get install --no-install-recommends bird2"),
        )
    os.makedirs(FOLDER, exist_ok=True)
    with open(_CONF, "w", encoding="utf-8") as stream:
        stream.write(configuration(topology, one))
    with open(_LOG, "ab") as log:
        subprocess.Popen(
            [program, "-f", "-c", _CONF, "-s", _SOCKET, "-P", _PID],
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            start_new_session=True,
        )
