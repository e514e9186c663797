"""Where a command's tables are from: this node, a lab, or files.

May import: snapshot, paths, lab, cli.progress.
"""

from __future__ import annotations

from argparse import ArgumentParser, Namespace
from typing import TYPE_CHECKING

from dari.cli.messages import _
from dari.cli.progress import progress

if TYPE_CHECKING:
    from dari.snapshot.model import Snapshot


def add_source(parser: ArgumentParser) -> None:
    """Declare `--lab` and `--from`."""
    where = parser.add_mutually_exclusive_group()
    where.add_argument("--lab", metavar="NAME", help=_("all machines and pods of this lab"))
    where.add_argument(
        "--from",
        dest="files",
        nargs="+",
        metavar="FILE",
        help=_("files that `dari snapshot` wrote"),
    )


def take(arguments: Namespace, connections: int = 0) -> Snapshot:
    """The snapshot that the options ask for.

    Args:
        connections: how many of each living place's to read; `ALL` for all.

    Raises:
        DariError: there is no such lab or file, or it cannot be read.
    """
    if arguments.files:
        from dari.snapshot.files import load

        return load(arguments.files)
    return take_living(arguments.lab, connections)


def take_living(lab: str | None, connections: int = 0) -> Snapshot:
    """A snapshot of a lab, or of this node and its pods.

    Args:
        connections: how many of each place's to read; `ALL` for all.

    Raises:
        DariError: there is no such lab, or not even this node's links can be read.
    """
    if lab is not None:
        from dari.cli.lab import living
        from dari.lab.survey import survey

        with progress() as tell:
            return survey(living(lab), connections=connections, tell=tell)
    from dari.paths import Paths
    from dari.snapshot.model import Snapshot
    from dari.snapshot.node import read_machine

    with progress() as tell:
        return Snapshot(machines=(read_machine(Paths(), connections=connections, tell=tell),))
