"""The section of the table that masquerades: the only one that a plain pod needs.

May import: model, nft.entries, nft.section.
"""

from __future__ import annotations

from dari.nft.section import FAMILIES, Section

TYPE_CHECKING = False
if TYPE_CHECKING:
    from dari.model import IPNetwork
    from dari.nft.entries import Masqueraded

CHAIN = "postrouting"
_MULTICAST = {4: "224.0.0.0/4", 6: "ff00::/8"}


def masquerade_section(entry: Masqueraded) -> Section:
    """What leaves `sources` is masqueraded, unless it goes to `spared` or is multicast."""
    lines: list[str] = []
    for version, _, kind in FAMILIES:
        lines += _set_lines(f"masquerade{version}", kind, _of(entry.sources, version))
        lines += _set_lines(f"spared{version}", kind, _of(entry.spared, version))
    lines += [
        f"\tchain {CHAIN} {{",
        "\t\ttype nat hook postrouting priority srcnat; policy accept;",
    ]
    lines += [
        f"\t\t{ip} saddr @masquerade{version} {ip} daddr != @spared{version} "
        f"{ip} daddr != {_MULTICAST[version]} masquerade fully-random"
        for version, ip, _ in FAMILIES
    ]
    return Section(chain=CHAIN, uses=len(FAMILIES), text="\n".join([*lines, "\t}", ""]))


def _of(networks: tuple[IPNetwork, ...], version: int) -> list[str]:
    return [str(network) for network in networks if network.version == version]


def _set_lines(name: str, kind: str, elements: list[str]) -> list[str]:
    lines = [f"\tset {name} {{", f"\t\ttype {kind}; flags interval; auto-merge;"]
    if elements:
        lines.append(f"\t\telements = {{ {', '.join(elements)} }}")
    return [*lines, "\t}"]
