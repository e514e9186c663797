"""A node's folders and a network on it, for tests of leases."""

from __future__ import annotations

import os
from collections.abc import Mapping
from ipaddress import ip_address
from pathlib import Path
from typing import TYPE_CHECKING

from dari.ipam.hostlocal import HostLocal
from dari.model import ContainerId, InterfaceName, NetConf, NetworkName, Owner
from dari.paths import Paths

if TYPE_CHECKING:
    from dari.model import IPAddress


def owner(container_id: str, ifname: str = "eth0") -> Owner:
    return Owner(container_id=ContainerId(container_id), ifname=InterfaceName(ifname))


def addresses(*texts: str) -> tuple[IPAddress, ...]:
    return tuple(ip_address(text) for text in texts)


def network(
    ipam: Mapping[str, object],
    *,
    name: str = "pods",
    cni_version: str = "1.0.0",
    runtime_config: Mapping[str, object] | None = None,
) -> NetConf:
    """The decoded configuration of a network with this `ipam` section."""
    section = {"type": "host-local", **ipam}
    raw = {"cniVersion": cni_version, "name": name, "type": "bridge", "ipam": section}
    return NetConf(
        cni_version=cni_version,
        name=NetworkName(name),
        type="bridge",
        raw=raw,
        ipam=section,
        runtime_config=runtime_config or {},
    )


class Node:
    """One machine: what is on its disk outlives a reboot, and its run folder does not."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.run = root / "run"
        self.boot()
        self.data = root / "networks"

    def boot(self) -> None:
        """Make the run folder, with what a system puts there first."""
        self.run.mkdir()
        (self.run / "lock").mkdir()

    @property
    def paths(self) -> Paths:
        return Paths(
            run=str(self.run / "dari"), host_local=str(self.data), boot_evidence=str(self.run)
        )

    def leases(
        self,
        ipam: Mapping[str, object],
        *,
        cni_version: str = "1.0.0",
        runtime_config: Mapping[str, object] | None = None,
    ) -> HostLocal:
        conf = network(ipam, cni_version=cni_version, runtime_config=runtime_config)
        return HostLocal(conf, self.paths)

    @property
    def folder(self) -> Path:
        return self.data / "pods"

    def files(self) -> dict[str, bytes]:
        """What is in the folder of leases, without the lock."""
        return {
            path.name: path.read_bytes() for path in self.folder.iterdir() if path.name != "lock"
        }

    def held(self) -> dict[str, bytes]:
        """The leases alone."""
        return {name: text for name, text in self.files().items() if name[0] in "0123456789f"}

    def put(self, name: str, content: bytes) -> Path:
        """Write a file as another program would."""
        self.folder.mkdir(parents=True, exist_ok=True)
        path = self.folder / name
        path.write_bytes(content)
        return path


def given(result: tuple[object, ...]) -> list[str]:
    """An allocation's addresses with their prefix lengths, as text."""
    return [str(getattr(one, "address", None)) for one in result]


def backdate(path: Path, moment: float) -> None:
    """Set a file's time of change, in seconds of the wall clock."""
    os.utime(path, (moment, moment))
