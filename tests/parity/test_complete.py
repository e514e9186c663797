"""Every key of every plugin has a case; one that a page or a parser names without fails here."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.kernel import (
    test_plugin_bandwidth,
    test_plugin_macvlan,
    test_plugin_ptp,
    test_plugin_static,
    test_plugin_tuning,
)
from tests.parity.cases import CASES, REFUSED, Case, chain_of
from tests.support.isolation import add_namespace
from tests.support.pages import PLUGINS, examples
from tests.support.twins import Side

ROOT = PLUGINS.parents[1]
WIRING = ROOT / "src" / "dari" / "wiring"

PAGES = {
    "bridge": ("wiring/conf.py", "wiring/vlans.py"),
    "ptp": ("wiring/ptp.py",),
    "macvlan": ("wiring/macvlan.py",),
    "loopback": (),
    "host-local": ("ipam/ranges.py", "ipam/hostlocal.py"),
    "static": ("ipam/static.py",),
    "portmap": ("wiring/ports.py",),
    "bandwidth": ("wiring/limits.py",),
    "firewall": ("wiring/plugins/firewall.py",),
    "tuning": ("wiring/settings.py",),
}
"""Each plugin with the modules of src/dari that read its keys."""

ALONE = {
    ("bridge", "vlanTrunk"): "tests/kernel/test_wiring_guards.py",
    ("bridge", "minID"): "tests/kernel/test_wiring_guards.py",
    ("bridge", "maxID"): "tests/kernel/test_wiring_guards.py",
    ("bridge", "id"): "tests/kernel/test_wiring_guards.py",
    ("bridge", "preserveDefaultVlan"): "tests/kernel/test_wiring_guards.py",
    ("bridge", "disableContainerInterface"): "tests/kernel/test_wiring_guards.py",
    ("bridge", "ipMasqBackend"): "tests/kernel/test_wiring_guards.py",
    ("bridge", "enabledad"): "tests/kernel/test_wiring_bridge.py",
    ("bridge", "portIsolation"): "tests/kernel/test_wiring_bridge.py",
    ("bridge", "agent"): "tests/kernel/test_wiring_bridge.py",
    ("ptp", "ipMasqBackend"): "tests/kernel/test_plugin_ptp.py",
    ("macvlan", "linkInContainer"): "tests/kernel/test_plugin_macvlan.py",
    ("macvlan", "bcqueuelen"): "tests/kernel/test_plugin_macvlan.py",
    ("portmap", "masqAll"): "tests/kernel/test_plugin_portmap.py",
    ("portmap", "externalSetMarkChain"): "tests/kernel/test_plugin_portmap_life.py",
    ("portmap", "hostIP"): "tests/kernel/test_plugin_portmap.py",
    ("firewall", "firewalldZone"): "tests/kernel/test_plugin_firewall.py",
    ("bandwidth", "shapedSubnets"): "tests/kernel/test_plugin_bandwidth.py",
    ("bandwidth", "unshapedSubnets"): "tests/kernel/test_plugin_bandwidth.py",
    ("tuning", "txQLen"): "tests/kernel/test_plugin_tuning.py",
    ("tuning", "dataDir"): "tests/kernel/test_plugin_tuning.py",
}
"""Keys that Debian's release of the reference lacks, or that need what a twin node has not
(firewalld, a chain of the site's): the module that tests ours alone."""

_READ = re.compile(r'\b(?:flag|text|number|items|section|link_name|parse_mac)\(\s*\w+, "(\w+)"')
_ROW = re.compile(r"^\| ((?:`\w+`(?:, )?)+) \|", re.MULTILINE)
_TABLE = re.compile(r"^\| key \|.*\n(?:\|.*\n)+", re.MULTILINE)
_SHARED = {
    "name",
    "type",
    "cniVersion",
    "ipam",
    "args",
    "cni",
    "runtimeConfig",
    "prevResult",
    "portMappings",
    "mac",
}


def documented(plugin: str) -> set[str]:
    """The keys in the first column of the tables of a plugin's page."""
    tables = _TABLE.findall((PLUGINS / f"{plugin}.md").read_text())
    rows = [row for table in tables for row in _ROW.findall(table)]
    return {key for row in rows for key in re.findall(r"`(\w+)`", row)}


def read(plugin: str) -> set[str]:
    """The keys that the parsers of a plugin ask for."""
    texts = [(ROOT / "src" / "dari" / each).read_text() for each in PAGES[plugin]]
    return {key for text in texts for key in _READ.findall(text)}


def tried() -> dict[str, set[str]]:
    """For each plugin, the keys that some case of the twins sets."""
    found: dict[str, set[str]] = {plugin: set() for plugin in PAGES}
    for case in (*CASES.values(), *REFUSED.values()):
        for conf in _confs(case):
            kind = str(conf["type"])
            found[kind] |= {*keys(conf)}
            found["host-local"] |= {*keys(conf.get("ipam"))}
    for plugin, table in _kernel_tables().items():
        found[plugin] |= {*keys(table)}
    return found


def _confs(case: Case) -> list[dict[str, object]]:
    return chain_of(case, (4, 6), "1.0.0")


def _kernel_tables() -> dict[str, object]:
    """The tables of cases that the plugins' own modules tell to both sides."""
    return {
        "ptp": [test_plugin_ptp.CONF, test_plugin_ptp.ALIKE],
        "macvlan": [test_plugin_macvlan.ALIKE],
        "static": [test_plugin_static.CONF, test_plugin_static.ALIKE],
        "bandwidth": [test_plugin_bandwidth.ALIKE],
        "tuning": [test_plugin_tuning.ALIKE],
    }


def keys(value: object) -> Iterator[str]:
    """All keys of all objects in a value."""
    if isinstance(value, dict):
        for key, inner in value.items():
            yield str(key)
            yield from keys(inner)
    elif isinstance(value, list | tuple):
        for inner in value:
            yield from keys(inner)


@pytest.mark.parametrize("plugin", PAGES)
def test_every_key_has_a_case(plugin: str) -> None:
    alone = {key for name, key in ALONE if name == plugin}
    wanted = (documented(plugin) | read(plugin)) - _SHARED
    assert wanted - tried()[plugin] - alone == set()


@pytest.mark.parametrize("plugin", PAGES)
def test_every_key_is_documented(plugin: str) -> None:
    assert read(plugin) - _SHARED - documented(plugin) == set()


@pytest.mark.parametrize(("plugin", "key"), ALONE)
def test_what_is_tested_alone_is_tested(plugin: str, key: str) -> None:
    assert f'"{key}"' in Path(ROOT, ALONE[plugin, key]).read_text()


@pytest.mark.parametrize("plugin", ["bridge", "host-local", "loopback"])
def test_a_pages_examples_run(plugin: str) -> None:
    for number, conf in enumerate(examples(plugin)):
        side, container = Side(ours=True), f"c{number}"
        netns = add_namespace(container)
        kind, ifname = str(conf["type"]), "lo" if plugin == "loopback" else "eth0"
        status, answer = side.ask(kind, "ADD", conf, container=container, ifname=ifname)
        assert status == 0, answer
        given = {**conf, "prevResult": answer}
        for verb in ("CHECK", "DEL"):
            asked = side.ask(kind, verb, given, container=container, netns=netns, ifname=ifname)
            assert asked == (0, {}), verb
