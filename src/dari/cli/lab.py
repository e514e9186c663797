"""`dari lab`: a cluster on one machine, out of namespaces.

May import: errors, lab, tables.layout, cli.lab_faults.
"""

from __future__ import annotations

import json
import os
import sys
import time
from argparse import REMAINDER, ArgumentParser, Namespace, RawDescriptionHelpFormatter
from collections.abc import Callable
from typing import TYPE_CHECKING

from dari.cli import lab_faults
from dari.cli.messages import _
from dari.errors import DariError
from dari.lab.state import Records, State, base_folder
from dari.lab.topology import BACKENDS, STORES, Options
from dari.language import N_
from dari.tables.layout import Style

if TYPE_CHECKING:
    from dari.lab.faults.desk import Desk

NAME = "lab"
HELP = N_("a cluster on this one machine: nodes and pods in namespaces")
EXAMPLE = N_("""examples:
  dari lab up --nodes 3 --pods 2
  dari lab exec pod-1-1 -- ping pod-3-2
  dari lab exec node1 -- dari tables
  dari lab break --secret; dari lab hint; dari lab check
  dari lab down
  dari lab demo --ipv6

Root needs nothing more; an ordinary user needs user namespaces. Either way the lab
has no connection to this machine's own network.""")


def configure(parser: ArgumentParser) -> None:
    """Declare the verbs and their options."""
    parser.epilog = _(EXAMPLE)
    verbs = parser.add_subparsers(dest="verb", metavar="VERB", required=True)

    def verb(name: str, text: str, run: Callable[[Namespace], int], example: str) -> ArgumentParser:
        added = verbs.add_parser(
            name,
            help=text,
            description=text,
            epilog=_("example:\n  {command}").format(command=example),
            formatter_class=RawDescriptionHelpFormatter,
            allow_abbrev=False,
        )
        added.set_defaults(run_verb=run)
        return added

    up = verb("up", _("build a lab"), _up, "dari lab up --nodes 3 --pods 2 --ipv6")
    _add_name(up)
    _add_size(up)
    _add_output(up)
    status = verb("status", _("show a lab"), _status, "dari lab status -o json")
    _add_name(status)
    _add_output(status)
    enter = verb(
        "exec", _("run a command in a machine or pod"), _exec, "dari lab exec pod-1-1 -- ip address"
    )
    _add_name(enter)
    enter.add_argument("target", help=_("node1, pod-1-1, outside, router, etcd or switch"))
    enter.add_argument("command", nargs=REMAINDER, metavar="-- COMMAND", help=_("a shell, if none"))
    _add_name(verb("down", _("end a lab and clear what is left of it"), _down, "dari lab down"))
    for parser in lab_faults.configure(verb, _desk):
        _add_name(parser)
    demo = verb(
        "demo",
        _("build a lab, reach every pod from every pod, show why it works, end it"),
        _demo,
        "dari lab demo --ipv6",
    )
    _add_size(demo)


def run(arguments: Namespace) -> int:
    """Run the verb asked for."""
    verb: Callable[[Namespace], int] = arguments.run_verb
    return verb(arguments)


def _add_name(parser: ArgumentParser) -> None:
    parser.add_argument("--name", default="lab", help=_("which lab (%(default)s)"))


def _add_size(parser: ArgumentParser) -> None:
    parser.add_argument(
        "--nodes", type=int, default=3, metavar="N", help=_("machines (%(default)s)")
    )
    parser.add_argument(
        "--pods", type=int, default=2, metavar="N", help=_("pods on each node (%(default)s)")
    )
    parser.add_argument("--ipv6", action="store_true", help=_("IPv6 as well as IPv4"))
    parser.add_argument(
        "--routed", action="store_true", help=_("nodes on two segments, with a router between")
    )
    parser.add_argument(
        "--backend",
        choices=BACKENDS,
        default=BACKENDS[0],
        help=_("how nodes reach each other's pods (%(default)s)"),
    )
    parser.add_argument(
        "--store",
        choices=STORES,
        default=STORES[0],
        help=_(
            "where nodes' records are: a folder, or an etcd on a machine of its own (%(default)s)"
        ),
    )


def _add_output(parser: ArgumentParser) -> None:
    parser.add_argument("-o", "--output", choices=("text", "json"), default="text")


def _up(arguments: Namespace) -> int:
    from dari.lab.build import up
    from dari.lab.interrupts import end_tidily

    began = time.monotonic()

    def say(text: str) -> None:
        print(f"{time.monotonic() - began:5.1f} s  {text}", file=sys.stderr, flush=True)

    end_tidily()
    state = up(_options(arguments, arguments.name), _records(), say)
    _print_status(state, arguments.output)
    return 0


def _status(arguments: Namespace) -> int:
    """Exit status 1 where an agent is not ready, or a pod has no address."""
    return 0 if _print_status(living(arguments.name), arguments.output) else 1


def _print_status(state: State, output: str) -> bool:
    from dari.lab import show
    from dari.lab.look import look

    seen = look(state)
    if output == "json":
        print(json.dumps(show.as_json(seen), indent=1))
    else:
        print(show.as_text(seen, _style()))
    return show.is_whole(seen)


def _exec(arguments: Namespace) -> int:
    from dari.lab.enter import enter

    words = arguments.command
    if words[:1] == ["--"]:
        words = words[1:]
    state = living(arguments.name)
    enter(state, arguments.target, words or [os.environ.get("SHELL", "/bin/sh")], os.environ)


def _down(arguments: Namespace) -> int:
    from dari.lab.remove import down

    found = down(arguments.name, _records())
    print(
        _("lab {name!r} is down").format(name=arguments.name)
        if found
        else _("there is no lab {name!r}").format(name=arguments.name)
    )
    return 0


def _desk(name: str) -> Desk:
    from dari.lab.faults.desk import Desk

    return Desk(_records(), living(name))


def _demo(arguments: Namespace) -> int:
    from dari.lab.demo import demo
    from dari.lab.interrupts import end_tidily

    end_tidily()
    return 0 if demo(_options(arguments, f"demo-{os.getpid()}"), _records(), _style()) else 1


def _options(arguments: Namespace, name: str) -> Options:
    return Options(
        name=name,
        nodes=arguments.nodes,
        pods=arguments.pods,
        ipv6=arguments.ipv6,
        routed=arguments.routed,
        backend=arguments.backend,
        store=arguments.store,
    )


def _records() -> Records:
    return Records(base_folder(os.environ, os.geteuid()))


def living(name: str) -> State:
    """A lab that is up.

    Raises:
        DariError: there is none of that name.
    """
    state = _records().read(name)
    if state is None or not state.ready:
        others = [other for other in _records().living() if other != name]
        raise DariError(
            _("lab {name!r} is not up").format(name=name),
            _("there are: {others}").format(others=", ".join(others))
            if others
            else _("`dari lab up` builds one"),
        )
    return state


def _style() -> Style:
    return Style(colour=sys.stdout.isatty() and "NO_COLOR" not in os.environ)
