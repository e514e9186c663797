"""Hostile configurations on stdin: no JSON, the wrong JSON, and wrong values everywhere."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from tests.fuzz.node import CONF, INTERNAL, STDIN, Node, error_of
from tests.fuzz.values import HOSTILE_VALUES, NO_TEXT, changed, paths
from tests.support import kernel
from tests.support.executable import call
from tests.support.networks import LEASES, leases

EXAMPLES = 30
VERBS = ("ADD", "DEL", "CHECK", "GC", "STATUS")
UNDECODABLE, WRONG = 6, {1, 2, 7}

RICH: dict[str, Any] = {
    **CONF,
    "isDefaultGateway": False,
    "forceAddress": False,
    "hairpinMode": True,
    "promiscMode": False,
    "portIsolation": False,
    "enabledad": False,
    "vlan": 0,
    "mtu": 1400,
    "dns": {"nameservers": ["10.0.0.1"], "search": ["local"], "options": ["ndots:5"]},
    "args": {"cni": {"ips": ["10.22.0.77"], "mac": "0a:58:0a:16:00:4d"}},
    "runtimeConfig": {"ips": ["10.22.0.77/16"], "mac": "0a:58:0a:16:00:4d"},
    "ipam": {
        "type": "host-local",
        "ranges": [
            [
                {
                    "subnet": "10.22.0.0/16",
                    "rangeStart": "10.22.0.10",
                    "rangeEnd": "10.22.0.99",
                    "gateway": "10.22.0.1",
                }
            ]
        ],
        "routes": [{"dst": "0.0.0.0/0", "gw": "10.22.0.1", "mtu": 1300, "table": 254}],
        "dataDir": "/var/lib/cni/networks",
        "resolvConf": "/etc/resolv.conf",
    },
}


def is_object(stdin: bytes) -> bool:
    try:
        return isinstance(json.loads(stdin.decode()), dict)
    except (ValueError, RecursionError):
        return False


@pytest.mark.parametrize("verb", VERBS)
def test_what_is_no_json_object_is_undecodable(verb: str) -> None:
    node = Node()

    @settings(max_examples=EXAMPLES // 2)
    @given(st.binary().filter(lambda octets: not is_object(octets)))
    @example(b"")
    @example(b"\xff\xfe")
    @example(b"[" * 100_000)
    @example(b'{"a":' * 50_000)
    @example(STDIN[:-1])
    @example(STDIN + b"}")
    @example(b" " * (2 << 20))
    @example(b'{"cniVersion": NaN}')
    def try_it(stdin: bytes) -> None:
        assert node.call(node.environ(verb), stdin) == UNDECODABLE

    try_it()


@pytest.mark.parametrize("verb", ["ADD", "DEL"])
def test_a_wrong_value_anywhere_is_refused_or_does_no_harm(verb: str) -> None:
    node = Node()

    @settings(max_examples=EXAMPLES * 2)
    @given(st.sampled_from(list(paths(RICH))), st.sampled_from(HOSTILE_VALUES))
    def try_it(path: tuple[str | int, ...], value: object) -> None:
        stdin = changed(RICH, path, value)
        code = node.call(node.environ(verb), stdin)
        assert code != INTERNAL
        assert code != UNDECODABLE or value in NO_TEXT
        if code == 0 and verb == "DEL":
            node.assert_unchanged()
        elif code == 0:
            node.delete(node.environ("DEL"), stdin)
            assert kernel.links("dari") == []
            assert leases() == set()
            node.settle()

    try_it()
    node.add_and_delete(node.environ("ADD"), STDIN)


@pytest.mark.parametrize("verb", ["DEL", "CHECK"])
def test_a_wrong_prev_result_stops_check_but_never_del(verb: str) -> None:
    node = Node()
    text = st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"]))
    json_values = st.recursive(
        st.none() | st.booleans() | st.integers() | text,
        lambda inner: st.lists(inner) | st.dictionaries(text, inner),
        max_leaves=10,
    )
    keys = st.sampled_from(["ips", "interfaces", "routes", "dns", "cniVersion", "ip4"])

    @settings(max_examples=EXAMPLES)
    @given(json_values | st.dictionaries(keys, json_values))
    def try_it(previous: object) -> None:
        stdin = json.dumps({**CONF, "prevResult": previous}).encode()
        code = node.call(node.environ(verb), stdin)
        assert code == 0 if verb == "DEL" else code in {1, 6, 7, 8, 102}

    try_it()
    assert not leases(LEASES)


@pytest.mark.parametrize("key", ["cni.dev/valid-attachments", "cni.dev/attachments"])
def test_a_wrong_list_of_attachments_never_takes_a_pod_off_the_network(key: str) -> None:
    node = Node()
    assert call("bridge", node.environ("ADD"), STDIN).status == 0
    node.settle()
    wrong: tuple[object, ...] = (
        "x",
        1,
        True,
        {"x": 1},
        [1],
        [[]],
        [{}],
        [{"containerID": "c1"}],
        [{"ifname": 7}],
    )
    for value in wrong:
        stdin = json.dumps({**CONF, "cniVersion": "1.1.0", key: value}).encode()
        answer = call("bridge", node.environ("GC"), stdin)
        assert error_of(answer)["code"] == 7
        node.assert_unchanged()
