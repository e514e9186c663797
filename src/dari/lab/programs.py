"""How a lab runs this very dari, and other programs, in its machines.

Whichever way dari was started (installed, or from a checkout by PYTHONPATH), the
same code runs inside: the path to it is handed on, made absolute.

May import: dari, and within lab: messages, folders.
"""

from __future__ import annotations

import os
import shlex
import sys
from collections.abc import Mapping, Sequence

import dari
from dari.errors import BadConfig
from dari.lab.folders import OWN, SHARED
from dari.lab.messages import _

SYSTEM_FOLDERS = ("/usr/local/sbin", "/usr/local/bin", "/usr/sbin", "/usr/bin", "/sbin", "/bin")
LAUNCHERS = f"{SHARED}/bin"


def python(module: str, words: Sequence[str] = ()) -> list[str]:
    """The command that runs a module of this dari; it needs `environment`.

    -P keeps the current folder out of the module path.
    """
    return [sys.executable, "-P", "-m", module, *words]


def environment(environ: Mapping[str, str]) -> dict[str, str]:
    """The caller's environment, with this dari, and programs that root needs, to be found.

    An ordinary user's PATH often lacks the folders with `ip` and `nft`.
    """
    folders = [LAUNCHERS, *environ.get("PATH", "").split(":"), *SYSTEM_FOLDERS]
    modules = [os.path.abspath(path) for path in environ.get("PYTHONPATH", "").split(":") if path]
    source = _source()
    if os.path.basename(source) not in ("site-packages", "dist-packages"):
        modules.append(source)
    found = {**environ, "PATH": ":".join(dict.fromkeys(filter(None, folders)))}
    if modules:
        found["PYTHONPATH"] = ":".join(dict.fromkeys(modules))
    return found


def launcher(environ: Mapping[str, str]) -> str:
    """A shell script that is the command `dari` in every machine and pod."""
    path = environment(environ).get("PYTHONPATH", "")
    words = " ".join(map(shlex.quote, python("dari")))
    setting = f"PYTHONPATH={shlex.quote(path)} " if path else ""
    return f'#!/bin/sh\n{setting}exec {words} "$@"\n'


def refuse_hidden() -> None:
    """Make sure that machines will see this dari and its Python.

    Raises:
        BadConfig: one of them is in a folder that every machine has of its own.
    """
    for path in (sys.executable, _source()):
        for folder in OWN:
            if os.path.realpath(path).startswith(f"{folder}/"):
                raise BadConfig(
                    _(
                        "{path} is below {folder}, which every machine of a lab has of its own"
                    ).format(path=path, folder=folder),
                    _("install dari somewhere else, such as in your home folder"),
                )


def _source() -> str:
    """The folder that holds the package `dari`."""
    (package,) = dari.__path__
    return os.path.dirname(os.path.abspath(package))
