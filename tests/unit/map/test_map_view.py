"""From what was read of machines to what is drawn of them."""

from __future__ import annotations

from ipaddress import ip_address, ip_interface, ip_network

from dari.map.live import cluster, described
from dari.map.picture import TUNNEL, Machine, Way
from dari.map.view import picture_of
from dari.model import NodeName
from dari.netlink.address import Address
from dari.netlink.link import Link
from dari.netlink.route import KernelRoute
from dari.routing.way import RTPROT_DARI
from dari.snapshot import model
from dari.store.record import NodeRecord

ETH0, CNI0, CABLE, VXLAN = 2, 3, 4, 5


def record(number: int) -> NodeRecord:
    return NodeRecord(
        name=NodeName(f"node{number}"),
        addresses=(ip_address(f"10.0.1.{number}"),),
        pod_ranges=(ip_network(f"10.244.{number}.0/24"),),
    )


def link(index: int, name: str, kind: str = "", **more: object) -> Link:
    return Link(index=index, name=name, kind=kind, up=True).replace(**more)


def address(index: int, text: str) -> Address:
    return Address(index=index, interface=ip_interface(text))


def node(number: int, *links: Link, agent: bool = True, tunnel: bool = False) -> model.Machine:
    """A node with one pod; `links` take the place of those of the same index."""
    ours = {
        ETH0: link(ETH0, "eth0"),
        CNI0: link(CNI0, "cni0", "bridge"),
        CABLE: link(CABLE, "dariabc", "veth", master=CNI0),
        VXLAN: link(VXLAN, "dari.vxlan", "vxlan"),
    }
    ours.update({each.index: each for each in links})
    other = 3 - number
    route = KernelRoute(
        dst=ip_network(f"10.244.{other}.0/24"),
        device=VXLAN if tunnel else ETH0,
        protocol=RTPROT_DARI,
    )
    inside = model.Place(
        links=(link(1, "lo"), link(2, "eth0", "veth")),
        addresses=(address(2, f"10.244.{number}.2/24"),),
    )
    attached = model.Attached(container_id="c1", ifname="eth0", bridge="cni0", host_end="dariabc")
    return model.Machine(
        name=f"node{number}",
        place=model.Place(
            links=tuple(ours.values()),
            addresses=(
                address(ETH0, f"10.0.1.{number}/24"),
                address(CNI0, f"10.244.{number}.1/24"),
            ),
            routes=(route,),
        ),
        pods=(
            model.Pod(name="web", netns="/run/netns/web", attachments=(attached,), place=inside),
        ),
        record=record(number),
        agent={"ready": True} if agent else {},
    )


def drawn(*machines: model.Machine) -> tuple[Machine, ...]:
    return picture_of(model.Snapshot(machines=machines)).machines


def test_a_node_is_drawn_with_all_it_has() -> None:
    (one,) = drawn(node(1))
    assert (one.interface, one.addresses, one.segments) == ("eth0", ("10.0.1.1",), ("10.0.1.0/24",))
    assert (one.bridge, one.gateways) == ("cni0", ("10.244.1.1/24",))
    assert one.ranges == ("10.244.1.0/24",)
    assert [(pod.name, pod.addresses, pod.plugged) for pod in one.pods] == [
        ("web", ("10.244.1.2",), True)
    ]
    assert not one.faulty


def test_a_pod_off_its_bridge_or_with_its_cable_down_is_not_plugged() -> None:
    for cable in (
        link(CABLE, "dariabc", "veth"),
        link(CABLE, "dariabc", "veth", master=CNI0, up=False),
        link(CABLE, "another", "veth", master=CNI0),
    ):
        (one,) = drawn(node(1, cable))
        assert one.pods[0].faulty


def test_a_node_without_its_agent_says_so() -> None:
    (one,) = drawn(node(1, agent=False))
    assert one.faulty and one.state == "its agent does not answer"


def test_ways_lead_to_where_routes_lead() -> None:
    for tunnel, kind in ((False, "route"), (True, TUNNEL)):
        snapshot = model.Snapshot(machines=(node(1, tunnel=tunnel), node(2, tunnel=tunnel)))
        assert picture_of(snapshot).ways == (
            Way(source="node1", target="node2", kind=kind),
            Way(source="node2", target="node1", kind=kind),
        )


def test_the_switch_of_a_lab_is_no_machine() -> None:
    switch = model.Machine(name="switch", kind=model.SWITCH)
    outside = model.Machine(name="outside", kind=model.OUTSIDE)
    assert [one.name for one in drawn(switch, outside, node(1))] == ["node1", "outside"]


def test_whoever_does_not_see_it_is_told_what_is_wrong() -> None:
    machines = (node(1), node(2, agent=False))
    _, text = described(picture_of(model.Snapshot(machines=machines)))
    assert text == "2 nodes with 2 pods: node1, node2. Something is wrong with node2."


def test_the_page_is_told_the_picture_and_the_list() -> None:
    told = cluster(model.Snapshot(machines=(node(1),)))
    assert str(told["svg"]).startswith("<svg")
    assert told["machines"] == [
        {
            "name": "node1",
            "kind": "node",
            "addresses": ["10.0.1.1"],
            "faulty": False,
            "state": "",
            "pods": [{"name": "web", "addresses": ["10.244.1.2"], "faulty": False}],
        }
    ]
