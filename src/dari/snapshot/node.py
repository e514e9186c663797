"""Reads the machine that this process runs on: its own place, its pods, what it knows.

Nothing is changed, and nothing is waited for long: what does not answer is noted
as a problem.

May import: addr, errors, files, paths, agent, cni, ipam, store, wiring, snapshot.
"""

from __future__ import annotations

import asyncio
import os
import time
from argparse import Namespace as Arguments
from collections.abc import Iterable
from typing import TYPE_CHECKING

from dari.agent.client import ask_status
from dari.agent.config import AgentConfig, read_config
from dari.agent.options import gather
from dari.agent.stores import open_store
from dari.cni.runtime.confdir import SUFFIXES, list_files
from dari.cni.runtime.confdir import load as load_conf
from dari.errors import DariError
from dari.fields import text
from dari.ipam.folder import LeaseFolder, as_address
from dari.paths import Paths
from dari.snapshot.messages import _
from dari.snapshot.model import NODE, RIGHTS, ConfFile, Host, Lease, Machine, Orders
from dari.snapshot.place import read_place
from dari.snapshot.pods import lease_folders, read_pods
from dari.snapshot.steps import TABLES, Tell, silently

if TYPE_CHECKING:
    from dari.model import Json
    from dari.store.base import Listing

HOSTS = "/etc/hosts"
MOST_LEASES = 20_000
_SECONDS = 3.0  # that agent and store may take to answer
_BOOT_ID = "/proc/sys/kernel/random/boot_id"
_MACHINE_ID = "/etc/machine-id"
_PRODUCT_UUID = "/sys/class/dmi/id/product_uuid"


def read_machine(
    paths: Paths,
    name: str = "",
    kind: str = NODE,
    *,
    thorough: bool = False,
    probing: int = 0,
    connections: int = 0,
    tell: Tell = silently,
) -> Machine:
    """Read this machine.

    Args:
        name: what to call it; empty: as its settings do, or its host name.
        kind: only of a node are agent, store and pods asked for.
        thorough: read a node's health too, for which plugins are asked their VERSION.
        probing: with that, how many of the node's peers to send packets to.
        connections: how many of each place's to read; `model.ALL` for all.
        tell: is told each step.

    Raises:
        DariError: not even its links can be read.
    """
    tell(TABLES, 0, 0)
    machine = _Reader(paths, connections).read(name, kind)
    if not thorough or kind != NODE:
        return machine
    from dari.snapshot.checkup import read_health  # the doctor's alone

    return machine.replace(health=read_health(paths, machine, probing=probing, tell=tell))


