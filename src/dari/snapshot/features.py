"""Reads which features the running kernel was built without.

Only a kernel that says how it was built can lack something; of another nothing is claimed.

Source: Linux' Kconfig; /proc/config.gz (CONFIG_IKCONFIG_PROC), or where
distributions put the same text.
May import: nothing of dari.
"""

from __future__ import annotations

import gzip
import os
from collections.abc import Iterable, Mapping

FEATURES: Mapping[str, str] = {
    "bridge": "CONFIG_BRIDGE",
    "veth": "CONFIG_VETH",
    "vxlan": "CONFIG_VXLAN",
    "nf_tables": "CONFIG_NF_TABLES",
    "nft_masq": "CONFIG_NFT_MASQ",
    "nf_conntrack": "CONFIG_NF_CONNTRACK",
    "br_netfilter": "CONFIG_BRIDGE_NETFILTER",
    "ipv6": "CONFIG_IPV6",
}
"""Each feature by its module's name, and the switch that builds it."""


def read_lacking() -> tuple[str, ...]:
    """The features that this kernel was built without; none where it does not say."""
    return tuple(lacking(_configuration(os.uname().release)))


def lacking(lines: Iterable[str]) -> Iterable[str]:
    """Features of a kernel built so: ``CONFIG_X=y`` is in it, ``=m`` a module.

    Args:
        lines: of the kernel's configuration; empty: it is not known.
    """
    set_on = {line.partition("=")[0] for line in lines if line.rstrip().endswith(("=y", "=m"))}
    return [name for name, switch in FEATURES.items() if set_on and switch not in set_on]


def _configuration(release: str) -> list[str]:
    try:
        with gzip.open("/proc/config.gz", "rt", encoding="ascii", errors="replace") as stream:
            return stream.readlines()
    except (OSError, EOFError):
        pass
    for path in (f"/boot/config-{release}", f"/lib/modules/{release}/config"):
        try:
            with open(path, encoding="ascii", errors="replace") as stream:
                return stream.readlines()
        except OSError:
            continue
    return []
