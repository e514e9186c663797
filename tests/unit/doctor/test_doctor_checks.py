"""Each check: silent on a healthy node, and naming the cause of what is broken."""

from __future__ import annotations

import shlex
from collections.abc import Callable, Mapping
from ipaddress import ip_address, ip_interface, ip_network
from typing import Any

import pytest

from dari.causes.catalogue import CAUSES
from dari.doctor.checks import CHECKS, NOTES, TOGETHER, examine
from dari.doctor.layout import render
from dari.doctor.node import view
from dari.doctor.roles import roles_of
from dari.netlink.neighbour import Neighbour
from dari.netlink.route import KernelRoute
from dari.netlink.rule import Rule
from dari.snapshot.health import (
    ApiServer,
    Executable,
    Listener,
    NetworkFile,
    Probe,
    Program,
    Room,
    Runtime,
)
from dari.snapshot.model import RIGHTS, Lease, Machine, Orders
from dari.store.record import HostFacts
from dari.tables.layout import Style
from tests.support import patient
from tests.support.patient import CABLE, CNI0, ETH0, HOST_END, OWN, PEER, POD

Change = Callable[[Machine], Machine]
_OTHER = ip_address("10.0.1.99")
_STRANGE = "02:00:00:00:de:ad"


def placed(**changes: Any) -> Change:
    return lambda one: one.replace(place=one.place.replace(**changes))


def also(**more: Any) -> Change:
    """Append to fields of the place."""
    return lambda one: one.replace(
        place=one.place.replace(
            **{name: (*getattr(one.place, name), *values) for name, values in more.items()}
        )
    )


def relinked(name: str, **changes: Any) -> Change:
    return lambda one: one.replace(
        place=one.place.replace(
            links=tuple(
                each.replace(**changes) if each.name == name else each for each in one.place.links
            )
        )
    )


def without(field: str, wrong: Callable[[Any], bool]) -> Change:
    return lambda one: one.replace(
        place=one.place.replace(
            **{field: tuple(each for each in getattr(one.place, field) if not wrong(each))}
        )
    )


def switched(name: str, value: str) -> Change:
    return lambda one: one.replace(
        place=one.place.replace(sysctls={**one.place.sysctls, name: value})
    )


def in_pod(**changes: Any) -> Change:
    def change(one: Machine) -> Machine:
        pod = one.pods[0]
        assert pod.place is not None
        return one.replace(pods=(pod.replace(place=pod.place.replace(**changes)),))

    return change


def healthy_but(**changes: Any) -> Change:
    def change(one: Machine) -> Machine:
        assert one.health is not None
        return one.replace(health=one.health.replace(**changes))

    return change


def runtime(**changes: Any) -> Change:
    return healthy_but(runtimes=(patient.runtime().replace(**changes),))


def twin_pod(one: Machine) -> Machine:
    """A second pod beside the first, with its MAC and address."""
    first = one.pods[0]
    other = first.attachments[0].replace(container_id="pod-b", host_end="dariother")
    cable = patient.link(5, "dariother", "da:da:00:00:00:03", "veth", master=CNI0)
    pods = (first, first.replace(name="default/b", attachments=(other,)))
    return one.replace(pods=pods, place=one.place.replace(links=(*one.place.links, cable)))


def twin_mac(one: Machine) -> Machine:
    found = twin_pod(one)
    place = found.pods[1].place
    assert place is not None
    moved = (patient.address(2, "10.244.1.3/24"),)
    pods = (found.pods[0], found.pods[1].replace(place=place.replace(addresses=moved)))
    lease = Lease(
        path="/run/dari/leases/dari/10.244.1.3",
        network="dari",
        address=ip_address("10.244.1.3"),
        container_id="pod-b",
        ifname="eth0",
    )
    return found.replace(pods=pods, leases=(*found.leases, lease))


def filtered(hook: str, *expressions: Mapping[str, object], policy: str = "accept") -> Change:
    place = {"family": "inet", "table": "site"}
    base = {**place, "name": hook, "type": "filter", "hook": hook, "prio": 0, "policy": policy}
    rules = ({"rule": {**place, "chain": hook, "handle": 9, "expr": list(expressions)}},)
    return also(ruleset=({"chain": base}, *(rules if expressions else ())))


