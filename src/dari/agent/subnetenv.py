"""What flannel tells others of a node, as text: ``/run/flannel/subnet.env``.

Its CNI plugin reads it at every ADD, and so do scripts.

Source: facts read from flannel v0.28; docs/backends.md has them.
May import: model.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from dari.model import IPInterface, IPNetwork

_FAMILY = {4: "", 6: "IPV6_"}


def render(
    cluster: Sequence[IPNetwork], gateways: Sequence[IPInterface], mtu: int, masquerade: bool
) -> str:
    """The file's text; of several ranges of a family, the first.

    Args:
        cluster: all nodes' pods.
        gateways: this node's first address in each of its ranges.
        mtu: of pods, in bytes.
        masquerade: does the agent masquerade, so that a plugin need not?
    """
    lines = []
    for version, infix in _FAMILY.items():
        network = next((each for each in cluster if each.version == version), None)
        subnet = next((each for each in gateways if each.version == version), None)
        if network and subnet:
            lines += [f"FLANNEL_{infix}NETWORK={network}", f"FLANNEL_{infix}SUBNET={subnet}"]
    lines += [f"FLANNEL_MTU={mtu}", f"FLANNEL_IPMASQ={str(masquerade).lower()}"]
    return "".join(f"{line}\n" for line in lines)
