"""The network configuration that the runtime reads: pure text.

Source: CNI SPEC.md 1.1.0, "Network configuration format"; the keys of bridge and
host-local are the reference plugins'.
May import: addr, errors, fields, jsontext, model.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import TYPE_CHECKING

from dari import jsontext
from dari.addr import parse_network
from dari.errors import DariError
from dari.fields import items, section
from dari.model import NetworkName

if TYPE_CHECKING:
    from dari.model import IPNetwork

FILE = "10-dari.conflist"
NETWORK = NetworkName("dari")


def render(
    ranges: Sequence[IPNetwork], *, bridge: str, mtu: int, leases: str, masquerade: bool
) -> str:
    """The text of ``10-dari.conflist``.

    Args:
        ranges: the node's pod ranges; a pod gets an address of each family.
        bridge: the bridge's name.
        mtu: of pods and bridge in bytes; 0 leaves it to the kernel.
        leases: folder of the leases, in host-local's format.
        masquerade: whether each ADD sees to masquerading; false where an agent
            keeps it for the whole node.
    """
    families = [[each for each in ranges if each.version == version] for version in (4, 6)]
    plugin: dict[str, object] = {
        "type": "dari",
        "bridge": bridge,
        "isGateway": True,
        "isDefaultGateway": True,
        "ipMasq": masquerade,
        "hairpinMode": True,
        "capabilities": {"portMappings": True, "bandwidth": True},
        "ipam": {
            "type": "host-local",
            "dataDir": leases,
            "ranges": [[{"subnet": str(each)} for each in family] for family in families if family],
        },
    }
    if mtu:
        plugin["mtu"] = mtu
    document = {
        "cniVersion": "1.0.0",
        "cniVersions": ["1.0.0", "1.1.0"],
        "name": NETWORK,
        "plugins": [plugin],
    }
    return json.dumps(document, indent=2) + "\n"


def parse_ranges(content: bytes) -> tuple[IPNetwork, ...] | None:
    """The pod ranges in a text that `render` made; None where it is another's text."""
    try:
        plugins = items(jsontext.decode(content, FILE), "plugins")
        ours = [each for each in plugins if isinstance(each, dict) and each.get("type") == "dari"]
        if len(ours) != 1:
            return None
        pools = items(section(ours[0], "ipam"), "ranges")
        found = [each for pool in pools if isinstance(pool, list) for each in pool]
        return tuple(
            parse_network(each.get("subnet"), "subnet") for each in found if isinstance(each, dict)
        )
    except DariError:
        return None
