"""`dari explain`: what becomes of a packet from one end to another, hop by hop.

May import: errors, snapshot, explain, tables.layout, lab.
"""

from __future__ import annotations

import json
import os
import sys
from argparse import ArgumentParser, Namespace
from typing import TYPE_CHECKING

from dari.cli.messages import _
from dari.language import N_

if TYPE_CHECKING:
    from dari.explain.journey import Flow, Journey
    from dari.explain.live import Live
    from dari.snapshot.model import Snapshot

NAME = "explain"
HELP = N_("follow a packet through all tables, there and back, and name what stops it")
EXAMPLE = N_("""SRC and DST: a pod (web-1, default/web-1, a container's id), a node, an address,
a name, or `outside`. Exit status 1 where it would not arrive, or not as it should.

examples:
  dari explain pod-1-1 pod-3-2 --lab lab
  dari explain default/web-1 10.244.3.7 --port 80 --proto tcp
  dari explain node1 outside --from node1.json node2.json -o json""")
PORTS = {"tcp": 80, "udp": 53, "icmp": 0}


def configure(parser: ArgumentParser) -> None:
    """Declare the ends, the kind of packet, and where the tables are from."""
    from dari.cli.source import add_source

    parser.add_argument("source", metavar="SRC")
    parser.add_argument("target", metavar="DST")
    parser.add_argument("--proto", choices=tuple(PORTS), help=_("icmp, or tcp with --port"))
    parser.add_argument("--port", type=int, default=0, metavar="P", help=_("that DST listens on"))
    parser.add_argument("-4", dest="version", action="store_const", const=4, help=_("IPv4 only"))
    parser.add_argument("-6", dest="version", action="store_const", const=6, help=_("IPv6 only"))
    parser.add_argument(
        "--live",
        action="store_true",
        help=_("send real packets too, watch where they come by, and say where that differs"),
    )
    parser.add_argument("-o", "--output", choices=("text", "json"), default="text")
    add_source(parser)
    parser.epilog = _(EXAMPLE)


def run(arguments: Namespace) -> int:
    """Print the journey; 1 where it does not work."""
    from dari.cli.source import take
    from dari.explain.live import agrees, lines
    from dari.explain.show import as_text
    from dari.explain.walk import walk
    from dari.tables.layout import Style

    snapshot = take(arguments)
    journey = walk(snapshot, arguments.source, arguments.target, _flow(arguments))
    live = _send(arguments, snapshot, journey) if arguments.live else None
    if arguments.output == "json":
        print(json.dumps({**journey.as_json(), **({"live": live.as_json()} if live else {})}))
    else:
        style = Style(colour=sys.stdout.isatty() and "NO_COLOR" not in os.environ)
        print(as_text(journey, style))
    if live is None:
        return 0 if journey.works else 1
    if arguments.output != "json":
        print("", *lines(journey, live), sep="\n")
    return 0 if journey.works and live.answered and agrees(journey, live) else 1


def _send(arguments: Namespace, snapshot: Snapshot, journey: Journey) -> Live:
    """Really send it, in the lab or from a place of this node."""
    from dari.errors import BadConfig

    if arguments.files:
        raise BadConfig(_("--live: packets are sent in a lab or on this node, not from files"))
    if arguments.lab is not None:
        from dari.cli.lab import living
        from dari.lab.live import send as send_in_lab

        return send_in_lab(living(arguments.lab), journey)
    from dari.explain.live import send

    (machine,) = snapshot.machines
    doors = {pod.name: pod.netns for pod in machine.pods}
    return send(journey, {machine.name: "/proc/self/ns/net", **doors})


def _flow(arguments: Namespace) -> Flow:
    from dari.errors import BadConfig
    from dari.explain.journey import ICMP, TCP, Flow

    protocol = arguments.proto or (TCP if arguments.port else ICMP)
    if not 0 <= arguments.port < 65536:
        raise BadConfig(_("--port {port}: a port is from 1 to 65535").format(port=arguments.port))
    port = arguments.port or PORTS[protocol]
    return Flow(
        protocol=protocol,
        port=0 if protocol == ICMP else port,
        version=arguments.version or 0,
    )
