"""What the agent is told of its backend, read and refused."""

from __future__ import annotations

import re
from ipaddress import ip_address
from pathlib import Path

import pytest

from dari.agent.backends import BackendConfig
from dari.agent.config import read_config
from dari.agent.options import OPTIONS, Given
from dari.errors import BadConfig
from dari.paths import Paths
from dari.routing.bird import Bgp, Neighbour
from dari.routing.way import Overlay
from tests.support.bird import OWNERS_PART

FIXED, BROKEN = "6.1.0-18-amd64", "5.4.0-42-generic"


def told(kernel: object = FIXED, **settings: object) -> BackendConfig:
    given = {
        key.replace("_", "-"): Given(value=value, label=key) for key, value in settings.items()
    }
    return read_config(given, Paths(), "node1", str(kernel)).backend


def test_with_nothing_said_routes_are_direct() -> None:
    assert told() == BackendConfig(overlay=Overlay(type="direct", vni=79, port=4789))


@pytest.mark.parametrize(
    ("settings", "overlay"),
    [
        ({"backend": "vxlan"}, Overlay(type="vxlan", vni=79, port=4789)),
        ({"backend": "vxlan", "direct_routing": True}, Overlay(type="auto", vni=79, port=4789)),
        ({"backend": "auto", "vxlan_vni": "5"}, Overlay(type="auto", vni=5, port=4789)),
        ({"backend": "flannel"}, Overlay(type="flannel", vni=1, port=8472)),
        ({"backend": "flannel", "vxlan_port": 4789}, Overlay(type="flannel", vni=1, port=4789)),
        ({"backend": "vxlan", "mtu": 8000}, Overlay(type="vxlan", vni=79, port=4789, mtu=8000)),
    ],
)
def test_the_tunnel(settings: dict[str, object], overlay: Overlay) -> None:
    assert told(**settings).overlay == overlay


@pytest.mark.parametrize(
    ("kernel", "when", "offload"),
    [
        (FIXED, "auto", True),
        (BROKEN, "auto", False),
        (FIXED, "off", False),
        (BROKEN, "on", True),
        ("", "auto", True),
        ("of mine", "auto", True),
    ],
)
def test_pain_12_checksums_are_left_to_the_hardware_where_the_kernel_can(
    kernel: str, when: str, offload: bool
) -> None:
    assert told(kernel, vxlan_offload=when).overlay.offload is offload


def test_bgp_is_a_mesh_unless_routers_are_given() -> None:
    assert told(backend="bgp").bgp == Bgp(as_number=64512, mesh=True)
    routers = ["192.168.0.254", "fd00::fe@65000"]
    found = told(bgp_as=65001, bgp_peer=routers).bgp
    assert not found.mesh
    assert found.neighbours == (
        Neighbour(address=ip_address("192.168.0.254"), as_number=65001),
        Neighbour(address=ip_address("fd00::fe"), as_number=65000),
    )
    assert told(bgp_peer=routers, bgp_mesh=True).bgp.mesh


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"backend": "ipsec"}, "backend: 'ipsec' is none of direct, vxlan"),
        ({"direct_routing": True}, "direct_routing: backend direct has no tunnel"),
        ({"backend": "bgp", "direct_routing": True}, "backend bgp has no tunnel"),
        ({"vxlan_vni": 0}, "vxlan_vni: 0 is not within 1 and"),
        ({"vxlan_vni": 2**24}, "vxlan_vni"),
        ({"vxlan_port": 70000}, "vxlan_port"),
        ({"vxlan_offload": "maybe"}, "vxlan_offload"),
        ({"bgp_as": 2**32}, "bgp_as"),
        ({"bgp_peer": ["router"]}, "bgp_peer: 'router'"),
        ({"bgp_peer": ["10.0.0.1@"]}, "bgp_peer: '10.0.0.1@'"),
        ({"bgp_peer": ["10.0.0.1@x"]}, "'x' is not an AS number"),
        ({"bgp_peer": [7]}, "bgp_peer: 7"),
        ({"bird_conf": "bird.conf"}, "bird_conf: 'bird.conf' is not a path"),
        ({"write_subnet_env": "x"}, "write_subnet_env"),
    ],
)
def test_what_is_wrong_is_named(settings: dict[str, object], message: str) -> None:
    with pytest.raises(BadConfig, match=message.replace("[", ".")):
        told(**settings)


def test_the_page_on_backends_speaks_of_options_that_exist_and_of_all_of_theirs() -> None:
    page = (Path(__file__).parents[3] / "docs" / "backends.md").read_text()
    spoken = set(re.findall(r"`--([a-z0-9-]+)", page))
    known = {option.name for option in OPTIONS}
    assert spoken <= known
    prefixes = ("backend", "vxlan-", "direct-routing", "bgp-", "bird-", "write-subnet-env")
    assert {name for name in known if name.startswith(prefixes)} <= spoken
    for line in ("protocol device {", 'include "dari*.conf";', "export where source = RTS_BGP;"):
        assert line in page and line in OWNERS_PART
