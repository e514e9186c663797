"""The command `dari`: finds the module of the command named and runs it.

Each command is a module with `NAME`, `HELP` (one line), `configure(parser)`,
which declares its options and an example in `parser.epilog`, and
`run(arguments)`, which returns the exit status: 0, or 1 for "found wrong". Only
the module asked for is imported, so that no command pays for another's imports.

Exit statuses that this module adds: 1 for a `DariError`, told in one line on
stderr with what to do next below it; 2 for wrong use; 130 for Ctrl-C.

May import: everything, inside the branch that needs it.
"""

from __future__ import annotations

import os
import sys
from argparse import ArgumentParser, Namespace, RawDescriptionHelpFormatter
from collections.abc import Mapping, Sequence
from difflib import get_close_matches
from importlib import import_module
from typing import Protocol, cast

from dari.cli.messages import _
from dari.cli.parsing import speak_of_usage
from dari.errors import DariError
from dari.language import LANGUAGES, OPTION, taken

COMMANDS: Mapping[str, str] = {
    "lab": "dari.cli.lab",
    "add": "dari.cli.add",
    "del": "dari.cli.delete",
    "check": "dari.cli.check",
    "agent": "dari.cli.agent",
    "install": "dari.cli.install",
    "uninstall": "dari.cli.uninstall",
    "status": "dari.cli.status",
    "doctor": "dari.cli.doctor",
    "tables": "dari.cli.tables",
    "map": "dari.cli.map",
    "snapshot": "dari.cli.snapshot",
    "explain": "dari.cli.explain",
    "version": "dari.cli.version",
}

WRONG_USE = 2
INTERRUPTED = 130  # 128 + SIGINT, as a shell reports it


class Command(Protocol):
    """What a command's module offers."""

    NAME: str
    HELP: str

    def configure(self, parser: ArgumentParser) -> None:
        """Declare options; put an example into `parser.epilog`."""

    def run(self, arguments: Namespace) -> int:
        """Do the work and return the exit status."""


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command line and return its exit status.

    Started by a container runtime (`CNI_COMMAND` set, no arguments), it answers
    as the CNI executable does, so that a link to `dari` in a plugin folder works.

    Args:
        argv: the words after the program's name; None means this process's own.
    """
    words = sys.argv[1:] if argv is None else list(argv)
    if not words and "CNI_COMMAND" in os.environ:
        from dari.cni.entry import main as answer_runtime

        return answer_runtime()
    if not words:
        print(overview(), file=sys.stderr)
        return WRONG_USE
    language, rest = taken(words)
    if len(rest) < len(words) and not speak(language):
        wrong = _("{option}: {language!r} is none of {languages}").format(
            option=OPTION, language=language, languages=", ".join(LANGUAGES)
        )
        print(f"dari: {wrong}", file=sys.stderr)
        return WRONG_USE
    words = rest or ["--help"]
    if words[0] in ("-h", "--help", "help"):
        print(overview())
        return 0
    name = "version" if words[0] == "--version" else words[0]
    if name not in COMMANDS:
        print(unknown(name), file=sys.stderr)
        return WRONG_USE
    return run_command(load(name), words[1:])


def speak(language: str) -> bool:
    """Say everything from now on in a language, in programs that this one starts too.

    Returns:
        Whether it is one that dari speaks.
    """
    if language in LANGUAGES:
        os.environ["LANGUAGE"] = language
    return language in LANGUAGES


def load(name: str) -> Command:
    """Import the module of a command in `COMMANDS`."""
    return cast(Command, import_module(COMMANDS[name]))


def run_command(command: Command, words: Sequence[str]) -> int:
    """Parse a command's words and run it; what goes wrong becomes an exit status."""
    speak_of_usage()
    parser = ArgumentParser(
        prog=f"dari {command.NAME}",
        description=_(command.HELP),
        formatter_class=RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    command.configure(parser)
    parser.add_argument(
        OPTION, choices=LANGUAGES, help=_("language of messages (the environment's: LANG)")
    )
    arguments = parser.parse_args(words)
    try:
        status = command.run(arguments)
        sys.stdout.flush()
        return status
    except DariError as error:
        return report(error)
    except KeyboardInterrupt:
        return INTERRUPTED
    except BrokenPipeError:
        return reader_gone()


def report(error: DariError) -> int:
    """Say on stderr what failed and what to do next; return exit status 1."""
    print(f"dari: {error.message}", file=sys.stderr)
    if error.details:
        print(f"  {error.details}", file=sys.stderr)
    return 1


def reader_gone() -> int:
    """Whoever read our output has left (`| head`): end quietly, with status 1.

    Python would flush stdout once more at its end and complain; it gets a
    stdout that takes everything.
    """
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    return 1


def overview() -> str:
    """What `dari --help` prints: every command with its one line."""
    width = max(map(len, COMMANDS))
    lines = [f"  {name:<{width}}  {_(load(name).HELP)}" for name in COMMANDS]
    return "\n".join(
        [
            _("usage: dari COMMAND [OPTIONS]"),
            "",
            _("A Kubernetes pod network: CNI plugins, node agent and a cluster lab."),
            "",
            *lines,
            "",
            _("`dari COMMAND --help` shows a command's options and an example."),
        ]
    )


def unknown(name: str) -> str:
    """What to say to a command that does not exist."""
    near = get_close_matches(name, COMMANDS, n=1)
    hint = _("`dari --help` lists the commands.")
    if near:
        hint = _("did you mean `dari {name}`?").format(name=near[0])
    return "dari: " + _("there is no command {name!r}; {hint}").format(name=name, hint=hint)
