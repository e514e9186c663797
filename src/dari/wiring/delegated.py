"""Addresses from a foreign IPAM executable, found on CNI_PATH and called as SPEC.md says.

Source: CNI SPEC.md 1.1.0, section 4, "Plugin Delegation".
May import: delegate, model, wiring.host.
"""

from __future__ import annotations

from dari import delegate

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping

    from dari.model import Request, Result
    from dari.wiring.host import Host


class DelegatedSource:
    """Hands each verb to the executable, with the whole configuration.

    Args:
        kind: the executable's name, `ipam.type`.
        host: the node, whose environment the executable inherits.
    """

    may_wait = False  # its errors are for the DEL to report

    def __init__(self, kind: str, host: Host) -> None:
        self._kind = kind
        self._host = host

    def add(self, request: Request) -> Result:
        return delegate.add(self._kind, request.conf.raw, self._environ(request))

    def delete(self, request: Request) -> None:
        self._call("DEL", request)

    def check(self, request: Request) -> None:
        self._call("CHECK", request)

    def collect(self, request: Request) -> None:
        self._call("GC", request)

    def status(self, request: Request) -> None:
        self._call("STATUS", request)

    def _call(self, command: str, request: Request) -> None:
        environ = {**self._environ(request), "CNI_COMMAND": command}
        delegate.call(self._kind, request.conf.raw, environ)

    def _environ(self, request: Request) -> Mapping[str, str]:
        return {
            **self._host.environ,
            "CNI_CONTAINERID": request.container_id,
            "CNI_IFNAME": request.ifname,
            "CNI_NETNS": request.netns,
            "CNI_ARGS": ";".join(f"{key}={value}" for key, value in request.args.items()),
            "CNI_PATH": ":".join(request.path),
        }
