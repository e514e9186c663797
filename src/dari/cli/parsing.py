"""What argparse says by itself, in the reader's language.

argparse looks its words up in gettext's domain of the process, which is where a program's
translations of them belong (Python's documentation, "gettext", and argparse's source).

May import: language.
"""

from __future__ import annotations

import gettext

from dari.language import FOLDER, N_

DOMAIN = "cli"
WORDS = (
    N_("usage: "),
    N_("options"),
    N_("positional arguments"),
    N_("show this help message and exit"),
    N_("%(prog)s: error: %(message)s\n"),
    N_("argument %(argument_name)s: %(message)s"),
    N_("unrecognized arguments: %s"),
    N_("expected one argument"),
    N_("expected at least one argument"),
    N_("expected at most one argument"),
    N_("invalid %(type)s value: %(value)r"),
    N_("invalid choice: %(value)r (choose from %(choices)s)"),
    N_("the following arguments are required: %s"),
    N_("not allowed with argument %s"),
    N_("one of the arguments %s is required"),
    N_("ignored explicit argument %r"),
    N_("ambiguous option: %(option)s could match %(matches)s"),
)
"""Those that a command line of dari's can bring about."""


def speak_of_usage() -> None:
    """Have argparse use dari's catalogue; the language is the environment's."""
    gettext.bindtextdomain(DOMAIN, FOLDER)
    gettext.textdomain(DOMAIN)