def of_bridge(hook: str, *expressions: Mapping[str, object], policy: str = "accept") -> Change:
    place = {"family": "bridge", "table": "site"}
    base = {**place, "name": hook, "type": "filter", "hook": hook, "prio": 0, "policy": policy}
    rules = ({"rule": {**place, "chain": hook, "handle": 9, "expr": list(expressions)}},)
    return also(ruleset=({"chain": base}, *(rules if expressions else ())))


def written_by(**host: Any) -> Change:
    """The peer's record tells of its machine."""
    return lambda one: one.replace(peers=(one.peers[0].replace(host=HostFacts(**host)),))


def probed(**found: Any) -> Change:
    probe = Probe(peer="node2", address=ip_address("10.0.1.12"), **found)
    return healthy_but(probes=(probe,))


def rewriting(hook: str, verb: str) -> Change:
    """A nat chain whose one rule rewrites what is for a peer's pod."""
    place = {"family": "inet", "table": "site"}
    base = {**place, "name": hook, "type": "nat", "hook": hook, "prio": 100, "policy": "accept"}
    left = {"payload": {"protocol": "ip", "field": "daddr"}}
    match = {"op": "==", "left": left, "right": str(PEER[2])}
    rule = {**place, "chain": hook, "handle": 9, "expr": [{"match": match}, {verb: None}]}
    return also(ruleset=({"chain": base}, {"rule": rule}))


def to_port(protocol: str, port: int) -> Mapping[str, object]:
    left = {"payload": {"protocol": protocol, "field": "dport"}}
    return {"match": {"op": "==", "left": left, "right": port}}


def vxlan(one: Machine) -> Machine:
    orders = one.orders or Orders(node_name="")
    return one.replace(orders=orders.replace(backend="vxlan", vni=79, port=4789))


def full(one: Machine) -> Machine:
    leases = [
        Lease(path=f"/run/dari/leases/dari/{each}", network="dari", address=ip_address(str(each)))
        for each in list(OWN.hosts())[1:]
    ]
    return one.replace(leases=tuple(leases))


def renamed(one: Machine) -> Machine:
    """Its settings call it node2, whose record is another machine's."""
    assert one.orders is not None
    return one.replace(orders=one.orders.replace(node_name="node2"))


def kubernetes(*listeners: Listener, programs: tuple[str, ...] = ("kube-apiserver",)) -> Change:
    running = tuple(Program(name=each, pid=9) for each in programs)
    return healthy_but(programs=running, listeners=listeners)


def at(port: int, program: str, address: str = "0.0.0.0") -> Listener:
    return Listener(protocol="tcp", address=ip_address(address), port=port, program=program, pid=9)


_LOST = KernelRoute(dst=PEER, gateway=_OTHER, device=ETH0, protocol=79)
_NODES, _NODE2 = ip_network("10.0.1.0/24"), ip_network("10.0.1.12/32")
_HALF = ip_network("10.244.2.0/25")
_BROKEN = NetworkFile(path="/etc/cni/net.d/00-new.conf", problem="00-new.conf: no JSON")
_EARLIER = NetworkFile(
    path="/etc/cni/net.d/05-x.conf",
    network="x",
    cni_version="1.0.0",
    plugins=({"type": "dari"},),
)
_KUBELET = Runtime(name="kubelet", flags=("--cni-bin/dir=/x",), sources=("kubelet.service",))