class _Reader:
    """Gathers the parts, and what went wrong with them."""

    def __init__(self, paths: Paths, connections: int) -> None:
        self._paths = paths
        self._connections = connections
        self._problems: dict[str, str] = {}

    def read(self, name: str, kind: str) -> Machine:
        host = _host()
        machine = Machine(
            name=name or host.name,
            kind=kind,
            place=read_place(connections=self._connections),
            host=host,
            names=_names(),
        )
        if os.geteuid():
            self._problem(
                RIGHTS, _("not read as root: rules, pods and others' processes are missing")
            )
        if kind == NODE:
            machine = self._as_node(machine, name)
        return machine.replace(problems=self._problems)

    def _as_node(self, machine: Machine, name: str) -> Machine:
        config = self._config(machine.host.name)
        known = name or (config.node_name if config else machine.host.name)
        listing = self._records(config) if config else None
        records = listing.records if listing else ()
        return machine.replace(
            name=known,
            pods=read_pods(self._paths, self._problem, self._connections),
            record=next((one for one in records if one.name == known), None),
            peers=tuple(one for one in records if one.name != known),
            orders=_orders(config) if config else None,
            agent=self._agent(),
            leases=tuple(self._leases()),
            conf=tuple(self._conf(config)),
        )

    def _problem(self, what: str, why: str) -> None:
        self._problems[what] = f"{self._problems[what]}; {why}" if what in self._problems else why

    def _config(self, host_name: str) -> AgentConfig | None:
        try:
            release = os.uname().release
            return read_config(gather(Arguments()), self._paths, host_name, release)
        except DariError as error:
            self._problem("orders", error.message)
            return None

    def _records(self, config: AgentConfig) -> Listing | None:
        try:
            listing = asyncio.run(_ask_store(config))
        except (DariError, TimeoutError) as error:
            self._problem("store", getattr(error, "message", "no answer"))
            return None
        for damaged in listing.damaged:
            self._problem("store", damaged)
        return listing

    def _agent(self) -> Json:
        try:
            return ask_status(self._paths.agent_socket, seconds=_SECONDS)
        except DariError as error:
            self._problem("agent", error.message)
        return {}

    def _leases(self) -> Iterable[Lease]:
        number = 0
        for path in lease_folders(self._paths):
            try:
                for lease in LeaseFolder(path).leases():
                    number += 1
                    address = as_address(lease.name)
                    if address is None or number > MOST_LEASES:
                        continue
                    yield Lease(
                        path=f"{path}/{lease.name}",
                        network=os.path.basename(path),
                        address=address,
                        container_id=lease.owner.container_id if lease.owner else "",
                        ifname=lease.owner.ifname if lease.owner else "",
                    )
            except DariError as error:
                self._problem("leases", error.message)

    def _conf(self, config: AgentConfig | None) -> Iterable[ConfFile]:
        folder = config.conf_dir if config else ""
        try:
            files = list_files(folder, SUFFIXES) if folder else []
        except DariError as error:
            self._problem("conf", error.message)
            return
        for path in files:
            yield _conf_file(path)


async def _ask_store(config: AgentConfig) -> Listing:
    store = open_store(config, os.environ)
    try:
        async with asyncio.timeout(_SECONDS):
            return await store.records()
    finally:
        await store.close()


def _conf_file(path: str) -> ConfFile:
    try:
        found = load_conf(path)
    except DariError as error:
        return ConfFile(path=path, problem=error.message)
    return ConfFile(
        path=path,
        network=found.name,
        cni_version=found.cni_version,
        types=tuple(text(plugin, "type") for plugin in found.plugins),
    )


def _orders(config: AgentConfig) -> Orders:
    return Orders(
        node_name=config.node_name,
        role=config.role,
        store=config.store,
        conf_dir=config.conf_dir,
        bridge=config.bridge,
        mtu=config.mtu,
        masquerade=config.masquerade,
        cluster_ranges=tuple(each.network for each in config.cluster_ranges),
        node_addresses=config.node_addresses,
        interface=config.interface,
        backend=config.backend.overlay.type,
        vni=config.backend.overlay.vni,
        port=config.backend.overlay.port,
        etcd_endpoints=config.etcd_endpoints if config.store == "etcd" else (),
    )


def _host() -> Host:
    kernel = os.uname()
    return Host(
        name=kernel.nodename,
        time=round(time.time(), 3),
        boot_id=_line(_BOOT_ID),
        machine_id=_line(_MACHINE_ID),
        product_uuid=_line(_PRODUCT_UUID),
        kernel=kernel.release,
    )


def _line(path: str) -> str:
    try:
        with open(path, encoding="utf-8", errors="replace") as stream:
            return stream.readline(256).strip()
    except OSError:
        return ""


def _names() -> dict[str, str]:
    try:
        with open(HOSTS, encoding="utf-8", errors="replace") as stream:
            return parse_hosts(stream)
    except OSError:
        return {}


def parse_hosts(lines: Iterable[str]) -> dict[str, str]:
    """The first name of each address in a file such as /etc/hosts (hosts(5))."""
    found: dict[str, str] = {}
    for line in lines:
        words = line.partition("#")[0].split()
        if len(words) > 1:
            found.setdefault(words[0], words[1])
    return found
