"""Each plugin of a chain is killed before each of its changes: what the runtime does then helps.

A runtime answers an ADD that failed with DEL of the whole chain, and a DEL that failed with
another. A pod that stays has the same of everything, and keeps it.
"""

from __future__ import annotations

from collections.abc import Callable

import pytest

from dari.cni.runtime.cache import Attachment
from dari.cni.runtime.chain import Chain
from dari.delegate import PluginFailed
from tests.support.chains import FIVE, NAMES, ONE_CALL, Plugins, chain, pod
from tests.support.deadly import before_change, fatal
from tests.support.executable import install
from tests.support.isolation import add_namespace
from tests.support.snapshot import Snapshot, assert_unchanged, settled

VICTIMS = ("bridge", "portmap", "bandwidth", "firewall", "tuning", "dari")
REWRITTEN = ("/last_reserved_ip.", "/run/dari/owners/")


def plugins_with(victim: str) -> Plugins:
    return ONE_CALL if victim == "dari" else FIVE


def beside_another(victim: str) -> tuple[Chain, Attachment, Snapshot]:
    """A network with a pod that stays, one that is to come and go, and all as it is before."""
    install(names=NAMES)
    network = chain(plugins_with(victim))
    network.add(pod("stays", add_namespace("stays"), 9))
    attachment = pod("c1", add_namespace("c1"))
    network.add(attachment)
    network.delete(attachment)
    return network, attachment, settled()


def killed(verb: str, victim: str, attachment: Attachment, then: Callable[[], object]) -> int:
    """Have the runtime's call end by a kill before the first change, the second, and so on.

    Returns:
        How many changes there are.
    """
    for number in range(100):
        network = chain(
            plugins_with(victim), folders=fatal(victim), environ=before_change(verb, number)
        )
        try:
            network.add(attachment) if verb == "ADD" else network.delete(attachment)
        except PluginFailed as error:
            assert "killed by signal 9" in error.message, error.message
        else:
            return number
        then()
    raise AssertionError(f"{victim} makes too many changes")


@pytest.mark.long(10)
@pytest.mark.parametrize("victim", VICTIMS)
def test_an_add_that_is_killed_anywhere_is_undone_by_the_runtimes_del(victim: str) -> None:
    network, attachment, before = beside_another(victim)
    assert killed("ADD", victim, attachment, lambda: assert_unchanged(before, REWRITTEN)) > 2
    network.delete(attachment)
    assert_unchanged(before, REWRITTEN)


@pytest.mark.long(10)
@pytest.mark.parametrize("victim", VICTIMS)
def test_a_del_that_is_killed_anywhere_is_finished_by_the_next(victim: str) -> None:
    network, attachment, before = beside_another(victim)
    network.add(attachment)

    def finish_and_come_again() -> None:
        network.delete(attachment)
        assert_unchanged(before, REWRITTEN)
        network.add(attachment)

    assert killed("DEL", victim, attachment, finish_and_come_again) > 1
    assert_unchanged(before, REWRITTEN)