CASES: Mapping[str, tuple[str, str, Change]] = {
    # what is broken: the check that tells it, the cause, how it is broken
    "agent gone": ("agent runs", "DARI-801", lambda one: one.replace(agent={})),
    "agent waits": (
        "agent is ready",
        "DARI-802",
        lambda one: one.replace(agent={"ready": False, "waiting_for": ["an address"]}),
    ),
    "store gone": (
        "store",
        "DARI-803",
        lambda one: one.replace(agent={**one.agent, "store": {"reachable": False}}),
    ),
    "address changed": (
        "record",
        "DARI-105",
        placed(addresses=(patient.address(ETH0, "10.0.1.77/24"),)),
    ),
    "two ways out": (
        "node's address",
        "DARI-104",
        lambda one: also(
            links=(patient.link(9, "eth1", _STRANGE),),
            addresses=(patient.address(9, "10.9.0.1/24"),),
        )(without("routes", lambda each: not each.dst.prefixlen)(one)),
    ),
    "interface down": ("interface", "DARI-311", relinked("eth0", up=False)),
    "bridge gone": ("bridge", "DARI-301", without("links", lambda each: each.name == "cni0")),
    "bridge down": ("bridge", "DARI-302", relinked("cni0", up=False)),
    "bridge bare": ("bridge", "DARI-303", without("addresses", lambda each: each.index == CNI0)),
    "bridge narrow": ("bridge", "DARI-310", relinked("cni0", mtu=1400)),
    "docker's bridge": (
        "overlapping networks",
        "DARI-313",
        also(
            links=(patient.link(8, "docker0", _STRANGE, "bridge"),),
            addresses=(patient.address(8, "10.244.2.1/25"),),
        ),
    ),
    "cable down": ("cables", "DARI-306", relinked(HOST_END, up=False)),
    "cable unplugged": ("cables", "DARI-305", relinked(HOST_END, master=0)),
    "cable gone": ("cables", "DARI-307", without("links", lambda each: each.index == CABLE)),
    "pod's address gone": ("pods' interfaces", "DARI-308", in_pod(addresses=())),
    "pod's route gone": ("pods' interfaces", "DARI-309", in_pod(routes=())),
    "pod's MTU": (
        "pods' interfaces",
        "DARI-310",
        in_pod(links=(patient.link(2, "eth0", "0a:58:0a:f4:01:02").replace(mtu=9000),)),
    ),
    "pod's interface down": (
        "pods' interfaces",
        "DARI-307",
        in_pod(links=(patient.link(2, "eth0", "0a:58:0a:f4:01:02").replace(up=False),)),
    ),
    "two pods, one MAC": ("pods' MACs", "DARI-312", twin_mac),
    "two pods, one address": ("pods' addresses", "DARI-604", twin_pod),
    "no lease": ("addresses without lease", "DARI-605", lambda one: one.replace(leases=())),
    "no pod": ("leaked leases", "DARI-602", lambda one: one.replace(pods=())),
    "no room": ("full ranges", "DARI-601", full),
    "forwarding off": ("forwarding", "DARI-201", switched("net/ipv4/ip_forward", "0")),
    "forwarding off on the bridge": (
        "forwarding",
        "DARI-201",
        switched("net/ipv4/conf/cni0/forwarding", "0"),
    ),
    "strict": (
        "reverse path",
        "DARI-202",
        lambda one: switched("net/ipv4/conf/eth0/rp_filter", "1")(
            also(routes=(KernelRoute(dst=_HALF, device=9),))(one)
        ),
    ),
    "proxy": ("proxies", "DARI-206", switched("net/ipv4/conf/eth0/proxy_arp", "1")),
    "connections": ("connections", "DARI-204", placed(connections=990)),
    "neighbours": (
        "neighbour table",
        "DARI-205",
        lambda one: switched("net/ipv4/neigh/default/gc_thresh3", "1")(
            also(neighbours=(Neighbour(index=ETH0, address=_OTHER, mac=_STRANGE, state=2),))(one)
        ),
    ),
    "no IPv6": (
        "IPv6",
        "DARI-208",
        lambda one: switched("net/ipv6/conf/cni0/disable_ipv6", "1")(
            one.replace(
                orders=one.orders.replace(cluster_ranges=(ip_network("fd00:10:244::/56"),))
                if one.orders
                else None
            )
        ),
    ),
    "br_netfilter": ("bridged packets", "DARI-203", kubernetes(programs=("kube-proxy",))),
    "small kernel": ("kernel", "DARI-207", healthy_but(lacking=("veth",))),
    "route gone": ("routes", "DARI-401", without("routes", lambda each: each.dst == PEER)),
    "route astray": (
        "routes",
        "DARI-402",
        lambda one: also(routes=(_LOST,))(without("routes", lambda each: each.dst == PEER)(one)),
    ),
    "half a range": (
        "other routes",
        "DARI-403",
        also(routes=(KernelRoute(dst=_HALF, gateway=_OTHER, device=ETH0),)),
    ),
    "black hole": ("other routes", "DARI-409", also(routes=(KernelRoute(dst=_HALF, kind=6),))),
    "another link": (
        "way back",
        "DARI-407",
        also(routes=(KernelRoute(dst=_NODE2, device=CNI0, protocol=4),)),
    ),
    "no way back": ("way back", "DARI-407", also(routes=(KernelRoute(dst=_NODE2, kind=7),))),
    "two links": (
        "way back",
        "DARI-407",
        lambda one: also(routes=(KernelRoute(dst=_NODES, device=CNI0, protocol=2),))(
            without("routes", lambda each: each.dst == _NODES)(one)
        ),
    ),
    "rule": (
        "policy rules",
        "DARI-403",
        also(
            rules=(Rule(version=4, priority=1000, table=77, src=OWN),),
            routes=(KernelRoute(dst=ip_network("0.0.0.0/0"), kind=7, table=77),),
        ),
    ),
    "tunnel gone": (
        "tunnels",
        "DARI-406",
        vxlan,
    ),
    "permanent": (
        "permanent neighbours",
        "DARI-404",
        also(neighbours=(Neighbour(index=ETH0, address=ip_address("10.0.1.12"), mac=_STRANGE),)),
    ),
    "permanent in a pod": (
        "gateways of pods",
        "DARI-404",
        in_pod(neighbours=(Neighbour(index=2, address=OWN[1], mac=_STRANGE),)),
    ),
    "static entry": (
        "forwarding entries",
        "DARI-405",
        also(fdb=(Neighbour(index=ETH0, mac="0a:58:0a:f4:01:02", master=CNI0),)),
    ),
    "kubelet's port": (
        "filtered ports",
        "DARI-502",
        filtered("input", to_port("tcp", 10250), {"drop": None}),
    ),
    "tunnel's port": (
        "filtered tunnels",
        "DARI-505",
        lambda one: filtered("input", to_port("udp", 4789), {"drop": None})(vxlan(one)),
    ),
    "forward drops": ("forward chains", "DARI-501", filtered("forward", policy="drop")),
    "frames": ("frames", "DARI-501", of_bridge("input", {"drop": None})),
    "frames to each other": (
        "frames",
        "DARI-501",
        lambda one: of_bridge("forward", policy="drop")(twin_mac(one)),
    ),
    "API server": (
        "API server",
        "DARI-903",
        healthy_but(
            servers=(ApiServer(path="f", address=_OTHER, port=6443, state="silent"),),
        ),
    ),
    "no masquerading": ("masquerading", "DARI-503", placed(ruleset=())),
    "other range masqueraded": (
        "masquerading",
        "DARI-507",
        lambda one: one.replace(
            place=one.place.replace(
                ruleset=(
                    {"set": {"family": "inet", "table": "dari", "name": "masquerade4"}},
                    one.place.ruleset[1],
                )
            )
        ),
    ),
    "pods masqueraded": ("wide masquerading", "DARI-504", rewriting("postrouting", "masquerade")),
    "left by a proxy": ("diverted packets", "DARI-506", rewriting("prerouting", "dnat")),
    "namesake": ("name", "DARI-101", renamed),
    "clone": ("MAC", "DARI-102", relinked("eth0", mac=patient.MACS["node2"])),
    "clone of the machine": (
        "clones",
        "DARI-103",
        written_by(boot_id="b2", product_uuid="u1"),
    ),
    "clone's second interface": (
        "clones",
        "DARI-102",
        lambda one: also(
            links=(patient.link(9, "eth1", _STRANGE),),
            addresses=(patient.address(9, "10.9.0.1/24"),),
        )(written_by(boot_id="b2", macs=(_STRANGE,))(one)),
    ),
    "clone's host name": ("clones", "DARI-101", written_by(boot_id="b2", name="node1")),
    "half an upgrade": (
        "versions by records",
        "DARI-805",
        lambda one: written_by(version="0.2.0")(
            one.replace(record=patient.record("node1", 1).replace(host=HostFacts(version="0.1.0")))
        ),
    ),
    "peer's address": (
        "address of a peer",
        "DARI-106",
        also(addresses=(patient.address(ETH0, "10.0.1.12/24"),)),
    ),
    "records' address": (
        "recorded addresses",
        "DARI-106",
        lambda one: one.replace(
            peers=(one.peers[0].replace(addresses=(ip_address("10.0.1.11"),)),)
        ),
    ),
    "ghost": (
        "ranges",
        "DARI-603",
        lambda one: one.replace(peers=(one.peers[0].replace(pod_ranges=(OWN,)),)),
    ),
    "clock": (
        "clocks",
        "DARI-904",
        lambda one: one.replace(peers=(one.peers[0].replace(updated=1_000_500.0),)),
    ),
    "disk": (
        "disks",
        "DARI-905",
        healthy_but(rooms=(Room(path="/run", bytes_free=4096, bytes_all=1 << 20),)),
    ),
    "files": (
        "disks",
        "DARI-905",
        healthy_but(rooms=(Room(path="/run", bytes_free=1 << 30, files_free=3, files=100),)),
    ),
    "descriptors": ("descriptors", "DARI-906", healthy_but(open_files=1000)),
    "swap": (
        "swap",
        "DARI-907",
        healthy_but(swap=1024, programs=(Program(name="kubelet", arguments=("kubelet",)),)),
    ),
    "small": (
        "size",
        "DARI-908",
        healthy_but(processors=1, programs=(Program(name="kube-apiserver"),)),
    ),
    "nobody listens": ("silent ports", "DARI-901", kubernetes(at(10250, "kubelet"))),
    "somebody else listens": (
        "taken ports",
        "DARI-902",
        kubernetes(at(6443, "nginx")),
    ),
    "listens to itself": (
        "hidden ports",
        "DARI-903",
        kubernetes(at(6443, "kube-apiserver", "127.0.0.1")),
    ),
    "broken file": ("configuration", "DARI-702", runtime(files=(_BROKEN,))),
    "earlier file": (
        "other configuration",
        "DARI-701",
        runtime(files=(_EARLIER, *patient.runtime().files)),
    ),
    "no file": ("missing configuration", "DARI-705", runtime(files=())),
    "other folder": (
        "missing configuration",
        "DARI-706",
        runtime(name="containerd", conf_dir="/etc/k3s/net.d", files=(_EARLIER,)),
    ),
    "no plugin": (
        "plugins",
        "DARI-703",
        runtime(executables=(Executable(type="dari", problem="not there"),)),
    ),
    "broken plugin": (
        "plugins",
        "DARI-704",
        runtime(executables=(Executable(type="dari", path="/opt/cni/bin/dari", problem="no"),)),
    ),
    "old plugin": (
        "plugins",
        "DARI-708",
        runtime(
            executables=(Executable(type="dari", path="/opt/cni/bin/dari", versions=("0.4.0",)),)
        ),
    ),
    "silent peer": ("peers' answers", "DARI-411", probed(tcp={"10250": "silent"})),
    "black hole on the way": (
        "large packets",
        "DARI-408",
        probed(answers=True, size=1500, passes=1300),
    ),
    "dropped on the way": (
        "peers' ports",
        "DARI-903",
        probed(answers=True, size=1500, passes=1500, tcp={"10250": "silent"}),
    ),
    "kubelet's flags": (
        "kubelet's flags",
        "DARI-707",
        healthy_but(runtimes=(patient.runtime(), _KUBELET)),
    ),
}


