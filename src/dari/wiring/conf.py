"""The keys of type `bridge` and what several types share, checked before anything is touched.

Source: the reference plugin's documentation (plugins/main/bridge).
May import: addr, errors, fields, model, record, wiring.vlans for its keys.
"""

from __future__ import annotations

from dari.errors import BadConfig, BadEnvironment
from dari.fields import flag, number, section, text
from dari.model import can_name_link
from dari.record import Record

TYPE_CHECKING = False
if TYPE_CHECKING:
    from dari.model import Json, Request
    from dari.wiring.vlans import Vlans

_HEXADECIMAL = frozenset("0123456789abcdefABCDEF")
_HIGHEST_MTU = 65535
_VLAN_KEYS = ("vlan", "vlanTrunk", "preserveDefaultVlan")


class BridgeConf(Record):
    """A `bridge` configuration; `mtu` in bytes, 0 for the kernel's own choice.

    `mac` is the pod's, empty for one derived from its address; `guarded` lets it send
    from that alone. `pod_up` is whether its interface is set up. `vlans` is None on a
    bridge that knows none.
    """

    bridge: str
    is_gateway: bool
    is_default_gateway: bool
    force_address: bool
    masquerade: bool
    hairpin: bool
    promiscuous: bool
    isolated: bool
    detect_duplicates: bool
    guarded: bool
    pod_up: bool
    vlans: Vlans | None
    agent_required: bool
    mtu: int
    mac: str


def parse_bridge(request: Request, *, gateway_by_default: bool = False) -> BridgeConf:
    """Read the configuration of type `bridge`, or of `dari`, which makes the node the gateway.

    Raises:
        BadConfig: a key has a wrong value, or two exclude each other.
    """
    raw = request.conf.raw
    check_masquerade_backend(raw)
    default_gateway = flag(raw, "isDefaultGateway", gateway_by_default)
    conf = BridgeConf(
        bridge=link_name(raw, "bridge", "cni0"),
        is_gateway=flag(raw, "isGateway", gateway_by_default) or default_gateway,
        is_default_gateway=default_gateway,
        force_address=flag(raw, "forceAddress"),
        masquerade=flag(raw, "ipMasq"),
        hairpin=flag(raw, "hairpinMode"),
        promiscuous=flag(raw, "promiscMode"),
        isolated=flag(raw, "portIsolation"),
        detect_duplicates=flag(raw, "enabledad"),
        guarded=flag(raw, "macspoofchk"),
        pod_up=not flag(raw, "disableContainerInterface"),
        vlans=_vlans(raw),
        agent_required=_agent_required(raw),
        mtu=parse_mtu(raw),
        mac=requested_mac(request),
    )
    if conf.hairpin and conf.promiscuous:
        raise BadConfig("hairpinMode and promiscMode exclude each other: set one of them")
    if not conf.pod_up and request.conf.ipam:
        raise BadConfig(
            "disableContainerInterface: an interface that is down can have no addresses",
            "remove ipam, or disableContainerInterface",
        )
    return conf


def requested_mac(request: Request) -> str:
    """The MAC asked for: CNI_ARGS MAC, overridden by args.cni.mac, by runtimeConfig.mac.

    Raises:
        BadConfig: it is no unicast MAC.
        BadEnvironment: the same, of CNI_ARGS.
    """
    conf = request.conf
    asked = (
        (text(conf.runtime_config, "mac"), "runtimeConfig.mac", BadConfig),
        (text(section(conf.args, "cni"), "mac"), "args.cni.mac", BadConfig),
        (request.args.get("MAC", ""), "CNI_ARGS MAC", BadEnvironment),
    )
    for mac, field, error in asked:
        if mac:
            if not _is_unicast_mac(mac):
                raise error(_not_a_mac(mac, field))
            return mac.lower()
    return ""


def parse_mac(raw: Json, key: str) -> str:
    """A MAC in lower case; empty where none is given.

    Raises:
        BadConfig: it is no unicast MAC.
    """
    mac = text(raw, key)
    if mac and not _is_unicast_mac(mac):
        raise BadConfig(_not_a_mac(mac, key))
    return mac.lower()


def parse_mtu(raw: Json) -> int:
    """`mtu`, in bytes; 0 for the kernel's own choice.

    Raises:
        BadConfig: it is no MTU.
    """
    return number(raw, "mtu", high=_HIGHEST_MTU)


def check_masquerade_backend(raw: Json) -> None:
    """`ipMasqBackend` may name either of the reference's; dari always uses nftables.

    Raises:
        BadConfig: it names another.
    """
    backend = text(raw, "ipMasqBackend")
    if backend not in ("", "iptables", "nftables"):
        raise BadConfig(f"ipMasqBackend: {backend!r} is neither iptables nor nftables")


def _is_unicast_mac(mac: str) -> bool:
    octets = mac.split(":")
    written = len(octets) == 6 and all(
        len(each) == 2 and {*each} <= _HEXADECIMAL for each in octets
    )
    return written and not int(octets[0], 16) & 1


def _not_a_mac(mac: str, field: str) -> str:
    return f"{field}: {mac!r} is no unicast MAC such as 0a:58:0a:16:00:05"


def _vlans(raw: Json) -> Vlans | None:
    if all(raw.get(key) is None for key in _VLAN_KEYS):
        return None
    from dari.wiring.vlans import parse_vlans  # rarely asked for

    return parse_vlans(raw)


def link_name(raw: Json, key: str, default: str) -> str:
    """The name of a link on the node.

    Raises:
        BadConfig: no link can have it.
    """
    name = text(raw, key) or default
    if not can_name_link(name) or any(map(str.isspace, name)):
        raise BadConfig(
            f"{key}: {name!r} is no name for a link: 1 to 15 bytes of UTF-8, "
            "without '/', ':', white space and the byte 0xA0"
        )
    return name


def _agent_required(raw: Json) -> bool:
    value = text(raw, "agent", "optional")
    if value not in ("optional", "required"):
        raise BadConfig(f"agent: {value!r} is neither optional nor required")
    return value == "required"
