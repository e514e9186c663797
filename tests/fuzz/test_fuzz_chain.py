"""Hostile configurations, earlier results and environments for the plugins behind a bridge.

Each plugin has a configuration with all of its keys behind a pod that a bridge wired, and type
`dari` one with everything; they are called without an agent and through one.
"""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from typing import Any

import pytest
from hypothesis import Phase, given, settings
from hypothesis import strategies as st

from dari.errors import Undecodable
from dari.jsontext import decode
from tests.fuzz.node import CONF, INTERNAL, REWRITTEN, STDIN, Node
from tests.fuzz.test_fuzz_environment import CODES
from tests.fuzz.test_fuzz_environment import VALUES as VARIABLES
from tests.fuzz.values import HOSTILE_VALUES, changed, paths
from tests.support.agent import running, wait_until_ready
from tests.support.chains import NAMES
from tests.support.executable import call
from tests.support.hostile import JUNK
from tests.support.kernel import links, run
from tests.support.snapshot import difference, snapshot
from tests.support.waiting import wait_until

EXAMPLES = {"alone": 8, "agent": 25}
PORT = {"hostPort": 8080, "containerPort": 80, "protocol": "udp", "hostIP": "127.0.0.1"}
RATES = {
    "ingressRate": 8_000_000,
    "ingressBurst": 800_000,
    "egressRate": 8_000_000,
    "egressBurst": 800_000,
}
PORTMAP = {
    "snat": True,
    "masqAll": False,
    "markMasqBit": 20,
    "conditionsV4": ["!", "-s", "192.0.2.0/24"],
    "conditionsV6": ["-i", "x+"],
}
TUNING = {"sysctl": {"net.ipv4.conf.IFNAME.arp_filter": "1", "net.core.somaxconn": "99"}}
OWN: dict[str, dict[str, Any]] = {
    "portmap": {**PORTMAP, "backend": "nftables", "runtimeConfig": {"portMappings": [PORT]}},
    "bandwidth": {**RATES, "runtimeConfig": {"bandwidth": RATES}},
    "firewall": {"backend": "iptables", "ingressPolicy": "same-bridge", "firewalldZone": "trusted"},
    "tuning": {
        **TUNING,
        "mac": "0a:00:00:00:00:77",
        "mtu": 1300,
        "promisc": True,
        "allmulti": True,
        "txQLen": 77,
        "dataDir": "/run/cni/tuning",
        "args": {"cni": {"mac": "0a:00:00:00:00:78", "mtu": 1301, "sysctl": {}}},
    },
    "dari": {
        **PORTMAP,
        **TUNING,
        **{key: CONF[key] for key in ("bridge", "ipMasq", "ipam")},
        "ingressPolicy": "isolated",
        "hairpinMode": True,
        "mtu": 1400,
        "runtimeConfig": {"portMappings": [PORT], "bandwidth": RATES},
    },
}
INJECTED = (
    *("10.22.0.2; flush ruleset", 'x" accept comment "', "@anywhere4", "{ 1.2.3.4 }", "x\ny", "$x"),
    *("net.ipv4.conf.IFNAME.../x", "net/../kernel/core_pattern", "\u0000", "e" * 16, "$(reboot)"),
    *(1 << 64, -(1 << 63), 10**300, 1e308, json.loads("[" * 200 + "]" * 200)),
)
VALUES = st.sampled_from((*HOSTILE_VALUES, *INJECTED)) | JUNK
SERVING = (*REWRITTEN, "rules", "/hostports/groups", "/run/dari/table")
AS_DRAWN = (Phase.explicit, Phase.generate)  # to shrink what leaves something waits too often
plugins = pytest.mark.parametrize("plugin", OWN)
served = pytest.mark.parametrize("who", EXAMPLES)