def test_a_healthy_node_gives_no_finding() -> None:
    assert examine(patient.snapshot()).findings == ()


@pytest.mark.parametrize("case", CASES)
def test_a_check_names_the_cause_and_its_mends_are_whole_lines(case: str) -> None:
    name, code, change = CASES[case]
    machine = change(patient.machine())
    found = list(CHECKS[name](view(machine, roles=roles_of(machine.health))))
    assert code in [each.code for each in found], found
    for each in found:
        assert each.where == "node1"
        assert each.what and each.code in CAUSES
        assert all(line and "\n" not in line and shlex.split(line) for line in each.mend)


def test_every_check_has_a_case() -> None:
    assert {name for name, _code, _change in CASES.values()} == set(CHECKS)


def second(**changes: Any) -> Machine:
    """node2, as far as comparing takes it."""
    own = patient.record("node2", 2)
    first = patient.machine()
    assert first.orders is not None
    place = first.place.replace(
        inode=7,
        links=(patient.link(ETH0, "eth0", patient.MACS["node2"]),),
        addresses=(patient.address(ETH0, "10.0.1.12/24"),),
    )
    return first.replace(
        **{
            "name": "node2",
            "place": place,
            "record": own,
            "peers": (patient.record("node1", 1),),
            "orders": first.orders.replace(node_name="node2"),
            "host": first.host.replace(name="node2", boot_id="b2", product_uuid="u2"),
            **changes,
        }
    )


