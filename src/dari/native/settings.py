"""The file beside the native entry: what it asks, how long, and what it falls back to.

The program looks for it in the folder where it really is, behind any link, and
takes it only from root or its own user and if nobody else may write it. Where
there is none it knows the default socket and no fallback. `shim/settings.c`
reads it.

May import: record.
"""

from __future__ import annotations

import os
import sys

from dari.record import Record

FILE_NAME = ".dari.conf"
MODE = 0o644


class Settings(Record):
    """What the file says.

    Attributes:
        socket: the agent's unix socket, an absolute path of at most 107 bytes.
        timeout: seconds for one invocation as a whole, to three decimals, up to 3600.
        python: absolute path of the interpreter to start where no agent
            listens; empty for none.
        package: the folder that holds the package `dari`; empty with `python`.
    """

    socket: str = "/run/dari/agent.sock"
    timeout: float = 30
    python: str = ""
    package: str = ""

    def text(self) -> str:
        """Return the file's content.

        Raises:
            ValueError: a value cannot be a line of it.
        """
        values = {
            "socket": self.socket,
            "timeout": f"{self.timeout:.3f}",
            "python": self.python,
            "package": self.package,
        }
        if any(set("\n\0") & set(value) for value in values.values()):
            raise ValueError(f"no line of {FILE_NAME}: {values}")
        lines = [f"{key}={value}" for key, value in values.items() if value]
        return "\n".join(["# For dari's native entry; written by `dari install`.", *lines, ""])


def this_python() -> tuple[str, str]:
    """Return the running interpreter, outside any virtual environment, and dari's folder.

    The interpreter is started with `-I -S` and needs only the standard
    library, so the one that a virtual environment was made from starts faster.
    """
    base: str = getattr(sys, "_base_executable", None) or sys.executable
    package = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
    return os.path.realpath(base), package
