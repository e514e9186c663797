"""Lets pods' packets through the site's own filter, where that drops what it does not know.

An accept in dari's table does not help against a drop in another: each base chain
decides for itself. Where iptables' FORWARD chain has the policy DROP, as Docker sets
it, the reference's firewall plugin puts rules of its own into it. dari puts one there
(in iptables' own words, so that its programs can read and keep it), which accepts
what dari's chain marked (`nft.forwarded`); what is per pod stays in dari's table.

Only the iptables that is made of nftables can be opened so.

Source: iptables-nft's use of nftables (tables `ip filter`, `ip6 filter`).
May import: errors, nft.
"""

from __future__ import annotations

from dari.nft import probe
from dari.nft.forwarded import MARK
from dari.nft.tools import FRESH

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

    from dari.nft.library import Nft
    from dari.nft.tools import Tools

COMMENT = "dari: what its table has marked"
_FAMILIES = ("ip", "ip6")
_TABLE, _CHAIN = "filter", "FORWARD"
_RULE = f'meta mark & {MARK:#x} == {MARK:#x} counter accept comment "{COMMENT}"'


def open_filters(tools: Tools = FRESH) -> list[str]:
    """Put the rule where it is needed and missing; in words what was opened.

    Equivalent to: ``iptables -I FORWARD -m mark --mark 0x1000/0x1000 -j ACCEPT``.

    Raises:
        FirewallRefused: libnftables is missing or says no.
    """
    closed = closed_filters(tools)
    if closed:
        with tools.library() as nft:
            nft.run("".join(f"insert rule {each} {_RULE}\n" for each in closed))
    return [f"opened {each}" for each in closed]


def closed_filters(tools: Tools = FRESH) -> list[str]:
    """The chains that drop pods' packets, because the rule is missing there.

    Raises:
        FirewallRefused: libnftables is missing.
    """
    with tools.socket() as sock:
        dropping = [each for each in _FAMILIES if probe.drops(sock, each, _TABLE, _CHAIN)]
    if not dropping:
        return []
    with tools.library() as nft:
        chains = [f"{each} {_TABLE} {_CHAIN}" for each in dropping]
        return [each for each in chains if not any(True for _ in _handles(nft, each))]


def close_filters(tools: Tools = FRESH) -> None:
    """Take the rule out again, wherever it is.

    Raises:
        FirewallRefused: libnftables is missing or says no.
    """
    with tools.library() as nft:
        present = [each for each in _chains(nft) if each.split()[0] in _FAMILIES]
        for chain in (f"{each} {_TABLE} {_CHAIN}" for each in _FAMILIES):
            if chain in present:
                for handle in _handles(nft, chain):
                    nft.run(f"delete rule {chain} handle {handle}")


def hopeless_filters() -> list[str]:
    """Chains of others that drop all that is forwarded, whatever it is.

    A chain with the policy DROP and with rules may well let pods through, which
    cannot be told from here; one without any rule cannot.

    Raises:
        FirewallRefused: libnftables is missing.
    """
    openable = {f"{each} {_TABLE} {_CHAIN}" for each in _FAMILIES}
    with FRESH.library() as nft:
        return [
            chain
            for chain in _chains(nft, dropping=True)
            if chain not in openable and not any("rule" in each for each in _objects(nft, chain))
        ]


def _chains(nft: Nft, *, dropping: bool = False) -> Iterator[str]:
    """Base chains on the way of forwarded packets: family, table, name."""
    for item in nft.query("list chains"):
        chain = item.get("chain")
        if isinstance(chain, dict) and chain.get("hook") == "forward":
            ip = chain["family"] in (*_FAMILIES, "inet")
            if ip and (not dropping or chain.get("policy") == "drop"):
                yield f"{chain['family']} {chain['table']} {chain['name']}"


def _handles(nft: Nft, chain: str) -> Iterator[int]:
    for item in _objects(nft, chain):
        rule = item.get("rule")
        if isinstance(rule, dict) and rule.get("comment") == COMMENT:
            yield int(rule["handle"])


def _objects(nft: Nft, chain: str) -> list[dict[str, object]]:
    return nft.query(f"list chain {chain}")