TWO: Mapping[str, tuple[str, Callable[[], Machine]]] = {
    "names": ("DARI-101", lambda: second(orders=patient.machine().orders)),
    "MACs": ("DARI-102", lambda: relinked("eth0", mac=patient.MACS["node1"])(second())),
    "machines": (
        "DARI-103",
        lambda: second(host=patient.machine().host.replace(name="node2", boot_id="b2")),
    ),
    "versions": ("DARI-805", lambda: second(agent={"ready": True, "version": "0.2.0"})),
}


@pytest.mark.parametrize("name", TWO)
def test_nodes_are_compared(name: str) -> None:
    code, other = TWO[name]
    quiet = list(TOGETHER[name]([view(patient.machine()), view(second())]))
    assert quiet == []
    found = list(TOGETHER[name]([view(patient.machine()), view(other())]))
    assert code in [each.code for each in found]


def test_every_comparison_has_a_case() -> None:
    assert set(TWO) == set(TOGETHER)


def test_namespaces_of_one_machine_are_not_two_machines() -> None:
    first = patient.machine()
    same = second(host=first.host.replace(name="node2"))
    assert list(TOGETHER["machines"]([view(first), view(same)])) == []


def test_a_machine_without_dari_gives_notes_and_no_findings() -> None:
    bare = Machine(name="bare", health=patient.machine().health)
    report = examine(patient.snapshot(bare))
    assert report.findings == ()
    texts = [each.text for each in report.notes]
    assert any("TCP 6443 (kube-apiserver), reached by all nodes" in each for each in texts)
    assert any("10251 (kube-scheduler, up to 1.22)" in each for each in texts)
    assert {each.topic for each in report.notes} <= {*NOTES}


