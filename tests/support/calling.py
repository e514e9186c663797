"""Plugins called in this process, each by its configuration's `type`, below the protocol's edge."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING

from dari.model import Result
from dari.paths import Paths
from dari.wiring.host import Host
from dari.wiring.registry import plugin
from tests.support.calls import call
from tests.support.isolation import add_namespace

if TYPE_CHECKING:
    from dari.wiring.registry import Plugin

Conf = dict[str, object]
_METHODS = {"ADD": "add", "CHECK": "check", "DEL": "delete"}


def host() -> Host:
    """This node."""
    return Host(Paths(), os.environ)


def add(
    conf: Conf,
    container: str = "c1",
    previous: Result | None = None,
    netns: str | None = None,
    args: dict[str, str] | None = None,
) -> Result:
    """ADD; the container's namespace is made where there is none.

    Args:
        conf: the plugin's configuration.
        container: whose namespace bears its name, unless `netns` is given.
        previous: the result of the plugin before it.
        netns: the namespace's path.
        args: of CNI_ARGS.
    """
    if netns is None and not os.path.exists(_path(container, None)):
        add_namespace(container)
    return verb("ADD", conf, previous, container, netns, args)


def delete(conf: Conf, container: str = "c1", netns: str | None = None) -> None:
    """DEL, without prevResult."""
    verb("DEL", conf, None, container, netns)


def check(conf: Conf, result: Result | None, container: str = "c1") -> None:
    """CHECK against a result."""
    verb("CHECK", conf, result, container)


def verb(
    name: str,
    conf: Conf,
    previous: Result | None = None,
    container: str = "c1",
    netns: str | None = None,
    args: dict[str, str] | None = None,
) -> Result:
    """ADD, CHECK or DEL; an empty result of the last two. For the rest see `add`."""
    path = _path(container, netns)
    request = call(name, conf, container, path, previous=previous, args=args)
    with host() as node:
        done: Callable[..., Result | None] = getattr(_plugin(conf), _METHODS[name])
        return done(request, node) or Result()


def collect(conf: Conf, valid: Iterable[str]) -> None:
    """GC of all but these containers."""
    with host() as node:
        _plugin(conf).collect(call("GC", conf, valid=valid), node)


def status(conf: Conf) -> None:
    """STATUS."""
    with host() as node:
        _plugin(conf).status(call("STATUS", conf), node)


def _plugin(conf: Conf) -> Plugin:
    return plugin(str(conf["type"]))


def _path(container: str, netns: str | None) -> str:
    return f"/run/netns/{container}" if netns is None else netns
