"""Finds the plugin that a configuration's `type` names.

May import: everything of wiring, lazily: a plugin's modules are read when it is
called, not before.
"""

from __future__ import annotations

import sys

from dari.errors import BadConfig

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Protocol

    from dari.model import Request, Result
    from dari.wiring.host import Host

    class Plugin(Protocol):
        """The five verbs of a plugin that change or look at something."""

        def add(self, request: Request, host: Host) -> Result:
            """Wire the pod; on an error everything done so far is undone."""

        def delete(self, request: Request, host: Host) -> None:
            """Unwire it as far as anything of it is left; repeatable."""

        def check(self, request: Request, host: Host) -> None:
            """Raise CheckFailed where the pod is not as ADD left it."""

        def collect(self, request: Request, host: Host) -> None:
            """GC: remove what belongs to no valid attachment."""

        def status(self, request: Request, host: Host) -> None:
            """Raise NotAvailable where an ADD would fail now."""


MODULES = {
    "bandwidth": "dari.wiring.plugins.bandwidth",
    "bridge": "dari.wiring.plugins.bridge",
    "dari": "dari.wiring.plugins.dari",
    "firewall": "dari.wiring.plugins.firewall",
    "host-local": "dari.wiring.plugins.host_local",
    "loopback": "dari.wiring.plugins.loopback",
    "macvlan": "dari.wiring.plugins.macvlan",
    "portmap": "dari.wiring.plugins.portmap",
    "ptp": "dari.wiring.plugins.ptp",
    "static": "dari.wiring.plugins.static",
    "tuning": "dari.wiring.plugins.tuning",
}


def plugin(type_name: str) -> Plugin:
    """The plugin of that type.

    Raises:
        BadConfig: dari has none of that name.
    """
    if type_name not in MODULES:
        raise BadConfig(f"type: dari has no plugin {type_name!r}", f"it has {', '.join(MODULES)}")
    name = MODULES[type_name]
    __import__(name)  # importlib's function for it costs 1 ms to import
    found: Plugin = sys.modules[name].PLUGIN
    return found
