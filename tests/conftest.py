"""Tests that change a network run on a node of their own (see support/isolation.py)."""

from __future__ import annotations

import signal
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

from tests.support.chance import EXPLORING
from tests.support.isolation import isolated
from tests.support.order import spread

HERE = Path(__file__).parent
ON_A_NODE_OF_THEIR_OWN = frozenset(
    HERE / name for name in ("kernel", "parity", "runtime", "churn", "fuzz", "store")
)

settings.register_profile(
    "dari",
    deadline=None,
    database=None,
    derandomize=not EXPLORING,
    suppress_health_check=[HealthCheck.too_slow],  # says how busy the machine is
)
settings.load_profile("dari")


def pytest_configure() -> None:
    """Let programs that tests start hear a Ctrl-C also where the whole run is in the background.

    A shell has background jobs ignore SIGINT, which they would pass on.
    """
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Have tests that are marked as long begin first, the longest at the head."""
    seconds = [_seconds(item) for item in items]
    ranked = sorted(zip(seconds, range(len(items)), strict=True), key=lambda each: -each[0])
    long = [items[place] for wait, place in ranked if wait]
    others = [item for wait, item in zip(seconds, items, strict=True) if not wait]
    workers = getattr(config, "workerinput", {}).get("workercount", 1)
    items[:] = spread(long, others, workers)


def _seconds(item: pytest.Item) -> int:
    """What its mark says that it takes, roughly; 0 without a mark."""
    mark = item.get_closest_marker("long")
    return int(mark.args[0]) if mark else 0


@pytest.hookimpl(tryfirst=True)
def pytest_pyfunc_call(pyfuncitem: pytest.Function) -> object:
    """Run such a test's body in a throw-away thread with fresh namespaces.

    Fixtures are set up outside that thread: what needs the namespaces is made
    in the test's body.
    """
    if ON_A_NODE_OF_THEIR_OWN.isdisjoint(pyfuncitem.path.parents):
        return None
    wanted = pyfuncitem._fixtureinfo.argnames
    arguments = {name: pyfuncitem.funcargs[name] for name in wanted}
    isolated(lambda: pyfuncitem.obj(**arguments) or True)
    return True