class Chained(Node):
    """A node with a pod on its bridge, behind which a plugin is called.

    Args:
        plugin: which.
    """

    def __init__(self, plugin: str) -> None:
        super().__init__(NAMES)
        self.plugin = plugin
        self.rich = {"cniVersion": "1.0.0", "name": CONF["name"], "type": plugin, **OWN[plugin]}
        if plugin != "dari":
            self.rich["prevResult"] = call("bridge", self.environ("ADD"), STDIN).result
        self._links, self._kept = links("dari"), self._of_pods()
        self.whole()

    def whole(self) -> None:
        """What is right works, and leaves nothing."""
        self.add_and_delete(self.environ("ADD"), json.dumps(self.rich).encode(), self.plugin)
        self.assert_nothing_left()

    def ask(self, verb: str, stdin: bytes, environ: dict[bytes, bytes] | None = None) -> int:
        """Call; what worked is undone by a DEL with the same; the code, or 0."""
        given = environ or {os.fsencode(k): os.fsencode(v) for k, v in self.environ(verb).items()}
        code = self.call(given, stdin, self.plugin)
        assert code != INTERNAL
        if code == 0 and verb == "ADD":
            deleted = call(self.plugin, {**given, b"CNI_COMMAND": b"DEL"}, stdin)
            assert (deleted.status, deleted.stdout) == (0, b""), deleted
            self.assert_nothing_left()
        elif code == 0:
            self.assert_nothing_left()
        return code

    def assert_nothing_left(self) -> None:
        """Nothing is of a pod any more; bridges, and rules that serve any pod, stay a while."""
        if self.plugin == "bandwidth":
            self._give_back_limits()
        wait_until(lambda: self._of_pods() == self._kept, told=lambda: str(self._of_pods()))
        self.settle()

    def assert_unchanged(self) -> None:
        """As for any node, but what serves any pod may go: an agent clears what none uses."""

        def differing() -> list[str]:
            found = difference(self._before, snapshot())
            return [key for key in found if not any(part in key for part in SERVING)]

        wait_until(lambda: not differing(), told=lambda: str(differing()))
        wait_until(lambda: self._of_pods() == self._kept, told=lambda: str(self._of_pods()))

    def _give_back_limits(self) -> None:
        """What limits the cable's end goes with it, and so stays here after a DEL."""
        [end] = self._links
        for kind in ("root", "ingress"):
            words = ["tc", "qdisc", "del", "dev", end, kind]
            subprocess.run(words, capture_output=True, check=False)

    def _of_pods(self) -> tuple[object, ...]:
        """What belongs to single pods: links, settings, files and elements of rules."""
        found, ruleset = snapshot(), run("nft", "list", "ruleset")
        files = [path for path, content in found.items() if _is_a_pods(path, content)]
        places = [found[f"{each} pod"] for each in ("links", "addresses", "routes", "settings")]
        return links("dari"), places, files, "8080" in ruleset, "10.22.0.2 " in ruleset


def _is_a_pods(path: str, content: object) -> bool:
    folders = ("/run/dari/attachments", "/run/dari/hostports", "/run/dari/firewall", "/run/cni")
    lease = "/leases/" in path and path.rpartition("/")[2][:1].isdigit()
    return isinstance(content, bytes) and (
        lease or (path.startswith(folders) and "/groups/" not in path)
    )


def is_readable(stdin: bytes) -> bool:
    """Is it JSON that dari takes? Infinity, half a surrogate pair and 200 lists in one are not."""
    try:
        decode(stdin, "stdin")
    except Undecodable:
        return False
    return True


@contextmanager
def agent() -> Iterator[None]:
    with running():
        wait_until_ready()
        yield


@plugins
@served
def test_a_wrong_value_anywhere_is_refused_or_does_no_harm(plugin: str, who: str) -> None:
    with agent() if who == "agent" else nullcontext():
        node = Chained(plugin)

        @settings(max_examples=EXAMPLES[who], phases=AS_DRAWN)
        @given(st.sampled_from(["ADD", "ADD", "DEL", "CHECK"]), st.data(), VALUES)
        def try_it(verb: str, data: st.DataObject, value: object) -> None:
            path = data.draw(st.sampled_from([*paths(node.rich), ("unknown",)]))
            node.ask(verb, changed(node.rich, path, value))

        try_it()
        node.whole()


@plugins
def test_a_wrong_earlier_result_stops_add_and_check_but_never_del(plugin: str) -> None:
    with agent():
        node = Chained(plugin)
        keys = st.sampled_from(["ips", "interfaces", "routes", "dns", "cniVersion", "ip4"])

        @settings(max_examples=12, phases=AS_DRAWN)
        @given(VALUES | st.dictionaries(keys, VALUES))
        def try_it(previous: object) -> None:
            stdin = changed(node.rich, ("prevResult",), previous)
            for verb in ("ADD", "CHECK", "DEL"):
                code = node.ask(verb, stdin)
                assert verb != "DEL" or code == 0 or not is_readable(stdin)

        try_it()
        node.whole()


@plugins
def test_a_hostile_variable_is_refused_or_does_no_harm(plugin: str) -> None:
    with agent():
        node = Chained(plugin)
        stdin = json.dumps(node.rich).encode()

        @settings(max_examples=20, phases=AS_DRAWN)
        @given(st.sampled_from(list(CODES)), VARIABLES)
        def try_it(name: str, value: bytes) -> None:
            environ = {os.fsencode(k): os.fsencode(v) for k, v in node.environ("ADD").items()}
            node.ask("ADD", stdin, {**environ, name.encode(): value})

        try_it()
        node.whole()
