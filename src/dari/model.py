"""Plain data that every layer speaks of: CNI's request, configuration and result.

Addresses are :mod:`ipaddress` objects; a field that a config or result may lack
is None or empty. Keys that dari does not know are kept in `extra`, so that what
another plugin wrote passes through unharmed.

Source: CNI SPEC.md 1.1.0, "Execution Protocol" and "Result Types".
May import: record.
"""

from __future__ import annotations

from dari.record import Record

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping
    from ipaddress import (
        IPv4Address,
        IPv4Interface,
        IPv4Network,
        IPv6Address,
        IPv6Interface,
        IPv6Network,
    )
    from typing import NewType

    IPAddress = IPv4Address | IPv6Address
    IPInterface = IPv4Interface | IPv6Interface
    IPNetwork = IPv4Network | IPv6Network
    ContainerId = NewType("ContainerId", str)
    InterfaceName = NewType("InterfaceName", str)
    NetworkName = NewType("NetworkName", str)
    NodeName = NewType("NodeName", str)
    Json = Mapping[str, object]
else:
    ContainerId = InterfaceName = NetworkName = NodeName = str

EMPTY: Json = {}
_LINK_NAME_BYTES = 15  # IFNAMSIZ less the final NUL
_NOT_IN_LINK_NAMES = frozenset(b"\0/:\t\n\v\f\r \xa0")


def can_name_link(text: str) -> bool:
    """Does the kernel take it for a link's name?

    It looks at bytes and takes 0xA0 for white space, as which it ends some letters in UTF-8,
    such as ``à``.

    Source: net/core/dev.c (dev_valid_name), lib/ctype.c.
    """
    try:
        name = text.encode()
    except UnicodeEncodeError:
        return False  # half a pair of surrogates, from bytes that were no UTF-8
    fits = 0 < len(name) <= _LINK_NAME_BYTES and name not in (b".", b"..")
    return fits and _NOT_IN_LINK_NAMES.isdisjoint(name)


class Owner(Record):
    """Who holds a lease or a link: one interface of one container.

    `ifname` is empty in leases that old versions of host-local wrote.
    """

    container_id: ContainerId
    ifname: InterfaceName


class Interface(Record):
    """A link named in a result. `sandbox` is empty for one on the host."""

    name: str
    mac: str = ""
    sandbox: str = ""
    mtu: int = 0
    socket_path: str = ""
    pci_id: str = ""
    extra: Json = EMPTY


class IPConfig(Record):
    """An address in a result; `interface` indexes the result's interfaces."""

    address: IPInterface
    gateway: IPAddress | None = None
    interface: int | None = None
    extra: Json = EMPTY


class Route(Record):
    """A route in a result or an IPAM section; `gw` None means the default gateway.

    `mtu` and `advmss` are in bytes; `table`, `priority` and `scope` are the
    kernel's numbers (None: not given).
    """

    dst: IPNetwork
    gw: IPAddress | None = None
    mtu: int = 0
    advmss: int = 0
    priority: int | None = None
    table: int | None = None
    scope: int | None = None
    extra: Json = EMPTY


class DNS(Record):
    """Resolver settings, passed through to the runtime."""

    nameservers: tuple[str, ...] = ()
    domain: str = ""
    search: tuple[str, ...] = ()
    options: tuple[str, ...] = ()


class Result(Record):
    """What ADD answers, independent of the version it is printed in."""

    interfaces: tuple[Interface, ...] = ()
    ips: tuple[IPConfig, ...] = ()
    routes: tuple[Route, ...] = ()
    dns: DNS = DNS()
    extra: Json = EMPTY


class NetConf(Record):
    """One plugin's network configuration, as it came on stdin.

    `raw` is the whole decoded object; the other fields are what every plugin
    shares. `valid_attachments` is None where the runtime sent no list.
    """

    cni_version: str
    name: NetworkName
    type: str
    raw: Json
    ipam: Json = EMPTY
    runtime_config: Json = EMPTY
    args: Json = EMPTY
    dns: DNS = DNS()
    prev_result: Result | None = None
    valid_attachments: tuple[Owner, ...] | None = None


class Request(Record):
    """One call of the executable: environment and configuration, validated.

    `netns` is empty where a DEL came without one. `args` holds CNI_ARGS;
    `path` holds CNI_PATH's folders.
    """

    command: str
    container_id: ContainerId
    ifname: InterfaceName
    netns: str
    args: Mapping[str, str]
    path: tuple[str, ...]
    conf: NetConf

    @property
    def owner(self) -> Owner:
        """The attachment that this request is about."""
        return Owner(container_id=self.container_id, ifname=self.ifname)
