"""The sweeper takes nothing from a container that starts again while it is at work."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import pytest

from dari.agent import sweep
from dari.agent.sweep import Sweeper
from dari.model import ContainerId, InterfaceName, NetConf, NetworkName, Owner, Request
from dari.paths import Paths
from dari.wiring import records
from dari.wiring.host import Host
from tests.support.isolation import add_namespace
from tests.support.kernel import run

RAW = {"cniVersion": "1.0.0", "name": "mynet", "type": "bridge"}


def remember(container: str, namespace: str, part: str = "") -> None:
    request = Request(
        command="ADD",
        container_id=ContainerId(container),
        ifname=InterfaceName("eth0"),
        netns=namespace,
        args={},
        path=(),
        conf=NetConf(
            cni_version="1.0.0",
            name=NetworkName("mynet"),
            type="bridge",
            raw=RAW,
            ipam={},
            runtime_config={},
            args={},
        ),
    )
    records.remember(Paths(), request, os.stat(namespace).st_ino, part)


class Clearing:
    """Forgets what it is given."""

    def __init__(self, part: str) -> None:
        self._part = part

    def delete(self, request: Request, host: Host) -> None:
        records.forget(host.paths, request.owner, self._part)


class Restarting:
    """While one is being cleared, all containers come back."""

    def __init__(self) -> None:
        self.cleared: list[Owner] = []

    def delete(self, request: Request, host: Host) -> None:
        records.forget(host.paths, request.owner)
        self.cleared.append(request.owner)
        for name in {"c1", "c2"} - {request.container_id}:
            remember(name, add_namespace(f"{name}-again"))


def test_a_container_that_came_back_meanwhile_is_left_alone(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    for name in ("c1", "c2"):
        remember(name, add_namespace(name))
        run("ip", "netns", "del", name)
    runtime = Restarting()
    monkeypatch.setattr(sweep, "plugin", lambda _: runtime)
    cleared, trouble = Sweeper(Paths(), 0, lambda: 1.0).sweep()
    assert trouble == []
    assert [each.owner for each in cleared] == runtime.cleared
    assert len(cleared) == 1
    assert len(list(records.all_attachments(Paths()))) == 1


def test_a_namespace_that_the_agent_cannot_see_is_not_taken_for_one_that_is_gone(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    folder = Path("/run/hidden")
    folder.mkdir()
    for name, part in (("others", "portmap"), ("ours", "portmap"), ("ours", "")):
        namespace = folder / name
        namespace.touch()
        remember(name, str(namespace), part)
    shutil.rmtree(folder)  # as an agent in a container sees it; our cable is gone besides
    monkeypatch.setattr(sweep, "plugin", lambda kind: Clearing(kind.removeprefix("bridge")))
    cleared, trouble = Sweeper(Paths(), 0, lambda: 1.0).sweep()
    assert trouble == []
    assert {(each.owner.container_id, each.part) for each in cleared} == {
        ("ours", ""),
        ("ours", "portmap"),
    }
