"""What is done first where an agent had this call and was killed over it.

The native entry tells by DARI_RETRY in the environment.

May import: cni.
"""

from __future__ import annotations

import io
import os
import sys

from dari.cni.dispatch import withdraw
from dari.cni.entry import node


def clear(name: str) -> None:
    """Undo what the agent began of this ADD, as it would have done when started again.

    Args:
        name: what the executable was called as.

    Stdin can be read once more afterwards.
    """
    config = sys.stdin.buffer.read()
    withdraw(name, os.environ, config, sys.stderr, node)
    sys.stdin = io.TextIOWrapper(io.BytesIO(config))
