"""`dari lab break|check|hint|mend`: a lab to learn in.

May import: lab.
"""

from __future__ import annotations

import random
import sys
from argparse import ArgumentParser, Namespace
from collections.abc import Callable
from typing import TYPE_CHECKING, Protocol

from dari.cli.messages import _
from dari.cli.seconds import seconds_from

if TYPE_CHECKING:
    from dari.lab.faults.desk import Desk
    from dari.lab.faults.exercise import Exercise

_WAIT = 10.0  # seconds


class AddVerb(Protocol):
    """How `dari lab` declares a verb."""

    def __call__(
        self, name: str, text: str, run: Callable[[Namespace], int], example: str
    ) -> ArgumentParser:
        """Its parser."""


def configure(verb: AddVerb, desk: Callable[[str], Desk]) -> list[ArgumentParser]:
    """Declare the verbs; their parsers.

    Args:
        desk: opens the exercises of the lab of a name.
    """

    def having(run: Callable[[Namespace, Desk], int]) -> Callable[[Namespace], int]:
        return lambda arguments: run(arguments, desk(arguments.name))

    breaking = verb(
        "break",
        _("break something in a lab, as an exercise"),
        having(_break),
        "dari lab break route-missing --on node1\n  dari lab break --secret\n"
        "  dari lab break --list",
    )
    breaking.add_argument("fault", nargs="?", default="", metavar="FAULT", help=_("any, if none"))
    breaking.add_argument("--secret", action="store_true", help=_("do not tell what it is"))
    breaking.add_argument(
        "--level",
        type=int,
        choices=(1, 2, 3),
        help=_("how hard to find, where it is left to chance"),
    )
    breaking.add_argument("--seed", type=int, metavar="N", help=_("of what is left to chance"))
    breaking.add_argument("--on", default="", metavar="NODE|POD", help=_("where"))
    breaking.add_argument("--list", action="store_true", help=_("print all faults"))
    checking = verb(
        "check", _("tell whether what was broken is mended"), having(_check), "dari lab check"
    )
    checking.add_argument(
        "--wait",
        type=seconds_from(0),
        default=_WAIT,
        metavar="SECONDS",
        help=_("look again for so long at what is wrong (default: {seconds:g})").format(
            seconds=_WAIT
        ),
    )
    hinting = verb("hint", _("give the next hint"), having(_hint), "dari lab hint")
    mending = verb("mend", _("take back what was broken"), having(_mend), "dari lab mend")
    for parser in (checking, hinting, mending):
        parser.add_argument("fault", nargs="?", default="", metavar="FAULT", help=_("all, if none"))
    return [breaking, checking, hinting, mending]


def _break(arguments: Namespace, desk: Desk) -> int:
    from dari.lab.faults import story
    from dari.lab.faults.catalogue import FAULTS

    if arguments.list:
        print("\n".join(story.table(FAULTS.values(), desk.possible())))
        return 0
    exercise = desk.choose(
        arguments.fault, arguments.on, random.Random(arguments.seed), level=arguments.level or 0
    )
    exercise = exercise.replace(secret=arguments.secret)
    print(story.breaking(exercise), file=sys.stderr, flush=True)
    seen = desk.break_(exercise)
    print(story.broken(exercise, seen))
    return 0


def _check(arguments: Namespace, desk: Desk) -> int:
    """Exit status 1 where something is not mended."""
    from dari.lab.faults import story
    from dari.lab.faults.desk import TO_RECOVER

    checked = [desk.check(one, arguments.wait) for one in _meant(arguments, desk)]
    for one in checked:
        print(story.verdict(one))
    if not any(one.wrong for one in checked):
        return 0
    if arguments.wait < TO_RECOVER:
        print(story.patience(TO_RECOVER))
    return 1


def _hint(arguments: Namespace, desk: Desk) -> int:
    from dari.lab.faults import story

    for one in _meant(arguments, desk):
        print(story.hinted(desk.hint(one)))
    return 0


def _mend(arguments: Namespace, desk: Desk) -> int:
    from dari.lab.faults import story

    for one in reversed(_meant(arguments, desk)):
        desk.mend(one)
        print(story.mended(one))
    return 0


def _meant(arguments: Namespace, desk: Desk) -> list[Exercise]:
    """The exercise that was named, or all."""
    return desk.meant(arguments.fault)
