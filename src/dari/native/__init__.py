"""The native entry: the small C program that runtimes start for every pod.

Its source is `shim/`; `build` compiles it, `settings` writes the file that it
reads beside itself, and `launch` is what it becomes where no agent listens.

May import: record; `launch` cni.
"""

from __future__ import annotations

import os

NAME = "dari-entry"


def entry_path() -> str | None:
    """Return where the built program is, or None where it was not built."""
    path = os.path.join(os.path.dirname(os.path.abspath(__file__)), NAME)
    return path if os.access(path, os.X_OK) else None
