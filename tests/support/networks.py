"""Network configurations that runtimes are given in tests."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path

CONF_DIR = Path("/etc/cni/net.d")
NETWORK = "mynet"
LEASES = Path("/var/lib/cni/networks", NETWORK)

BRIDGE: dict[str, object] = {
    "cniVersion": "0.2.0",
    "name": NETWORK,
    "type": "bridge",
    "bridge": "cni0",
    "isGateway": True,
    "ipMasq": True,
    "ipam": {
        "type": "host-local",
        "subnet": "10.22.0.0/16",
        "routes": [{"dst": "0.0.0.0/0"}],
    },
}
"""The notes' /etc/cni/net.d/10-bridge.conf."""


PORTS = {"type": "portmap", "capabilities": {"portMappings": True}, "snat": True}
FIREWALL = {"type": "firewall", "ingressPolicy": "same-bridge"}
TUNING = {"type": "tuning", "sysctl": {"net.core.somaxconn": "99"}}
LIMITS = {
    "type": "bandwidth",
    "ingressRate": 800_000_000,
    "ingressBurst": 8_000_000,
    "egressRate": 800_000_000,
    "egressBurst": 8_000_000,
}
CHAIN: tuple[Mapping[str, object], ...] = (
    {**BRIDGE, "hairpinMode": True},
    TUNING,
    LIMITS,
    FIREWALL,
    PORTS,
)
"""Everything that the reference's chained plugins do, in one list."""


def write_conf(conf: dict[str, object]) -> None:
    """Put one plugin's configuration where the runtime reads it, as 10-bridge.conf."""
    CONF_DIR.mkdir(parents=True, exist_ok=True)
    (CONF_DIR / "10-bridge.conf").write_text(json.dumps(conf))


def write_list(conf: dict[str, object], version: str = "0.4.0") -> None:
    """The same as a list of one, as 10-bridge.conflist, the only form that Podman reads."""
    plugin = {key: value for key, value in conf.items() if key not in ("cniVersion", "name")}
    document = {"cniVersion": version, "name": conf["name"], "plugins": [plugin]}
    CONF_DIR.mkdir(parents=True, exist_ok=True)
    (CONF_DIR / "10-bridge.conflist").write_text(json.dumps(document))


def write_chain(plugins: Sequence[Mapping[str, object]], version: str = "0.4.0") -> None:
    """Put a list of several plugins where the runtime reads it, as 10-bridge.conflist."""
    shared = ("cniVersion", "name")
    listed = [{key: each[key] for key in each if key not in shared} for each in plugins]
    document = {"cniVersion": version, "name": NETWORK, "plugins": listed}
    CONF_DIR.mkdir(parents=True, exist_ok=True)
    (CONF_DIR / "10-bridge.conflist").write_text(json.dumps(document))


def leases(folder: Path = LEASES) -> set[str]:
    """The addresses that host-local's folder holds."""
    others = ("last_reserved_ip", "lock")
    return {each.name for each in folder.iterdir() if not each.name.startswith(others)}
