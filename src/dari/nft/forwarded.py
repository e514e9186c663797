"""Which pods' packets the node has to pass on, and which bridges are kept apart.

One small file per pod, gone with the boot, tells what the type `firewall` was asked
for; the kernel's sets are made from them (`nft.table`). Beside it, a file per
address names the pod that has it now, and a folder per bridge and policy holds a
mark of each pod there, so that a pod's end changes what it alone had, and needs to
read no other pod's file.

May import: addr, errors, files, jsontext, fields, model, paths, record, nft.section.
"""

from __future__ import annotations

import os
from contextlib import suppress
from functools import cache

from dari import jsontext
from dari.addr import parse_address
from dari.errors import BadConfig, DariError, IOFailure, Undecodable
from dari.fields import items, text
from dari.files import read_bounded, remove, write_whole
from dari.nft.section import FAMILIES, Section, merged
from dari.record import Record

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable

    from dari.model import IPAddress, Json
    from dari.nft.section import Elements
    from dari.paths import Paths

OPEN, SAME_BRIDGE, ISOLATED = POLICIES = ("open", "same-bridge", "isolated")
MARK = 0x1000
"""On a packet, from dari's chain before the site's filters to the one behind them."""

_CHAIN = "forward"
_PODS, _ADDRESSES, _BRIDGES = "pods", "addresses", "bridges"
_SUFFIX = ".json"
_LIMIT = 1 << 20  # bytes
_EVERYTHING = 0xFFFFFFFF


class Forwarded(Record):
    """One pod's addresses, and the policy of the bridge it is on.

    `name` is the pod's own, by which its file is found.
    """

    name: str
    addresses: tuple[IPAddress, ...]
    bridge: str
    policy: str


def add_pod(paths: Paths, pod: Forwarded) -> tuple[Elements, Elements]:
    """Record a pod, in place of what it was before; under the table's lock.

    Returns:
        The elements that the table gains, and those that it loses.

    Raises:
        Undecodable: the pod's own file is damaged.
    """
    lost = remove_pod(paths, pod.name)
    before = _bridge_elements(pod.bridge, _policies(paths, pod.bridge))
    write_whole(_pod_path(paths, pod.name), jsontext.encode(_encode(pod)))
    for address in pod.addresses:
        write_whole(f"{paths.forwarded}/{_ADDRESSES}/{address}", pod.name.encode())
    if pod.policy != OPEN:
        write_whole(f"{_bridge_folder(paths, pod.bridge, pod.policy)}/{pod.name}", b"")
    after = _bridge_elements(pod.bridge, _policies(paths, pod.bridge))
    return merged([_pod_elements(pod.addresses), _less(after, before)]), lost


def remove_pod(paths: Paths, name: str) -> Elements:
    """Forget a pod; under the table's lock.

    Returns:
        The elements that the table loses: not those that another pod has by now.

    Raises:
        Undecodable: the pod's file is damaged.
    """
    pod = read_pod(paths, name)
    if pod is None:
        return {}
    # Who was killed half-way may have got as far as removing these.
    own = [each for each in pod.addresses if _holder(paths, each) in (name, "")]
    for address in own:
        remove(f"{paths.forwarded}/{_ADDRESSES}/{address}")
    if pod.policy != OPEN:
        folder = _bridge_folder(paths, pod.bridge, pod.policy)
        remove(f"{folder}/{name}")
        with suppress(OSError):
            os.rmdir(folder)
    left = _policies(paths, pod.bridge)
    before, after = (_bridge_elements(pod.bridge, each) for each in (left | {pod.policy}, left))
    remove(_pod_path(paths, name))
    return merged([_pod_elements(own), _less(before, after)])


def read_pod(paths: Paths, name: str) -> Forwarded | None:
    """What is recorded of a pod, or None.

    Raises:
        Undecodable: its file is damaged.
    """
    path = _pod_path(paths, name)
    return _read(path, name) if os.path.exists(path) else None


def is_used(paths: Paths) -> bool:
    """Is there a pod?"""
    try:
        with os.scandir(f"{paths.forwarded}/{_PODS}") as entries:
            return any(entry.name.endswith(_SUFFIX) for entry in entries)
    except FileNotFoundError:
        return False


def forwarded_elements(paths: Paths) -> Elements:
    """What all recorded pods are in the sets.

    Raises:
        Undecodable: a pod's file is damaged; it names the file.
    """
    names: list[str] = []
    with suppress(FileNotFoundError):
        names = sorted(os.listdir(f"{paths.forwarded}/{_PODS}"))
    found = [
        _read(f"{paths.forwarded}/{_PODS}/{name}", name)
        for name in names
        if name.endswith(_SUFFIX) and not name.startswith(".")
    ]
    return merged(
        each
        for pod in found
        for each in (_pod_elements(pod.addresses), _bridge_elements(pod.bridge, {pod.policy}))
    )