def test_the_roles_are_found_by_what_runs_and_by_what_is_told() -> None:
    health = patient.machine().health
    assert roles_of(health) == ()
    assert roles_of(health, ["worker"]) == ("worker",)
    running = kubernetes(programs=("etcd", "kubelet", "kube-scheduler"))(patient.machine())
    assert roles_of(running.health) == ("control-plane", "worker")


def test_a_mend_names_the_pods_namespace_and_the_prefix_length() -> None:
    machine = in_pod(addresses=())(patient.machine())
    found = [
        each for each in examine(patient.snapshot(machine)).findings if each.code == "DARI-308"
    ]
    assert [each.mend for each in found] == [
        (f"nsenter --net=/run/netns/a ip address add {ip_interface(f'{POD}/24')} dev eth0",)
    ]


def test_what_an_ordinary_user_sees_is_not_taken_for_all() -> None:
    machine = patient.machine()
    assert examine(patient.snapshot(machine)).partly == ()
    report = examine(patient.snapshot(machine.replace(problems={RIGHTS: "not read as root"})))
    assert (report.findings, report.partly) == ((), ("node1",))
    text = render(report, Style(), notes=True)
    assert text.endswith("node1: nothing found wrong in what could be read")
    assert "    not read as root\n" in text


def test_notes_are_told_under_the_heading_of_what_they_are_about() -> None:
    lines = render(examine(patient.snapshot()), Style(), notes=True).split("\n")
    headings = [line for line in lines if line.startswith("  ") and not line.startswith("    ")]
    assert headings == ["  The node's address", "  Ports", "  Network configuration"]
