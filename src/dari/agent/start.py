"""From a configuration to a running agent.

May import: errors, paths, store, agent.
"""

from __future__ import annotations

import asyncio
import ctypes
import gc
import os
from argparse import Namespace
from contextlib import suppress
from typing import TextIO

from dari.agent import machine, stores
from dari.agent.config import AgentConfig, read_config
from dari.agent.daemon import Agent
from dari.agent.lock import only_agent
from dari.agent.log import logger_to
from dari.agent.messages import _
from dari.agent.options import gather
from dari.language import LANGUAGES
from dari.paths import Paths
from dari.store.base import Store

_M_ARENA_MAX = -8  # malloc.h


def configure(arguments: Namespace, paths: Paths, host_name: str) -> AgentConfig:
    """Read the agent's configuration: command line, file, defaults.

    Raises:
        BadConfig: an option is wrong; it is named.
    """
    config = read_config(gather(arguments), paths, host_name, os.uname().release)
    return config.replace(host=machine.read_host())


def open_store(config: AgentConfig) -> Store:
    """The store that the configuration names; see `stores.open_store`."""
    return stores.open_store(config, os.environ)


def serve(config: AgentConfig, paths: Paths, stderr: TextIO) -> None:
    """Be this node's agent until SIGTERM or SIGINT.

    Raises:
        AgentRunning: there is one already.
        BadConfig: options of the store do not fit together.
        IOFailure: the run folder or the socket cannot be made.
    """
    share_one_heap()
    log = logger_to(stderr, config.log_level)
    store = open_store(config)
    # What is loaded by now stays. To look through it for garbage, as Python would every so
    # often, takes longer than a pod's start, in the middle of one.
    gc.freeze()
    with only_agent(paths, _("cannot start")):
        os.environ["LANGUAGE"] = LANGUAGES[0]  # of its log and its state, which programs read
        asyncio.run(Agent(config, paths, store, log).run())


def share_one_heap() -> None:
    """Have all threads that start from now on allocate from the first one's heap.

    With one for each, every worker keeps what its largest burst took: two megabytes in all
    with 1,000 pods.
    They gain nothing by it, since Python has them take turns. Another C library than glibc
    has no such option, and nothing happens (mallopt(3)).
    """
    with suppress(AttributeError):
        ctypes.CDLL(None).mallopt(_M_ARENA_MAX, 1)
