"""A lab of each kind: what gets through, and as what.

Not of all sixty-four kinds, but of eight in which every two choices meet.
"""

from __future__ import annotations

import json
from concurrent.futures import ThreadPoolExecutor
from ipaddress import ip_address
from itertools import combinations, permutations, product

import pytest

from dari.lab.topology import BACKENDS, STORES
from tests.support.labs import ORDINARY, ROOT, Lab, caller, lab

PODS = ("pod-1-1", "pod-2-1", "pod-3-1")
_BYTES = 4_000_000
_SERVER = f"""
import socket, sys
server = socket.create_server((sys.argv[1], 5001), family=int(sys.argv[2]))
connection, peer = server.accept()
count = 0
while count < {_BYTES} and (got := len(connection.recv(1 << 20))):
    count += got
connection.sendall(b"!")
print(peer[0], count)
"""
_CLIENT = f"""
import socket, sys, time
for _ in range(6000):
    try:
        connection = socket.create_connection((sys.argv[1], 5001), 60)
        break
    except ConnectionRefusedError:
        time.sleep(0.01)
connection.sendall(bytes({_BYTES}))
assert connection.recv(1) == b"!"
"""
_FAMILY = {4: "2", 6: "10"}
_HEADERS = {4: 28, 6: 48}


def addresses(built: Lab) -> dict[str, list[str]]:
    return {pod["name"]: pod["addresses"] for pod in built.status()["pods"]}


def mtu(built: Lab, pod: str) -> int:
    (link,) = json.loads(built.ok(pod, "ip", "-json", "link", "show", "eth0"))
    return int(link["mtu"])


def assert_full_size_everywhere(built: Lab, expected: int) -> None:
    """Every ordered pair, with the largest packets that go, none cut up on the way."""
    found = addresses(built)
    for source in PODS:
        assert mtu(built, source) == expected
        pings = [
            f"ping -c1 -W5 -M do -s {expected - _HEADERS[ip_address(target).version]} {target}"
            for other in PODS
            if other != source
            for target in found[other]
        ]
        built.ok(source, "sh", "-c", " && ".join(pings))


def assert_streams_keep_their_source(built: Lab) -> None:
    """A few megabytes from pod to pod arrive whole, and from the pod's own address."""
    found = addresses(built)
    for source, target in list(permutations(PODS, 2))[:2]:
        for address in found[target]:
            version = ip_address(address).version
            server = [built.caller.python, "-c", _SERVER, address, _FAMILY[version]]
            with ThreadPoolExecutor(1) as other:
                arrived = other.submit(built.ok, target, *server)
                built.ok(source, built.caller.python, "-c", _CLIENT, address)
                own = next(each for each in found[source] if ip_address(each).version == version)
                assert arrived.result() == f"{own} {_BYTES}\n"


CHOICES = {
    "by": (ROOT, ORDINARY),
    "backend": BACKENDS,
    "store": STORES,
    "families": ("IPv4", "both"),
    "underlay": ("flat", "routed"),
}
CASES = [
    (ORDINARY, "direct", "etcd", "both", "routed"),
    (ROOT, "direct", "local", "IPv4", "flat"),
    (ORDINARY, "vxlan", "etcd", "IPv4", "flat"),
    (ROOT, "vxlan", "local", "both", "routed"),
    (ROOT, "bgp", "etcd", "both", "flat"),
    (ORDINARY, "bgp", "local", "IPv4", "routed"),
    (ROOT, "auto", "etcd", "IPv4", "routed"),
    (ORDINARY, "auto", "local", "both", "flat"),
]
SIZES = {"direct": 1500, "bgp": 1500, "vxlan": 1450, "auto": 1450}
KNOWN = {"direct": "79", "bgp": "bird"}  # whose routes the router has


def test_every_two_choices_meet_in_one_of_the_cases() -> None:
    for first, second in combinations(range(len(CHOICES)), 2):
        names = list(CHOICES)
        wanted = set(product(CHOICES[names[first]], CHOICES[names[second]]))
        assert {(case[first], case[second]) for case in CASES} == wanted


@pytest.mark.parametrize(tuple(CHOICES), CASES)
def test_every_pair_of_pods_is_reached_at_full_size_with_its_own_address(
    by: str, backend: str, store: str, families: str, underlay: str
) -> None:
    options = ["--pods", "1", "--backend", backend, "--store", store]
    options += ["--ipv6"] * (families == "both") + ["--routed"] * (underlay == "routed")
    with caller(by) as somebody, lab(somebody, *options) as built:
        assert_full_size_everywhere(built, SIZES[backend])
        assert_streams_keep_their_source(built)
        assert_the_records_are_where_they_should_be(built, store)
        if underlay == "routed":
            assert_the_router_knows(built, KNOWN.get(backend, ""))
        if backend == "auto":
            assert_neighbours_are_reached_without_the_tunnel(built, underlay)


def assert_the_records_are_where_they_should_be(built: Lab, store: str) -> None:
    assert ("etcd" in built.status()) == (store == "etcd")
    for name in ("node1", "node2", "node3"):
        told = json.loads(built.ok(name, "dari", "status", "-o", "json"))["store"]
        assert (told["kind"], told["reachable"]) == (store, True)
    folder = built.ok("node1", "ls", "/var/lib/dari/store").split()
    assert ("nodes" in folder) == (store == "local")


def assert_the_router_knows(built: Lab, protocol: str) -> None:
    """Each node's range, from its own agent or a BIRD alone; of tunnels' pods nothing."""
    ranges = {
        each: node["addresses"] for node in built.status()["nodes"] for each in node["pod_ranges"]
    }
    routes = [
        each
        for family in ("-4", "-6")
        for each in json.loads(built.ok("router", "ip", "-json", family, "route"))
        if each["dst"] in ranges
    ]
    if not protocol:
        assert routes == []
        return
    assert {each["dst"] for each in routes} == ranges.keys()
    for each in routes:
        assert each["protocol"] == protocol and each["gateway"] in ranges[each["dst"]]


def assert_neighbours_are_reached_without_the_tunnel(built: Lab, underlay: str) -> None:
    """node1 and node3 are on one segment in either case, node2 only where all are."""
    ranges = {node["name"]: node["pod_ranges"][0] for node in built.status()["nodes"]}
    routes = json.loads(built.ok("node1", "ip", "-json", "route"))
    devices = {each["dst"]: each["dev"] for each in routes}
    assert devices[ranges["node3"]] == "eth0"
    assert devices[ranges["node2"]] == ("eth0" if underlay == "flat" else "dari.vxlan")
