"""What an agent is told to do, validated: settings in, one record out.

Every error names the option and where it was given.

May import: errors, model, paths, record, store, agent.backends, agent.options,
agent.reader.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from ipaddress import ip_network
from typing import TYPE_CHECKING

from dari.addr import parse_address
from dari.agent.backends import BackendConfig, read_backend
from dari.agent.messages import _
from dari.agent.options import Settings
from dari.agent.reader import Reader
from dari.errors import BadConfig
from dari.model import NodeName
from dari.paths import Paths
from dari.record import Record
from dari.store.ranges import DEFAULT_PREFIX, ClusterRange
from dari.store.record import (
    HostFacts,
    parse_name,
    parse_node_address,
    parse_pod_range,
    refuse_overlap,
)

if TYPE_CHECKING:
    from dari.model import IPAddress, IPNetwork

NODE, ROUTER = "node", "router"
LOG_LEVELS = ("debug", "info", "warning", "error")
STORES = ("local", "etcd", "kubernetes")
ETCD_ENDPOINT = "http://127.0.0.1:2379"
ETCD_PREFIX = "/dari"
CONF_DIR = "/etc/cni/net.d"
BRIDGE = "cni0"
METRICS = ("127.0.0.1", 9473)
_DEFAULT_CLUSTER = {4: ip_network("10.244.0.0/16"), 6: ip_network("fd00:10:244::/56")}
_SMALLEST_RANGE = {4: 30, 6: 126}  # longest prefix that has room for a gateway and a pod
_NOT_IN_A_NAME = re.compile(r"[^-a-z0-9.]")
_LINK_NAME = re.compile(r"[^\s/:]{1,15}\Z")


class AgentConfig(Record):
    """The agent's orders; defaults serve the one machine it is on.

    Attributes:
        node_addresses: given ones; empty: found out by itself.
        interface: whose addresses are the node's; empty: found out by itself.
        pod_ranges: given ones; empty: allotted from `cluster_ranges`.
        store_grace: seconds that nodes are kept which the store lost (see `memory`).
        etcd_endpoints: URLs of members of one cluster.
        kubeconfig: a file's path; empty: the pod's service account.
        backend: how nodes reach each other's pods.
        mtu: of pods and bridge in bytes; 0: the underlay's, less what a tunnel adds.
        check_every: seconds between full comparisons.
        gc_grace: seconds that a DEL may take to come once a namespace is gone.
        host: the machine that it runs on.
        metrics_listen: host and port of metrics, health and readiness; port 0: off.
    """

    node_name: NodeName
    cluster_ranges: tuple[ClusterRange, ...]
    store_dir: str
    role: str = NODE
    node_addresses: tuple[IPAddress, ...] = ()
    interface: str = ""
    pod_ranges: tuple[IPNetwork, ...] = ()
    store: str = "local"
    store_grace: float = 600.0
    etcd_endpoints: tuple[str, ...] = (ETCD_ENDPOINT,)
    etcd_prefix: str = ETCD_PREFIX
    etcd_ca: str = ""
    etcd_cert: str = ""
    etcd_key: str = ""
    etcd_user: str = ""
    etcd_password_file: str = ""
    kubeconfig: str = ""
    kube_context: str = ""
    backend: BackendConfig = BackendConfig()
    conf_dir: str = CONF_DIR
    bridge: str = BRIDGE
    mtu: int = 0
    masquerade: bool = True
    check_every: float = 10.0
    gc_grace: float = 60.0
    metrics_listen: tuple[str, int] = METRICS
    log_level: str = "info"
    host: HostFacts = HostFacts()

    @property
    def versions(self) -> tuple[int, ...]:
        """The IP versions that pods have addresses of."""
        networks = [*self.pod_ranges, *(each.network for each in self.cluster_ranges)]
        return tuple(sorted({network.version for network in networks}))


def read_config(settings: Settings, paths: Paths, host_name: str, kernel: str = "") -> AgentConfig:
    """Validate settings and fill in what they leave out.

    Args:
        settings: from `options.gather`.
        paths: gives the local store's default folder.
        host_name: the node's name, unless settings have one.
        kernel: the running kernel's release.

    Raises:
        BadConfig: it names the option and where it was given.
    """
    reader = Reader(settings)
    cluster_ranges = _cluster_ranges(reader)
    mtu = int(reader.number("mtu", 0, {0}, 576, 65535))
    return AgentConfig(
        node_name=reader.text("node-name", parse_name) or _name_from(host_name),
        cluster_ranges=cluster_ranges,
        store_dir=reader.text("store-dir", _folder) or f"{paths.var}/store",
        role=reader.choice("role", (NODE, ROUTER)),
        node_addresses=_one_of_each_family(reader),
        interface=reader.text("interface", _link_name) or "",
        pod_ranges=_pod_ranges(reader, cluster_ranges),
        store=reader.choice("store", STORES),
        store_grace=reader.number("store-grace", 600.0, set(), 0, 86400),
        etcd_endpoints=reader.each("etcd-endpoint", _words) or (ETCD_ENDPOINT,),
        etcd_prefix=reader.text("etcd-prefix", _folder) or ETCD_PREFIX,
        etcd_ca=reader.text("etcd-ca", _folder) or "",
        etcd_cert=reader.text("etcd-cert", _folder) or "",
        etcd_key=reader.text("etcd-key", _folder) or "",
        etcd_user=reader.text("etcd-user", _words) or "",
        etcd_password_file=reader.text("etcd-password-file", _folder) or "",
        kubeconfig=reader.text("kubeconfig", _folder) or "",
        kube_context=reader.text("kube-context", _words) or "",
        backend=read_backend(reader, mtu, kernel),
        conf_dir=reader.text("conf-dir", _folder) or CONF_DIR,
        bridge=reader.text("bridge", _link_name) or BRIDGE,
        mtu=mtu,
        masquerade=reader.switch("masquerade", True),
        check_every=reader.number("check-every", 10.0, set(), 0.5, 3600),
        gc_grace=reader.number("gc-grace", 60.0, set(), 0.5, 86400),
        metrics_listen=reader.text("metrics-listen", _listen_address) or METRICS,
        log_level=reader.choice("log-level", LOG_LEVELS, "info"),
    )


def _cluster_ranges(reader: Reader) -> tuple[ClusterRange, ...]:
    given = reader.each("cluster-range", parse_pod_range)
    label = reader.label("cluster-range")
    refuse_overlap(given, label)
    wanted = {4} if not given else set()
    if reader.switch("ipv6", False):
        wanted.add(6)
    have = {network.version for network in given}
    given += tuple(_DEFAULT_CLUSTER[version] for version in sorted(wanted - have))
    sizes = {version: _size(reader, version) for version in sorted(DEFAULT_PREFIX)}
    for network in given:
        if network.prefixlen > sizes[network.version]:
            raise BadConfig(
                _("{label}: {network} is smaller than one node's range of /{length}").format(
                    label=label, network=network, length=sizes[network.version]
                ),
                _("give a shorter prefix, or a longer --range-size-v{version}").format(
                    version=network.version
                ),
            )
    return tuple(ClusterRange(network=each, node_prefix=sizes[each.version]) for each in given)


def _pod_ranges(reader: Reader, clusters: Sequence[ClusterRange]) -> tuple[IPNetwork, ...]:
    given = reader.each("pod-range", parse_pod_range)
    label = reader.label("pod-range")
    refuse_overlap(given, label)
    for version in sorted({each.network.version for each in clusters}):
        if given and not any(each.version == version for each in given):
            raise BadConfig(
                _("{label}: none of IPv{version}, of which the cluster has a range").format(
                    label=label, version=version
                ),
                _("give one of each family, or none to have them allotted"),
            )
    return given


def _name_from(host_name: str) -> NodeName:
    """A host's name as a node's: DNS allows less than host names in use have."""
    allowed = _NOT_IN_A_NAME.sub("-", host_name.lower()).strip("-.")
    return parse_name(allowed, _("host name {name!r}").format(name=host_name))


def _one_of_each_family(reader: Reader) -> tuple[IPAddress, ...]:
    given = reader.each("node-address", parse_node_address)
    if len({address.version for address in given}) < len(given):
        raise BadConfig(
            _("{label}: more than one address of a family").format(
                label=reader.label("node-address")
            )
        )
    return given


def _size(reader: Reader, version: int) -> int:
    """Prefix length of a node's range."""
    most = _SMALLEST_RANGE[version]
    return int(reader.number(f"range-size-v{version}", DEFAULT_PREFIX[version], set(), 8, most))


def _folder(value: object, label: str) -> str:
    if not isinstance(value, str) or not value.startswith("/"):
        raise BadConfig(
            _("{label}: {value!r} is not a path from the root on").format(label=label, value=value)
        )
    return value.rstrip("/") or "/"


def _words(value: object, label: str) -> str:
    if not isinstance(value, str) or not value.strip():
        raise BadConfig(_("{label}: {value!r} is not a text").format(label=label, value=value))
    return value.strip()


def _listen_address(value: object, label: str) -> tuple[str, int]:
    if value == "off":
        return ("", 0)
    host, colon, port = value.rpartition(":") if isinstance(value, str) else ("", "", "")
    if not colon or not port.isdecimal() or not 0 < int(port) < 65536:
        raise BadConfig(
            _("{label}: {value!r} is not ADDRESS:PORT, nor off").format(label=label, value=value)
        )
    return (str(parse_address(host.strip("[]"), label)), int(port))


def _link_name(value: object, label: str) -> str:
    if not isinstance(value, str) or value in (".", "..") or not _LINK_NAME.match(value):
        raise BadConfig(
            _("{label}: {value!r} is not a link's name of 1 to 15 characters").format(
                label=label, value=value
            )
        )
    return value
