"""`dari tables`: the tables of a node or pod, each row with what it is for.

Everything shown is from a snapshot: of this node, of a lab, or of files.

May import: errors, snapshot, tables, cli.source.
"""

from __future__ import annotations

import json
import os
import shutil
import sys
from argparse import ArgumentParser, ArgumentTypeError, Namespace
from collections.abc import Sequence
from typing import TYPE_CHECKING

from dari.cli.messages import _
from dari.cli.source import add_source, take
from dari.errors import BadConfig
from dari.language import N_
from dari.snapshot.model import ALL, SOME
from dari.tables import connections
from dari.tables.facts import MOST_ROWS, Facts
from dari.tables.layout import Style, as_json, render
from dari.tables.registry import TABLES

if TYPE_CHECKING:
    from dari.snapshot.model import Snapshot

NAME = "tables"
HELP = N_("show a node's or pod's tables, each row with what it is for and what is wrong with it")
EXAMPLE = N_("""examples:
  dari tables                                  of this node
  dari tables route arp --pod default/web-1    two of them, of a pod
  dari tables rules --lab lab --node node2     of a node of a lab
  dari tables conntrack --all                  every connection, however many
  dari tables --from node1.json --node node1   of a file that `dari snapshot` wrote""")


def configure(parser: ArgumentParser) -> None:
    """Declare which tables, whose, and `-o json`."""
    parser.add_argument(
        "table",
        nargs="*",
        metavar="TABLE",
        type=_table,
        help=_("{tables}; none: all of them").format(tables=", ".join(TABLES)),
    )
    whose = parser.add_mutually_exclusive_group()
    whose.add_argument("--node", metavar="NAME", help=_("a node's (the first's)"))
    whose.add_argument("--pod", metavar="NAME", help=_("a pod's: its name, or its container's id"))
    add_source(parser)
    parser.add_argument(
        "--all",
        action="store_true",
        help=_("every connection of conntrack, not only {most_rows}").format(most_rows=MOST_ROWS),
    )
    parser.add_argument("-o", "--output", choices=("text", "json"), default="text")
    parser.epilog = _(EXAMPLE)


def _table(name: str) -> str:
    if name not in TABLES:
        raise ArgumentTypeError(
            _("there is no table {name!r}; there are: {tables}").format(
                name=name, tables=", ".join(TABLES)
            )
        )
    return name


def run(arguments: Namespace) -> int:
    """Print the tables asked for."""
    names = arguments.table or list(TABLES)
    snapshot = take(arguments, _connections(names, arguments.all))
    most = 0 if arguments.all else MOST_ROWS
    facts = choose(snapshot, arguments.node, arguments.pod, most)
    tables = [TABLES[name](facts) for name in names]
    if arguments.output == "json":
        print(json.dumps({"tables": [as_json(table) for table in tables]}, indent=1))
        return 0
    terminal = sys.stdout.isatty()
    width = shutil.get_terminal_size().columns if terminal else 0
    style = Style(colour=terminal and "NO_COLOR" not in os.environ)
    print("\n\n".join(render(table, style, width) for table in tables))
    return 0


def _connections(names: Sequence[str], every: bool) -> int:
    """How many connections to read: none where they are not asked for."""
    if connections.NAME not in names:
        return 0
    return ALL if every else SOME


def choose(snapshot: Snapshot, node: str | None, pod: str | None, most: int = MOST_ROWS) -> Facts:
    """The place whose tables are asked for.

    Args:
        most: rows of a table without bounds.

    Raises:
        BadConfig: there is no node or pod of that name.
    """
    if pod is None:
        for machine in snapshot.machines:
            if node in (None, machine.name, machine.host.name):
                return Facts(machine, most=most)
        known = ", ".join(machine.name for machine in snapshot.machines)
        raise BadConfig(
            _("--node {node}: no machine of that name").format(node=node),
            _("there are: {known}").format(known=known),
        )
    for machine in snapshot.machines:
        for one in machine.pods:
            ids = [each.container_id for each in one.attachments]
            if pod in (one.name, one.name.rpartition("/")[2], *ids) and one.place:
                return Facts(machine, one, most)
    known = ", ".join(one.name for machine in snapshot.machines for one in machine.pods[:20])
    raise BadConfig(
        _("--pod {pod}: no pod of that name").format(pod=pod),
        _("there are: {known}").format(known=known),
    )
