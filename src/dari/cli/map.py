"""`dari map`: the cluster's network as a picture, in a file or as a page on localhost.

A snapshot is taken by another process: whoever enters a lab's namespaces forks, which a
process with a server's threads must not.

May import: errors, files, map, snapshot, cli.source.
"""

from __future__ import annotations

import subprocess
import sys
from argparse import ArgumentParser, ArgumentTypeError, Namespace
from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING

from dari.cli.messages import _
from dari.cli.seconds import seconds_from
from dari.cli.source import add_source
from dari.errors import DariError
from dari.language import N_

if TYPE_CHECKING:
    from dari.map.server import Answer
    from dari.snapshot.model import Snapshot

NAME = "map"
HELP = N_("the cluster's network as a picture: a page on localhost, or SVG for a document")
EXAMPLE = N_("""examples:
  dari map --lab lab                              a page: http://127.0.0.1:8473/
  dari map --lab lab --svg cluster.svg            a picture for a document
  dari map --from node1.json node2.json           of snapshots (`dari snapshot`)
  dari map --lab lab --svg way.svg --path pod-1-1 pod-2-1""")

_LISTEN = ("127.0.0.1", 8473)


def configure(parser: ArgumentParser) -> None:
    """Declare what is drawn, and where it goes."""
    add_source(parser)
    parser.add_argument("--svg", metavar="FILE", help=_("write one picture to FILE, - for stdout"))
    parser.add_argument("--path", nargs=2, metavar=("SRC", "DST"), help=_("draw a packet's way"))
    parser.add_argument(
        "--listen",
        type=_address,
        default=_LISTEN,
        metavar="HOST:PORT",
        help=_("where the page is served (127.0.0.1:8473); port 0: any free one"),
    )
    parser.add_argument(
        "--every",
        type=seconds_from(0.2),
        default=2.0,
        metavar="SECONDS",
        help=_("how often to look at the least (%(default)s)"),
    )
    parser.epilog = _(EXAMPLE)


def _address(text: str) -> tuple[str, int]:
    host, colon, port = text.rpartition(":")
    if not colon or not port.isdecimal() or int(port) > 65535:
        raise ArgumentTypeError(_("{text!r} is not HOST:PORT").format(text=text))
    return host.strip("[]"), int(port)


def run(arguments: Namespace) -> int:
    """Draw, or serve until Ctrl-C."""
    take = partial(_take, arguments.lab, arguments.files)
    if arguments.svg:
        return _draw(take(), arguments.svg, arguments.path)
    return _serve(take, arguments)


def _take(lab: str | None, files: list[str] | None) -> Snapshot:
    from dari.snapshot.files import from_bytes, load

    if files:
        return load(files)
    words = ["--lab", lab] if lab else []
    done = subprocess.run(
        [sys.executable, "-P", "-m", "dari", "snapshot", *words],
        stdin=subprocess.DEVNULL,
        capture_output=True,
    )
    if done.returncode != 0:
        said = done.stderr.decode(errors="replace").strip()
        first, _newline, rest = said.removeprefix("dari: ").partition("\n")
        raise DariError(first or _("the network could not be looked at"), rest.strip())
    return from_bytes(done.stdout, "dari snapshot")


def _draw(snapshot: Snapshot, file: str, ends: list[str] | None) -> int:
    from dari.explain.walk import walk
    from dari.files import write_whole
    from dari.map.journey import lines
    from dari.map.layout import lay_out
    from dari.map.live import described
    from dari.map.svg import document
    from dari.map.view import picture_of

    picture = picture_of(snapshot)
    drawing = lay_out(picture)
    path = lines(walk(snapshot, ends[0], ends[1]), drawing) if ends else []
    text = document(drawing, *described(picture), path)
    if file == "-":
        print(text, end="")
    else:
        write_whole(file, text.encode())
    return 0


def _serve(take: Callable[[], Snapshot], arguments: Namespace) -> int:
    from dari.map import live
    from dari.map.server import serve

    with live.Watch(take, arguments.every) as watch:
        answers: dict[str, Answer] = {
            "cluster.json": lambda _: live.cluster(watch.latest()),
            "tables.json": lambda asked: live.tables(watch.latest(), asked.get("of", "")),
            "explain.json": lambda asked: live.explained(watch.latest(), asked),
        }
        host, port = arguments.listen
        server = serve(host, port, answers)
        host, port = server.socket.getsockname()[:2]
        print(f"http://{f'[{host}]' if ':' in host else host}:{port}/", flush=True)
        with server:
            server.serve_forever(0.1)
    return 0
