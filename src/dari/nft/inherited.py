"""Clears what the reference plugins put into the firewall for a pod that dari deletes.

A node that changes over has pods that they wired. Their chains are named after the
pod, so that they are found with no state; only those, and rules that lead to them,
are removed. What was made by iptables-legacy cannot be seen by nftables, and stays.

Source: the reference's pkg/utils (FormatChainName) and what its release 1.1.1 leaves.
May import: errors, model, netlink, nft.
"""

from __future__ import annotations

from dari.netlink.constants import NETLINK_NETFILTER
from dari.netlink.sock import NetlinkSocket
from dari.nft import probe

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from dari.model import Owner
    from dari.nft.library import Nft

_PREFIX = "CNI-"
_LONGEST_NAME = 28  # iptables' limit for a chain's name
_FAMILIES = ("ip", "ip6")
_TABLE = "nat"


def clear_masquerade(network: str, owner: Owner) -> None:
    """Remove the chains that masquerade what one pod sends.

    Raises:
        FirewallRefused: libnftables is missing or says no.
    """
    for family in _FAMILIES:
        _remove(family, [_chain(network, owner)])


def clear_host_ports(network: str, owner: Owner) -> None:
    """Remove the chains that lead host ports to one pod.

    Raises:
        FirewallRefused: libnftables is missing or says no.
    """
    for family in _FAMILIES:
        _remove(family, [_chain(network, owner, "DN-")])


def clear_guard(owner: Owner) -> None:
    """Remove the chains that hold one pod to its MAC.

    Raises:
        FirewallRefused: libnftables is missing or says no.
    """
    name = f"cni-br-iface-{owner.container_id}-{owner.ifname}"
    _remove("bridge", [name, f"{name}-mac"])


def _chain(network: str, owner: Owner, infix: str = "") -> str:
    import hashlib  # 4 ms, spent only on a pod that is not dari's

    digest = hashlib.sha512(f"{network}{owner.container_id}".encode()).hexdigest()
    return f"{_PREFIX}{infix}{digest}"[:_LONGEST_NAME]


def _remove(family: str, chains: Sequence[str]) -> None:
    with NetlinkSocket(NETLINK_NETFILTER) as sock:
        there = [each for each in chains if probe.has_chain(sock, family, _TABLE, each)]
    if not there:
        return
    from dari.nft.library import Nft  # costs 4 ms; only where there is something to remove

    with Nft() as nft:
        lines = [*_jumps(nft, family, there)]
        lines += [f"flush chain {family} {_TABLE} {each}" for each in there]
        lines += [f"delete chain {family} {_TABLE} {each}" for each in there]
        nft.run("\n".join([*lines, ""]))


def _jumps(nft: Nft, family: str, chains: Sequence[str]) -> Iterator[str]:
    """Deletions of the rules of other chains that lead to these."""
    for item in nft.query(f"list table {family} {_TABLE}"):
        rule = item.get("rule")
        if isinstance(rule, dict) and rule["chain"] not in chains and _leads(rule, chains):
            yield f"delete rule {family} {_TABLE} {rule['chain']} handle {rule['handle']}"


def _leads(rule: dict[str, object], chains: Sequence[str]) -> bool:
    steps = rule.get("expr")
    assert isinstance(steps, list)
    jumps = [step.get("jump") for step in steps if isinstance(step, dict)]
    return any(isinstance(each, dict) and each.get("target") in chains for each in jumps)
