"""`dari uninstall`: takes away what `dari install` put there; with --purge, every trace.

May import: agent, errors, paths.
"""

from __future__ import annotations

import os
import sys
from argparse import ArgumentParser, Namespace
from contextlib import nullcontext
from typing import TYPE_CHECKING

from dari.agent import options
from dari.cli.messages import _
from dari.language import N_

if TYPE_CHECKING:
    from collections.abc import Sequence
    from contextlib import AbstractContextManager

    from dari.agent.config import AgentConfig
    from dari.model import IPNetwork
    from dari.paths import Paths

NAME = "uninstall"
HELP = N_("take dari's executables and configuration away; --purge removes every trace")
_OPTIONS = (
    "conf-dir",
    "node-name",
    "store",
    "store-dir",
    "pod-range",
    "bridge",
    "bird-conf",
    "bird-socket",
)


def configure(parser: ArgumentParser) -> None:
    """Declare the folders and `--purge`."""
    parser.add_argument(
        "--bin-dir",
        default="/opt/cni/bin",
        metavar="FOLDER",
        help=_("where the executables are (/opt/cni/bin)"),
    )
    parser.add_argument(
        "--purge",
        action="store_true",
        help=_("also pods' cables, bridge, routes, nft table, leases and this node's record"),
    )
    options.declare(parser, _OPTIONS)
    parser.epilog = _(
        "Stop the agent first. Forwarding (net.ipv4.ip_forward) is left as it is.\n"
        "\n"
        "examples:\n"
        "  dari uninstall\n"
        "  dari uninstall --purge"
    )


def run(arguments: Namespace) -> int:
    """The configuration first, so that no pod starts without its executable."""
    from dari.agent.install import read_conflist, remove_conflist, remove_executables
    from dari.agent.start import configure as read_configuration
    from dari.agent.unit import remove_unit
    from dari.paths import Paths

    paths = Paths()
    config = read_configuration(arguments, paths, os.uname().nodename)
    with _no_agent(paths):
        ranges = read_conflist(config.conf_dir) or ()
        done = [
            *remove_conflist(config.conf_dir),
            *remove_executables(os.path.abspath(arguments.bin_dir)),
            *remove_unit(),
        ]
        failures = _purge(config, paths, ranges, done) if arguments.purge else ()
    print("\n".join(done or [_("nothing of dari's was there")]))
    for failure in failures:
        print(f"dari: {failure}", file=sys.stderr)
    return 1 if failures else 0


def _no_agent(paths: Paths) -> AbstractContextManager[None]:
    """Hold off the agent, which would put everything back."""
    from dari.agent.lock import only_agent

    return only_agent(paths, _("cannot uninstall")) if os.path.isdir(paths.run) else nullcontext()


def _purge(
    config: AgentConfig, paths: Paths, ranges: Sequence[IPNetwork], done: list[str]
) -> tuple[str, ...]:
    from dari.agent.purge import purge
    from dari.agent.start import open_store
    from dari.wiring.host import Host

    with Host(paths, os.environ) as host:
        purged = purge(config, paths, open_store(config), host, ranges)
    done += purged.done
    return purged.failures
