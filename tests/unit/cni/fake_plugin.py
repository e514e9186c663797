"""A plugin that notes what it is asked, and does what the test's host tells it.

`tests.unit.cni.node` puts it into the registry under the type ``fake``.
"""

from __future__ import annotations

from ipaddress import ip_interface

from dari.model import Interface, IPConfig, Request, Result
from tests.unit.cni.node import FakeHost

RESULT = Result(
    interfaces=(Interface(name="eth0", sandbox="/run/netns/web", mtu=1400),),
    ips=(IPConfig(address=ip_interface("10.22.0.5/16"), interface=0),),
)


class FakePlugin:
    """Every verb is a note in the host's `calls`."""

    def add(self, request: Request, host: FakeHost) -> Result:
        host.note("add", request)
        return host.result if host.result is not None else RESULT

    def delete(self, request: Request, host: FakeHost) -> None:
        host.note("delete", request)

    def check(self, request: Request, host: FakeHost) -> None:
        host.note("check", request)

    def collect(self, request: Request, host: FakeHost) -> None:
        host.note("collect", request)

    def status(self, request: Request, host: FakeHost) -> None:
        host.note("status", request)


PLUGIN = FakePlugin()
