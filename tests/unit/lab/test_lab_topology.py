"""A lab as plain data: every name, address and MAC is unique, and every way leads on."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dari.errors import BadConfig
from dari.lab.topology import MOST_NODES, MOST_PODS, STORES, Options, Topology, check_name, plan

OPTIONS = st.builds(
    Options,
    name=st.sampled_from(["lab", "a", "lab-2", "0"]),
    nodes=st.integers(1, MOST_NODES),
    pods=st.integers(0, MOST_PODS),
    ipv6=st.booleans(),
    routed=st.booleans(),
    store=st.sampled_from(STORES),
)


@given(OPTIONS)
def test_names_addresses_macs_and_cables_are_unique(options: Options) -> None:
    topology = plan(options)
    ports = [port for machine in topology.machines for port in machine.ports]
    for values in (
        topology.names,
        [interface.ip for port in ports for interface in port.addresses],
        [port.mac for port in ports],
        [port.cable for port in ports],
    ):
        assert len(set(values)) == len(values)
    assert len(topology.nodes) == options.nodes
    assert all(len(node.pods) == options.pods for node in topology.nodes)


@given(OPTIONS)
def test_a_cable_s_name_is_one_that_the_kernel_takes(options: Options) -> None:
    names = [port.cable for machine in plan(options).machines for port in machine.ports]
    names += [segment.name for segment in plan(options).segments]
    assert all(0 < len(name) <= 15 for name in names)
    assert len(set(names)) == len(names)


@given(OPTIONS)
def test_every_address_lies_in_its_segment_and_is_no_network_or_broadcast(options: Options) -> None:
    topology = plan(options)
    networks = {segment.name: segment.networks for segment in topology.segments}
    for machine in topology.machines:
        for port in machine.ports:
            assert tuple(x.network for x in port.addresses) == networks[port.segment]
            for interface in port.addresses:
                assert interface.ip != interface.network.network_address
                assert interface.ip != interface.network.broadcast_address


@given(OPTIONS)
def test_every_gateway_is_another_machine_on_the_same_segment(options: Options) -> None:
    topology = plan(options)
    holders = {
        interface.ip: (machine.name, port.segment)
        for machine in topology.machines
        for port in machine.ports
        for interface in port.addresses
    }
    for machine in topology.machines:
        for gateway in machine.gateways:
            name, segment = holders[gateway]
            assert name != machine.name
            assert segment in {port.segment for port in machine.ports}


@given(OPTIONS)
def test_the_underlay_and_the_pods_have_nothing_in_common(options: Options) -> None:
    topology = plan(options)
    for segment in topology.segments:
        for network in segment.networks:
            for each in topology.cluster_ranges:
                assert network.version != each.version or not network.overlaps(each)


@given(OPTIONS)
def test_the_same_options_give_the_same_lab(options: Options) -> None:
    assert plan(options) == plan(options)


def test_a_small_lab_reads_well() -> None:
    topology = plan(Options(ipv6=True))
    assert topology.names[:5] == ("node1", "node2", "node3", "outside", "pod-1-1")
    assert [str(address) for address in topology.nodes[0].addresses] == [
        "10.0.1.11",
        "fd00:10:0:1::11",
    ]
    assert [len(segment.networks) for segment in topology.segments] == [2]
    assert topology.outside.gateways == ()


def test_a_routed_lab_s_nodes_alternate_and_the_router_is_on_every_segment() -> None:
    topology = plan(Options(nodes=4, routed=True))
    assert segments_of(topology, "node1", "node3") == {"segment1"}
    assert segments_of(topology, "node2", "node4") == {"segment2"}
    assert segments_of(topology, "router") == {segment.name for segment in topology.segments}
    assert segments_of(topology, "outside") == {"segment3"}


def test_records_are_kept_beside_the_outside_host_where_a_server_has_them() -> None:
    topology = plan(Options(routed=True, store="etcd"))
    assert segments_of(topology, "etcd") == segments_of(topology, "outside") == {"segment3"}
    assert list(map(str, topology.store_addresses)) == ["10.0.3.253"]
    assert plan(Options()).store_addresses == ()


def segments_of(topology: Topology, *names: str) -> set[str]:
    return {
        port.segment
        for machine in topology.machines
        if machine.name in names
        for port in machine.ports
    }


@pytest.mark.parametrize(
    "options",
    [
        Options(nodes=0),
        Options(nodes=MOST_NODES + 1),
        Options(pods=-1),
        Options(pods=MOST_PODS + 1),
        Options(name="Lab"),
        Options(store="sqlite"),
        Options(backend="ipsec"),
    ],
)
def test_an_impossible_lab_is_refused(options: Options) -> None:
    with pytest.raises(BadConfig):
        plan(options)


@given(st.text(max_size=40))
def test_no_name_leads_out_of_the_folder_of_labs(name: str) -> None:
    try:
        check_name(name)
    except BadConfig:
        return
    assert name
    assert not set(name) & set("/.\0\n ")
    assert len(name) <= 31
