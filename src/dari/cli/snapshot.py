"""`dari snapshot`: what this node's network is like, as a file that can be looked at anywhere.

May import: files, snapshot, cli.source.
"""

from __future__ import annotations

from argparse import ArgumentParser, Namespace

from dari.cli.messages import _
from dari.language import N_
from dari.snapshot.model import ALL, SOME

NAME = "snapshot"
HELP = N_("write down all tables, rules and records of this node, for explain, tables and doctor")
EXAMPLE = N_("""examples:
  dari snapshot -o node1.json       of this node and its pods (root)
  dari snapshot --lab lab           of a whole lab, to standard output
  dari explain 10.244.1.2 10.244.2.3 --from node1.json node2.json""")


def configure(parser: ArgumentParser) -> None:
    """Declare where from and where to."""
    parser.add_argument("--lab", metavar="NAME", help=_("all machines and pods of this lab"))
    parser.add_argument("-o", "--output", metavar="FILE", help=_("write to FILE (standard output)"))
    parser.add_argument(
        "--all-connections",
        action="store_true",
        help=_("all that the kernel tracks, not only {some} of each node and pod").format(
            some=SOME
        ),
    )
    parser.epilog = _(EXAMPLE)


def run(arguments: Namespace) -> int:
    """Take a snapshot and write it."""
    from dari.cli.source import take_living
    from dari.files import write_whole
    from dari.snapshot.files import as_text

    connections = ALL if arguments.all_connections else SOME
    text = as_text(take_living(arguments.lab, connections))
    if arguments.output:
        write_whole(arguments.output, text.encode())
    else:
        print(text)
    return 0
