"""Takes every trace of dari from a node: the other end of what the agent builds up.

Only what bears dari's marks goes: host ends by name and alias, routes by
protocol, the table by its name, the bridge by the gateway address that dari gave
it. Settings of the kernel that others may rely on by now (forwarding) stay.

May import: errors, netlink, nft, paths, routing, store, wiring, cni.runtime.cache, agent.
"""

from __future__ import annotations

import asyncio
import os
import shutil
from collections.abc import Callable, Sequence
from contextlib import suppress
from typing import TYPE_CHECKING

from dari.agent.config import AgentConfig
from dari.agent.conflist import NETWORK
from dari.agent.desired import gateway_of
from dari.agent.messages import _
from dari.agent.observe import observe
from dari.cni.runtime import cache
from dari.errors import DariError, NotFound
from dari.netlink.link import Link, list_links
from dari.netlink.linkchange import delete_link
from dari.nft import spoofing
from dari.nft.opening import close_filters
from dari.nft.table import remove_table
from dari.paths import Paths
from dari.record import Record
from dari.routing import tunnels
from dari.routing.announce import announce
from dari.routing.reconcile import remove_all
from dari.store.base import Store
from dari.wiring.host import Host
from dari.wiring.names import is_condemned, is_host_end

if TYPE_CHECKING:
    from dari.model import IPNetwork

_ALIAS = "dari "


class Purged(Record):
    """In words what was removed, and what could not be."""

    done: tuple[str, ...] = ()
    failures: tuple[str, ...] = ()


def purge(
    config: AgentConfig,
    paths: Paths,
    store: Store,
    host: Host,
    ranges: Sequence[IPNetwork],
) -> Purged:
    """Remove it all, going on past what fails.

    Args:
        config: names the node, its bridge and its store.
        store: the record goes last, so that what fails can be tried again.
        ranges: pod ranges of this node besides those of its record.
    """
    ranges = [*ranges, *_ranges(config, store)]
    steps: list[Callable[[], list[str]]] = [
        lambda: _cables(host),
        lambda: _routes(host),
        lambda: _backend(host, config),
        lambda: _bridge(host, config.bridge, ranges),
        _table,
        lambda: _results(paths.results),
        lambda: _folder(paths.run),
        lambda: _record(config, store),
        lambda: _empty_folders(config, paths),
    ]
    done: list[str] = []
    failures: list[str] = []
    for step in steps:
        try:
            done += step()
        except DariError as error:
            failures.append(error.message)
        except OSError as error:
            failures.append(str(error))
    return Purged(done=tuple(done), failures=tuple(failures))


def _ranges(config: AgentConfig, store: Store) -> Sequence[IPNetwork]:
    try:
        record = asyncio.run(store.get(config.node_name))
    except DariError:
        record = None
    return record.pod_ranges if record else config.pod_ranges


def _cables(host: Host) -> list[str]:
    """Host ends; their other ends, in the pods, go with them."""
    ends = [link for link in list_links(host.rtnl, kind="veth") if _is_ours(link)]
    _delete(host, ends)
    return [_("removed {number} pods' cables").format(number=len(ends))] if ends else []


def _is_ours(link: Link) -> bool:
    marked = link.alias.startswith(_ALIAS) or is_condemned(link.alias)
    return is_host_end(link.name) and (marked or not link.alias)


def _delete(host: Host, links: Sequence[Link]) -> None:
    with suppress(NotFound):
        host.rtnl.transact([delete_link(index=link.index) for link in links])


def _routes(host: Host) -> list[str]:
    number = remove_all(host.rtnl)
    return [_("removed {number} routes").format(number=number)] if number else []


def _backend(host: Host, config: AgentConfig) -> list[str]:
    """Tunnels that dari made or took over, and its part of BIRD's configuration."""
    gone = tunnels.prune(host.rtnl)
    withdrawn = announce("", config.backend.bird_conf, config.backend.bird_socket)
    if gone.failures or withdrawn.failures:
        raise DariError("; ".join((*gone.failures, *withdrawn.failures)))
    return [*gone.mended, *withdrawn.mended]


def _bridge(host: Host, name: str, ranges: Sequence[IPNetwork]) -> list[str]:
    """The bridge, if it has dari's address and nobody else's port."""
    observed = observe(host.rtnl)
    found = next((link for link in observed.links if link.name == name), None)
    if found is None or found.kind != "bridge":
        return []
    held = {each.interface for each in observed.addresses if each.index == found.index}
    ports = [link.name for link in observed.links if link.master == found.index]
    if ports or not held & {gateway_of(each) for each in ranges}:
        left = _("left bridge {name}, which has no address of dari's")
        if ports:
            left = _("left bridge {name}, which has ports of others: {ports}")
        return [left.format(name=name, ports=", ".join(ports))]
    _delete(host, [found])
    return [_("removed bridge {name}").format(name=name)]


def _table() -> list[str]:
    close_filters()
    remove_table()
    spoofing.remove_table()
    return []


def _results(folder: str) -> list[str]:
    """What a runtime remembers of pods in dari's network, whose cables are gone by now."""
    ours = [each for each in cache.list_cached(folder) if each.network == NETWORK]
    for each in ours:
        owner = each.attachment.owner
        if "/" not in f"{owner.container_id}{owner.ifname}":  # a file may say anything
            cache.forget(folder, NETWORK, owner)
    return [_("removed {number} cached results").format(number=len(ours))] if ours else []


def _folder(path: str) -> list[str]:
    """What is in it, too; of a folder that a container was given, only that."""
    if not os.path.isdir(path):
        return []
    if os.path.ismount(path):
        for entry in os.scandir(path):
            take = shutil.rmtree if entry.is_dir(follow_symlinks=False) else os.unlink
            take(entry.path)
        return [_("emptied {path}").format(path=path)]
    shutil.rmtree(path)
    return [_("removed {path}").format(path=path)]


def _record(config: AgentConfig, store: Store) -> list[str]:
    there = asyncio.run(store.remove(config.node_name))
    return [_("removed the record of {node}").format(node=config.node_name)] if there else []


def _empty_folders(config: AgentConfig, paths: Paths) -> list[str]:
    """The local store's folder, unless other nodes have records in it."""
    with suppress(OSError):
        os.rmdir(f"{config.store_dir}/nodes")
        os.unlink(f"{config.store_dir}/lock")
        os.rmdir(config.store_dir)
        os.rmdir(paths.var)
    return []
