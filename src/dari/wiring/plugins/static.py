"""Type `static`: the addresses that its configuration names, for any program's plugin.

May import: wiring.
"""

from __future__ import annotations

from dari.wiring.addresses import StaticSource

TYPE_CHECKING = False
if TYPE_CHECKING:
    from dari.model import Request, Result
    from dari.wiring.host import Host


class StaticPlugin:
    """Hands each verb to the source of static addresses."""

    def add(self, request: Request, host: Host) -> Result:
        return StaticSource().add(request)

    def delete(self, request: Request, host: Host) -> None:
        StaticSource().delete(request)

    def check(self, request: Request, host: Host) -> None:
        StaticSource().check(request)

    def collect(self, request: Request, host: Host) -> None:
        StaticSource().collect(request)

    def status(self, request: Request, host: Host) -> None:
        StaticSource().status(request)


PLUGIN = StaticPlugin()