def pod_elements(pod: Forwarded) -> Elements:
    """What one pod needs to be in the sets."""
    return merged([_pod_elements(pod.addresses), _bridge_elements(pod.bridge, {pod.policy})])


@cache
def forward_section() -> Section:
    """Chains, and empty sets.

    Packets between two bridges that are kept apart, or within one whose pods are,
    are dropped. What pods send, and answers to them, is marked for the site's own
    filters (`nft.opening`); the mark is taken off behind them.
    """
    lines = [line for version, _, kind in FAMILIES for line in _set(f"pods{version}", kind)]
    lines += _set("apart", "ifname")
    lines += _set("within", "ifname . ifname") + _set("isolated", "ifname . ifname")
    rules = [
        "iifname . oifname @isolated drop",
        "iifname @apart oifname @apart iifname . oifname != @within drop",
    ]
    for version, ip, _ in FAMILIES:
        mark = f"meta mark set meta mark | {MARK:#x}"
        rules.append(f"{ip} saddr @pods{version} {mark}")
        rules.append(f"{ip} daddr @pods{version} ct state established,related {mark}")
    lines += _chain(_CHAIN, "filter - 10", rules)
    cleared = (
        f"meta mark & {MARK:#x} == {MARK:#x} meta mark set meta mark & {_EVERYTHING ^ MARK:#x}"
    )
    lines += _chain("forwarded", "filter + 10", [cleared])
    return Section(chain=_CHAIN, uses=len(rules), text="\n".join([*lines, ""]))


def _set(name: str, kind: str) -> list[str]:
    return [f"\tset {name} {{", f"\t\ttype {kind}", "\t}"]


def _chain(name: str, priority: str, rules: list[str]) -> list[str]:
    head = f"\t\ttype filter hook forward priority {priority}; policy accept;"
    return [f"\tchain {name} {{", head, *(f"\t\t{rule}" for rule in rules), "\t}"]


def _pod_elements(addresses: Iterable[IPAddress]) -> Elements:
    return merged({f"pods{each.version}": (str(each),)} for each in addresses)


def _bridge_elements(bridge: str, policies: set[str]) -> Elements:
    """What a bridge is in the sets, with the policies that its pods have."""
    pair = (f'"{bridge}" . "{bridge}"',)
    found: dict[str, tuple[str, ...]] = {}
    if policies - {OPEN}:
        found |= {"apart": (f'"{bridge}"',), "within": pair}
    if ISOLATED in policies:
        found["isolated"] = pair
    return found


def _less(some: Elements, others: Elements) -> Elements:
    return {name: listed for name, listed in some.items() if name not in others}


def _policies(paths: Paths, bridge: str) -> set[str]:
    """Those that some pod on the bridge has; `open` needs nothing and is left out."""
    return {
        policy
        for policy in (SAME_BRIDGE, ISOLATED)
        if os.path.isdir(_bridge_folder(paths, bridge, policy))
    }


def _bridge_folder(paths: Paths, bridge: str, policy: str) -> str:
    return f"{paths.forwarded}/{_BRIDGES}/{policy}:{bridge}"


def _pod_path(paths: Paths, name: str) -> str:
    return f"{paths.forwarded}/{_PODS}/{name}{_SUFFIX}"


def _holder(paths: Paths, address: IPAddress) -> str:
    found = read_bounded(f"{paths.forwarded}/{_ADDRESSES}/{address}", 64) or b""
    return found.decode("ascii", errors="replace")


def _encode(pod: Forwarded) -> Json:
    return {
        "addresses": [str(each) for each in pod.addresses],
        "bridge": pod.bridge,
        "policy": pod.policy,
    }


def _read(path: str, name: str) -> Forwarded:
    content = read_bounded(path, _LIMIT)
    if content is None:
        raise IOFailure(f"read {path}: it is gone")
    try:
        return _decode(jsontext.decode(content, path), name.removesuffix(_SUFFIX))
    except DariError as error:
        raise Undecodable(
            f"{path}: not a record of a forwarded pod: {error.message}",
            f"remove it once its pod is gone: rm {path}",
        ) from None


def _decode(document: Json, name: str) -> Forwarded:
    policy, bridge = text(document, "policy"), text(document, "bridge")
    if policy not in POLICIES or '"' in bridge:
        raise BadConfig(f"policy {policy!r} of bridge {bridge!r}")
    return Forwarded(
        name=name,
        addresses=tuple(parse_address(each, "addresses") for each in items(document, "addresses")),
        bridge=bridge,
        policy=policy,
    )
