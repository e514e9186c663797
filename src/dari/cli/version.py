"""`dari version`: which dari this is, and which CNI versions it speaks.

May import: dari, cni.
"""

from __future__ import annotations

import json
from argparse import ArgumentParser, Namespace

from dari import __version__
from dari.cli.messages import _
from dari.language import N_

NAME = "version"
HELP = N_("print dari's version and the CNI versions it speaks")


def configure(parser: ArgumentParser) -> None:
    """Declare `-o json`."""
    parser.add_argument("-o", "--output", choices=("text", "json"), default="text")
    parser.epilog = _("example:\n  dari version -o json")


def run(arguments: Namespace) -> int:
    """Print the versions."""
    from dari.result import SUPPORTED

    if arguments.output == "json":
        print(json.dumps({"version": __version__, "cniVersions": list(SUPPORTED)}))
    else:
        print(f"dari {__version__}")
        print(_("CNI versions: {supported}").format(supported=", ".join(SUPPORTED)))
    return 0
