"""Builds the requests that a runtime would send, for tests of what lies below the edge."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

from dari.model import (
    ContainerId,
    InterfaceName,
    NetConf,
    NetworkName,
    Owner,
    Request,
    Result,
)
from dari.result import encode_result

if TYPE_CHECKING:
    from dari.model import Json

NOTES_CONF: dict[str, object] = {
    "cniVersion": "1.1.0",
    "name": "mynet",
    "type": "bridge",
    "bridge": "cni0",
    "isGateway": True,
    "ipMasq": True,
    "ipam": {
        "type": "host-local",
        "subnet": "10.22.0.0/16",
        "routes": [{"dst": "0.0.0.0/0"}],
    },
}
"""The notes' /etc/cni/net.d/10-bridge.conf."""


def call(
    command: str,
    conf: dict[str, object],
    container: str = "c1",
    netns: str = "",
    *,
    ifname: str = "eth0",
    args: dict[str, str] | None = None,
    previous: Result | None = None,
    valid: Iterable[str] | None = None,
) -> Request:
    """A request as the edge hands it down; `valid` names containers for GC."""
    owners = None if valid is None else tuple(_owner(each, ifname) for each in valid)
    return Request(
        command=command,
        container_id=ContainerId(container),
        ifname=InterfaceName(ifname),
        netns=netns,
        args=args or {},
        path=("/opt/cni/bin", "/usr/lib/cni"),
        conf=NetConf(
            cni_version=str(conf["cniVersion"]),
            name=NetworkName(str(conf["name"])),
            type=str(conf["type"]),
            raw=conf if previous is None else {**conf, "prevResult": _encoded(conf, previous)},
            ipam=_section(conf, "ipam"),
            runtime_config=_section(conf, "runtimeConfig"),
            args=_section(conf, "args"),
            prev_result=previous,
            valid_attachments=owners,
        ),
    )


def _encoded(conf: dict[str, object], result: Result) -> object:
    return encode_result(result, str(conf["cniVersion"]))


def _owner(container: str, ifname: str) -> Owner:
    return Owner(container_id=ContainerId(container), ifname=InterfaceName(ifname))


def _section(conf: dict[str, object], key: str) -> Json:
    value = conf.get(key, {})
    assert isinstance(value, dict)
    return value
