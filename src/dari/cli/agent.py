"""`dari agent`: keeps this node as the cluster's records say, until it is stopped.

May import: agent, paths.
"""

from __future__ import annotations

import os
import sys
from argparse import ArgumentParser, Namespace

from dari.agent import options
from dari.cli.messages import _
from dari.language import N_

NAME = "agent"
HELP = N_(
    "run this node's agent: routes to the other nodes, masquerading, the runtime's configuration"
)


def configure(parser: ArgumentParser) -> None:
    """Declare the agent's options."""
    options.declare(parser)
    parser.epilog = _(
        "With no options it serves the one machine it is on. Options may also stand in\n"
        '{file}, under the same names: node-address = "192.168.0.1"\n'
        "\n"
        "examples:\n"
        "  dari agent\n"
        "  dari agent --node-name node1 --interface eth1 --cluster-range 10.244.0.0/16\n"
        "  dari agent --role router --store-dir /srv/dari"
    ).format(file=options.DEFAULT_FILE)


def run(arguments: Namespace) -> int:
    """Serve; 0 once it was told to stop."""
    from dari.agent.start import configure as read_configuration
    from dari.agent.start import serve
    from dari.paths import Paths

    paths = Paths()
    serve(read_configuration(arguments, paths, os.uname().nodename), paths, sys.stderr)
    return 0
