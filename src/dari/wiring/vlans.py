"""A pod's VLANs on its bridge: `vlan`, `vlanTrunk`, `preserveDefaultVlan`.

Source: the reference plugin's documentation (plugins/main/bridge).
May import: errors, fields, netlink, record, wiring.bridge, wiring.host.
"""

from __future__ import annotations

from _blake2 import blake2b  # hashlib costs 4 ms to import; this is what it uses
from contextlib import suppress
from errno import EOPNOTSUPP

from dari.errors import AlreadyExists, BadConfig, KernelRefused, NotFound, UnsupportedField
from dari.fields import flag, items, number
from dari.netlink.link import get_link
from dari.netlink.linkchange import add_veth, change_link, delete_link
from dari.netlink.namespace import Namespace
from dari.netlink.vlan import (
    DEFAULT_VLAN,
    add_access_vlan,
    add_trunk_vlans,
    delete_vlan,
    filter_vlans,
)
from dari.record import Record
from dari.wiring.bridge import address_changes, check_kind, ensure_bridge, find_bridge

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence

    from dari.model import IPInterface, Json
    from dari.netlink.codec import Request
    from dari.netlink.link import Link
    from dari.wiring.conf import BridgeConf
    from dari.wiring.host import Host

_HIGHEST = 4094
_OWN_NAMESPACE = "/proc/thread-self/ns/net"


class Vlans(Record):
    """What a pod's port is in.

    Attributes:
        access: the VLAN of untagged frames; 0 for the bridge's default.
        trunk: ranges of VLANs whose tagged frames pass, first and last within.
        keep_default: whether it stays in the bridge's default VLAN too.
    """

    access: int
    trunk: tuple[tuple[int, int], ...]
    keep_default: bool


def parse_vlans(raw: Json) -> Vlans | None:
    """What the configuration says of VLANs; None where it asks for none.

    Raises:
        BadConfig: a VLAN is out of range, or two keys exclude each other.
    """
    access = number(raw, "vlan", high=_HIGHEST)
    trunk = tuple(_ranges(items(raw, "vlanTrunk")))
    keep_default = flag(raw, "preserveDefaultVlan", True)
    if access and trunk:
        raise BadConfig("vlan and vlanTrunk exclude each other: set one of them")
    if not access and raw.get("vlanTrunk") is None:
        return None
    return Vlans(access=access, trunk=trunk, keep_default=keep_default)


def filter_on(host: Host, bridge: Link) -> None:
    """Have the bridge tell VLANs apart.

    Raises:
        UnsupportedField: the kernel cannot.
        KernelRefused: it says no for another reason.
    """
    try:
        host.rtnl.transact([filter_vlans(bridge.index)])
    except KernelRefused as error:
        if error.errno != EOPNOTSUPP:
            raise
        raise UnsupportedField(
            "vlan, vlanTrunk: this kernel's bridges do not filter VLANs",
            "remove the key, or boot a kernel with CONFIG_BRIDGE_VLAN_FILTERING",
        ) from None


def ensure_filtering_bridge(
    host: Host, conf: BridgeConf, vlans: Vlans, gateways: Sequence[IPInterface]
) -> Link:
    """Make the bridge, or mend it, and have it filter VLANs; a new one goes where it cannot.

    The gateways' addresses are on the node's own end of a cable into the pod's VLAN.

    Raises:
        UnsupportedField: the kernel's bridges do not filter VLANs.
        BadConfig: see `ensure_bridge`.
        KernelRefused: the kernel says no.
    """
    known = find_bridge(host, conf.bridge)
    own = gateway_name(conf.bridge, vlans) == conf.bridge
    bridge = known or ensure_bridge(host, conf.bridge, (), conf.mtu)
    check_kind(bridge)
    try:
        filter_on(host, bridge)
    except UnsupportedField:
        if known is None:
            host.rtnl.transact([delete_link(index=bridge.index)])
        raise
    bridge = ensure_bridge(
        host,
        conf.bridge,
        gateways if own else (),
        force_address=conf.force_address,
        promiscuous=conf.promiscuous,
    )
    if gateways and not own:
        end = gateway_link(host, bridge, vlans)
        changes = address_changes(host, end, gateways, force_address=conf.force_address)
        with suppress(AlreadyExists):  # another ADD was quicker with the same address
            host.rtnl.transact(changes)
    return bridge


def join(host: Host, port: Link, vlans: Vlans) -> None:
    """Put a port into its VLANs, and out of the bridge's default where that is asked for.

    Raises:
        KernelRefused: the kernel says no.
    """
    host.rtnl.transact(port_requests(port.index, vlans))


def port_requests(port: int, vlans: Vlans) -> list[Request]:
    """What it takes to put a port into its VLANs."""
    requests: list[Request] = []
    if not vlans.keep_default and (vlans.access or vlans.trunk):
        requests.append(delete_vlan(port, DEFAULT_VLAN))
    if vlans.access:
        requests.append(add_access_vlan(port, vlans.access))
    if vlans.trunk:
        requests.append(add_trunk_vlans(port, vlans.trunk))
    return requests


def gateway_name(bridge: str, vlans: Vlans) -> str:
    """The link that has the gateway's address: the bridge, or the node's end in a VLAN."""
    return f"{bridge}.{vlans.access}" if vlans.access else bridge


def gateway_link(host: Host, bridge: Link, vlans: Vlans) -> Link:
    """The node's own end of a cable into a VLAN of the bridge, made where it is missing.

    Raises:
        KernelRefused: the kernel says no.
    """
    name = gateway_name(bridge.name, vlans)
    with suppress(NotFound):
        return get_link(host.rtnl, name=name)
    port = f"dariv{blake2b(name.encode(), digest_size=4).hexdigest()}"
    with Namespace.open(_OWN_NAMESPACE) as here, suppress(AlreadyExists):
        end = add_veth(
            port, peer=name, peer_netns=here.fd, mtu=bridge.mtu, master=bridge.index, up=True
        )
        host.rtnl.transact([end])
        join(host, get_link(host.rtnl, name=port), vlans)
        host.rtnl.transact([change_link(name=name, up=True)])
    return get_link(host.rtnl, name=name)


def _ranges(listed: list[object]) -> list[tuple[int, int]]:
    """The VLANs of all entries, in order, neighbours joined."""
    found: set[int] = set()
    for place, entry in enumerate(listed):
        where = f"vlanTrunk[{place}]"
        if not isinstance(entry, dict):
            raise BadConfig(f"{where}: {entry!r} is not an object")
        try:
            found |= _vlans_of(entry)
        except BadConfig as error:
            raise BadConfig(f"{where}.{error.message}") from None
    return _joined(sorted(found))


def _vlans_of(entry: Json) -> set[int]:
    given = {
        key: number(entry, key, low=1, high=_HIGHEST)
        for key in ("minID", "maxID", "id")
        if entry.get(key) is not None
    }
    if ("minID" in given) != ("maxID" in given):
        raise BadConfig(f"{'maxID' if 'minID' in given else 'minID'}: missing beside the other")
    found = {given["id"]} if "id" in given else set()
    if "minID" in given:
        if given["maxID"] < given["minID"]:
            raise BadConfig(f"maxID: {given['maxID']} is less than minID {given['minID']}")
        found.update(range(given["minID"], given["maxID"] + 1))
    return found


def _joined(vlans: list[int]) -> list[tuple[int, int]]:
    ranges: list[tuple[int, int]] = []
    for vlan in vlans:
        if ranges and ranges[-1][1] == vlan - 1:
            ranges[-1] = (ranges[-1][0], vlan)
        else:
            ranges.append((vlan, vlan))
    return ranges
