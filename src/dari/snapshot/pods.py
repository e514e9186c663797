"""Reads a node's pods: every network namespace there that dari knows, or that has a file.

May import: errors, fields, model, netlink, paths, wiring, snapshot.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable
from contextlib import suppress
from functools import partial

from dari.errors import DariError, Undecodable
from dari.fields import section, text
from dari.netlink.namespace import Namespace, current
from dari.paths import Paths
from dari.snapshot.model import Attached, Place, Pod
from dari.snapshot.place import read_place
from dari.wiring import names
from dari.wiring.records import Attachment, all_attachments

SANDBOXES = "/run/netns"
MOST = 5000  # namespaces that are looked into
_POD_NAMESPACE, _POD_NAME = "K8S_POD_NAMESPACE", "K8S_POD_NAME"  # in CNI_ARGS
Report = Callable[[str, str], None]
Look = Callable[[str], tuple[Place | None, str]]


def read_pods(paths: Paths, problem: Report, connections: int = 0) -> tuple[Pod, ...]:
    """All pods of this node, in the order of their names.

    Args:
        problem: is told what could not be read: ``attachments``, and why.
        connections: how many of each pod's to read; `model.ALL` for all.
    """
    look = partial(_look, connections=connections)
    by_netns: dict[str, list[Attachment]] = {}
    for each in all_attachments(paths):
        if isinstance(each, Undecodable):
            problem("attachments", each.message)
        elif not each.part:
            by_netns.setdefault(each.netns, []).append(each)
    found = [_attached_pod(netns, own, look) for netns, own in list(by_netns.items())[:MOST]]
    known = {pod.place.inode for pod in found if pod.place}
    rest = MOST - len(found)
    found += _others(by_netns, known | {current()[1]}, rest, look)
    return tuple(sorted(found, key=lambda pod: (pod.name, pod.netns)))


def _attached_pod(netns: str, own: list[Attachment], look: Look) -> Pod:
    place, problem = look(netns)
    if place and place.inode != own[0].inode:
        problem = f"another namespace is now at {netns}"
    return Pod(
        name=_name(own[0]),
        netns=netns,
        attachments=tuple(map(_attached, own)),
        place=place,
        problem=problem,
    )


def _others(known: Iterable[str], inodes: set[int], most: int, look: Look) -> list[Pod]:
    """Namespaces that have a file where runtimes and ip-netns(8) put them."""
    try:
        files = sorted(os.listdir(SANDBOXES))
    except OSError:
        return []
    found = []
    for name in files[:most]:
        path = f"{SANDBOXES}/{name}"
        if path in known or _inode(path) in inodes:
            continue
        place, problem = look(path)
        if place:
            found.append(Pod(name=name, netns=path, place=place, problem=problem))
    return found


def _inode(path: str) -> int:
    with suppress(OSError):
        return os.stat(path).st_ino
    return 0


def _look(path: str, connections: int) -> tuple[Place | None, str]:
    try:
        with Namespace.open(path) as namespace:
            return read_place(namespace, connections), ""
    except DariError as error:
        return None, error.message


def _name(one: Attachment) -> str:
    name, namespace = (text(one.args, key) for key in (_POD_NAME, _POD_NAMESPACE))
    if not name:
        return one.owner.container_id
    return f"{namespace}/{name}" if namespace else name


def _attached(one: Attachment) -> Attached:
    return Attached(
        container_id=one.owner.container_id,
        ifname=one.owner.ifname,
        network=one.network,
        type=text(one.conf, "type"),
        bridge=text(one.conf, "bridge"),
        host_end=names.host_end(one.owner),
    )


def lease_folders(paths: Paths) -> list[str]:
    """Where addresses may be leased: each is a network's folder.

    Beside the folders that are usual, those that attachments' configurations name.
    """
    roots = {paths.leases, paths.host_local}
    for each in all_attachments(paths):
        if isinstance(each, Attachment):
            roots.add(text(section(each.conf, "ipam"), "dataDir"))
    found: list[str] = []
    for root in sorted(filter(None, roots)):
        with suppress(OSError), os.scandir(root) as entries:
            found += sorted(entry.path for entry in entries if entry.is_dir())
    return found
