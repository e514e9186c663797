from __future__ import annotations

import json
from ipaddress import ip_network

from hypothesis import given, settings
from hypothesis import strategies as st

from dari.agent.conflist import parse_ranges, render
from dari.cni.runtime.conflist import read_list

BOTH = [ip_network("10.244.1.0/24"), ip_network("fd00::/64"), ip_network("10.244.9.0/24")]
TEXT = render(BOTH, bridge="cni0", mtu=1450, leases="/run/dari/leases", masquerade=False)


def test_a_pod_gets_an_address_of_each_family_and_a_family_may_have_several_ranges() -> None:
    (plugin,) = json.loads(TEXT)["plugins"]
    assert plugin["ipam"]["ranges"] == [
        [{"subnet": "10.244.1.0/24"}, {"subnet": "10.244.9.0/24"}],
        [{"subnet": "fd00::/64"}],
    ]


def test_the_text_is_this_and_always_the_same() -> None:
    document = json.loads(render(BOTH[:1], bridge="br7", mtu=0, leases="/l", masquerade=True))
    assert document == {
        "cniVersion": "1.0.0",
        "cniVersions": ["1.0.0", "1.1.0"],
        "name": "dari",
        "plugins": [
            {
                "type": "dari",
                "bridge": "br7",
                "isGateway": True,
                "isDefaultGateway": True,
                "ipMasq": True,
                "hairpinMode": True,
                "capabilities": {"portMappings": True, "bandwidth": True},
                "ipam": {
                    "type": "host-local",
                    "dataDir": "/l",
                    "ranges": [[{"subnet": "10.244.1.0/24"}]],
                },
            }
        ],
    }
    assert (
        render(BOTH, bridge="cni0", mtu=1450, leases="/run/dari/leases", masquerade=False) == TEXT
    )


def test_the_runtimes_side_takes_it() -> None:
    assert read_list(json.loads(TEXT)).name == "dari"


def test_the_ranges_are_read_back() -> None:
    assert parse_ranges(TEXT.encode()) == (BOTH[0], BOTH[2], BOTH[1])


@given(st.binary(max_size=80) | st.text(max_size=80).map(str.encode))
@settings(max_examples=100, deadline=None)
def test_anothers_text_has_no_ranges_of_ours(content: bytes) -> None:
    assert parse_ranges(content) is None
