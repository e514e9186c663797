"""A small healthy node as a snapshot has it, for the doctor's checks to find nothing wrong with."""

from __future__ import annotations

from ipaddress import IPv4Interface, ip_address, ip_interface, ip_network

from dari.addr import mac_of
from dari.model import ContainerId, InterfaceName, NodeName, Owner
from dari.netlink.address import Address
from dari.netlink.link import Link
from dari.netlink.route import KernelRoute
from dari.snapshot.health import DARI, Executable, Health, NetworkFile, Room, Runtime
from dari.snapshot.model import (
    Attached,
    ConfFile,
    Host,
    Lease,
    Machine,
    Orders,
    Place,
    Pod,
    Snapshot,
)
from dari.store.record import NodeRecord
from dari.wiring.names import host_end

ETH0, CNI0, CABLE = 2, 3, 4
OWN, PEER = ip_network("10.244.1.0/24"), ip_network("10.244.2.0/24")
MACS = {"node1": "02:1a:0a:00:01:0b", "node2": "02:1a:0a:00:01:0c"}
POD = ip_address("10.244.1.2")
HOST_END = host_end(Owner(container_id=ContainerId("pod-a"), ifname=InterfaceName("eth0")))
CONF = "/etc/cni/net.d/10-dari.conflist"
LEASE = "/run/dari/leases/dari/10.244.1.2"
_BRIDGE_MAC = "da:da:00:00:00:01"


def link(index: int, name: str, mac: str, kind: str = "", *, master: int = 0) -> Link:
    """A link that is up, with an MTU of 1500."""
    return Link(index=index, name=name, kind=kind, mac=mac, mtu=1500, up=True, master=master)


def address(index: int, text: str) -> Address:
    """An address of a link."""
    return Address(index=index, interface=ip_interface(text))


def record(name: str, number: int) -> NodeRecord:
    """A node's record: node2 is 10.0.1.12 and has 10.244.2.0/24."""
    return NodeRecord(
        name=NodeName(name),
        addresses=(ip_address(f"10.0.1.{10 + number}"),),
        pod_ranges=(ip_network(f"10.244.{number}.0/24"),),
        mac=MACS[name],
        backend={"type": "direct"},
        updated=1_000_000.0,
    )


def pod() -> Pod:
    """One pod, wired."""
    interface = IPv4Interface(f"{POD}/24")
    return Pod(
        name="default/a",
        netns="/run/netns/a",
        attachments=(
            Attached(
                container_id="pod-a",
                ifname="eth0",
                network="dari",
                type="dari",
                bridge="cni0",
                host_end=HOST_END,
            ),
        ),
        place=Place(
            inode=2,
            links=(link(2, "eth0", mac_of(POD), "veth"),),
            addresses=(Address(index=2, interface=interface),),
            routes=(KernelRoute(dst=ip_network("0.0.0.0/0"), gateway=OWN[1], device=2),),
        ),
    )


def runtime() -> Runtime:
    """Dari's own folders, with its configuration and executable."""
    plugin = {"type": "dari", "bridge": "cni0", "ipMasq": False}
    return Runtime(
        name=DARI,
        running=True,
        conf_dir="/etc/cni/net.d",
        bin_dirs=("/opt/cni/bin",),
        files=(NetworkFile(path=CONF, network="dari", cni_version="1.0.0", plugins=(plugin,)),),
        executables=(Executable(type="dari", path="/opt/cni/bin/dari", versions=("1.0.0",)),),
    )


def _ruleset() -> tuple[dict[str, object], ...]:
    place = {"family": "inet", "table": "dari"}
    held = {"prefix": {"addr": "10.244.1.0", "len": 24}}
    return (
        {"set": {**place, "name": "masquerade4", "elem": [held]}},
        {"rule": {**place, "chain": "postrouting", "handle": 6, "expr": [{"masquerade": None}]}},
    )


def machine() -> Machine:
    """The node: node1, one pod, one peer, direct routes."""
    sysctls = {"net/ipv4/ip_forward": "1", "net/ipv4/conf/all/rp_filter": "0"}
    return Machine(
        name="node1",
        place=Place(
            inode=1,
            links=(
                link(ETH0, "eth0", MACS["node1"]),
                link(CNI0, "cni0", _BRIDGE_MAC, "bridge"),
                link(CABLE, HOST_END, "da:da:00:00:00:02", "veth", master=CNI0),
            ),
            addresses=(address(ETH0, "10.0.1.11/24"), address(CNI0, "10.244.1.1/24")),
            routes=(
                KernelRoute(
                    dst=ip_network("0.0.0.0/0"), gateway=ip_address("10.0.1.254"), device=ETH0
                ),
                KernelRoute(dst=ip_network("10.0.1.0/24"), device=ETH0, protocol=2),
                KernelRoute(dst=PEER, gateway=ip_address("10.0.1.12"), device=ETH0, protocol=79),
            ),
            sysctls=sysctls,
            ruleset=_ruleset(),
            connections=1,
            most_connections=1000,
        ),
        pods=(pod(),),
        record=record("node1", 1),
        peers=(record("node2", 2),),
        orders=Orders(
            node_name="node1",
            conf_dir="/etc/cni/net.d",
            bridge="cni0",
            backend="direct",
            cluster_ranges=(ip_network("10.244.0.0/16"),),
        ),
        agent={"ready": True, "version": "0.1.0", "store": {"reachable": True}},
        leases=(
            Lease(path=LEASE, network="dari", address=POD, container_id="pod-a", ifname="eth0"),
        ),
        conf=(ConfFile(path=CONF, network="dari"),),
        host=Host(name="node1", time=1_000_001.0, boot_id="b1", product_uuid="u1", kernel="6.1"),
        health=Health(
            rooms=(Room(path="/run", bytes_free=1 << 30, files_free=9999, files=10000),),
            processors=4,
            memory=8 << 20,
            agent=77,
            open_files=20,
            most_files=1024,
            runtimes=(runtime(),),
        ),
    )


def snapshot(*machines: Machine, lab: str = "") -> Snapshot:
    """Of machines; without any, of the healthy one."""
    return Snapshot(machines=machines or (machine(),), lab=lab)
