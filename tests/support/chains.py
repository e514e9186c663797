"""One pod's network in the three ways that a runtime may run it, and dari's runtime's side of it.

`PLAIN` is the first slice's: bridge and addresses. `FIVE` chains the reference's plugins
behind it, a process each, and `ONE_CALL` has the same done by one call of type `dari`.
All are of both families.
"""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence

from dari.cni.runtime.cache import Attachment
from dari.cni.runtime.chain import Chain
from dari.cni.runtime.conflist import read_list
from dari.model import ContainerId, InterfaceName
from dari.paths import Paths
from tests.support.executable import BIN_DIR, CHAINED, WIRING
from tests.support.networks import BRIDGE, FIREWALL, LIMITS, NETWORK, PORTS

NAMES = (*WIRING, *CHAINED)
VERSION = "1.0.0"
IPAM = {
    "type": "host-local",
    "ranges": [[{"subnet": "10.22.0.0/24"}], [{"subnet": "fd00:22::/64"}]],
    "routes": [{"dst": "0.0.0.0/0"}, {"dst": "::/0"}],
}
SYSCTL = {"net.ipv4.conf.IFNAME.arp_filter": "1", "net.core.somaxconn": "99"}
TUNING = {"type": "tuning", "sysctl": SYSCTL, "mtu": 1400}
_BRIDGE = {
    **{key: BRIDGE[key] for key in BRIDGE if key not in ("cniVersion", "name")},
    "ipam": IPAM,
}
_RATES = {key: LIMITS[key] for key in LIMITS if key != "type"}
_ASKED = {"portMappings": True, "bandwidth": True}
_SINGLE = {
    **_BRIDGE,
    "type": "dari",
    "hairpinMode": True,
    "mtu": 1400,
    "sysctl": SYSCTL,
    "ingressPolicy": FIREWALL["ingressPolicy"],
    "capabilities": _ASKED,
}
_SHAPING = {"type": "bandwidth", "capabilities": _ASKED}

Plugins = Sequence[Mapping[str, object]]
PLAIN: Plugins = (_BRIDGE,)
FIVE: Plugins = ({**_BRIDGE, "hairpinMode": True}, PORTS, _SHAPING, FIREWALL, TUNING)
ONE_CALL: Plugins = (_SINGLE,)
WAYS: Mapping[str, Plugins] = {"plain": PLAIN, "five": FIVE, "one-call": ONE_CALL}


def chain(
    plugins: Plugins,
    *,
    folders: Sequence[str] = (BIN_DIR,),
    environ: Mapping[str, str] | None = None,
) -> Chain:
    """A network of these plugins, for a runtime that finds them in `folders`."""
    listed = {"cniVersion": VERSION, "name": NETWORK, "plugins": [dict(each) for each in plugins]}
    return Chain(
        read_list(listed),
        folders=folders,
        results=Paths().results,
        environ={"PATH": os.environ["PATH"], **(environ or {})},
    )


def pod(container: str, netns: str, port: int = 8080, *, udp: bool = True) -> Attachment:
    """A pod that asks for a host port, of TCP and perhaps of UDP, and for limits both ways."""
    protocols = ("tcp", "udp") if udp else ("tcp",)
    mappings = [
        {"hostPort": port, "containerPort": 80, "protocol": protocol} for protocol in protocols
    ]
    return Attachment(
        container_id=ContainerId(container),
        ifname=InterfaceName("eth0"),
        netns=netns,
        capability_args={"portMappings": mappings, "bandwidth": _RATES},
    )
