"""`dari doctor`: what is wrong with this node, or with a cluster, and what mends it.

May import: errors, paths, doctor, lab, snapshot, tables.layout, cli.progress.
"""

from __future__ import annotations

import json
import os
import sys
from argparse import ArgumentParser, Namespace
from typing import TYPE_CHECKING

from dari.cli.messages import _
from dari.cli.progress import JUDGING, progress
from dari.doctor.table import ROLES
from dari.language import N_

if TYPE_CHECKING:
    from dari.doctor.report import Report
    from dari.snapshot.model import Snapshot
    from dari.snapshot.steps import Tell

NAME = "doctor"
HELP = N_("check this node, or all of a cluster: what is wrong, why it matters, what mends it")
EXAMPLE = N_("""Nothing is changed. Exit status: 0 when nothing was found wrong, 1 otherwise.

examples:
  dari doctor                           this node (root)
  dari doctor --cluster                 and packets to every node that has a record
  dari doctor --role control-plane      as a control-plane node, whatever runs
  dari doctor --lab lab                 all nodes of a lab
  dari doctor --from node1.json node2.json""")


def configure(parser: ArgumentParser) -> None:
    """Declare what is checked, and how it is told."""
    what = parser.add_mutually_exclusive_group()
    what.add_argument(
        "--cluster",
        action="store_true",
        help=_("try every peer by its record, not only the next few"),
    )
    what.add_argument("--lab", metavar="NAME", help=_("all machines and pods of this lab"))
    what.add_argument(
        "--from", dest="files", nargs="+", metavar="FILE", help=_("snapshots, one of each node")
    )
    parser.add_argument(
        "--role",
        action="append",
        choices=ROLES,
        default=[],
        help=_("of Kubernetes, that the node has or will have (found out by what runs)"),
    )
    parser.add_argument(
        "--no-probe",
        dest="probe",
        action="store_false",
        help=_(
            "send nothing: no pings to peers, none through tunnels, no connections to kubelets "
            "and to the API server"
        ),
    )
    parser.add_argument(
        "--notes", action="store_true", help=_("tell the information of many nodes too")
    )
    parser.add_argument("-o", "--output", choices=("text", "json"), default="text")
    parser.epilog = _(EXAMPLE)


def run(arguments: Namespace) -> int:
    """Check, and tell what was found."""
    from dari.doctor.checks import examine

    with progress() as tell:
        snapshot = _take(arguments, tell)
        tell(JUDGING, 0, 0)
        report = examine(snapshot, arguments.role)
    _print(report, arguments)
    return 1 if report.findings else 0


def _print(report: Report, arguments: Namespace) -> None:
    if arguments.output == "json":
        print(json.dumps(report.as_json(), indent=1, ensure_ascii=False))
        return
    from dari.doctor.layout import render
    from dari.tables.layout import Style

    style = Style(colour=sys.stdout.isatty() and "NO_COLOR" not in os.environ)
    print(render(report, style, notes=arguments.notes or len(report.machines) == 1))


def _peers(arguments: Namespace) -> int:
    """How many peers each node sends packets to."""
    from dari.snapshot.probes import FEW_PEERS, MOST_PEERS

    if not arguments.probe:
        return 0
    return MOST_PEERS if arguments.cluster else FEW_PEERS


def _take(arguments: Namespace, tell: Tell) -> Snapshot:
    if arguments.files:
        from dari.snapshot.files import load

        return load(arguments.files)
    peers = _peers(arguments)
    if arguments.lab is not None:
        from dari.cli.lab import living
        from dari.lab.survey import survey

        return survey(living(arguments.lab), thorough=True, probing=peers, tell=tell)
    from dari.paths import Paths
    from dari.snapshot.model import Snapshot
    from dari.snapshot.node import read_machine

    return Snapshot(machines=(read_machine(Paths(), thorough=True, probing=peers, tell=tell),))
