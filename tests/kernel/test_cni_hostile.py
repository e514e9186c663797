"""Hostile calls of the real plugins: an error is one of the protocol's, and changes nothing."""

from __future__ import annotations

import io
import json
import re
import shutil
from collections.abc import Mapping
from pathlib import Path

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from dari.cni.dispatch import respond
from dari.paths import Paths
from dari.result import SUPPORTED
from dari.wiring.host import Host
from tests.support.calls import NOTES_CONF
from tests.support.isolation import add_namespace
from tests.support.kernel import ip, links, run

FOLDERS = (Path("/run/dari"), Path("/var/lib/cni/networks"))
# A lease (a file named as an address), an attachment, a network that is masqueraded.
THAT_MATTER = re.compile(r"/attachments/|/masquerade/|/[0-9a-f]*[.:][0-9a-f.:]*$")
SCALARS = (
    st.none()
    | st.booleans()
    | st.integers(-(2**40), 2**40)
    | st.sampled_from(["", "x" * 300, "../../etc", "10.22.0.0/16", "10.22.0.9", "::1/64", "%d"])
    | st.text(max_size=6)
)
OWN_KEYS = st.sampled_from(
    [
        *("cniVersion", "name", "type", "bridge", "mtu", "vlan", "ipMasq", "isGateway"),
        *("isDefaultGateway", "forceAddress", "hairpinMode", "promiscMode", "ipam", "dns"),
        *("prevResult", "runtimeConfig", "args", "agent", "cni.dev/valid-attachments"),
    ]
)
INNER_KEYS = st.sampled_from(
    [
        *("type", "subnet", "ranges", "rangeStart", "rangeEnd", "gateway", "routes", "dst", "gw"),
        *("dataDir", "resolvConf", "ips", "cni", "mac", "ipRanges", "interfaces", "address"),
    ]
)
VALUES = st.recursive(
    SCALARS,
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(INNER_KEYS, inner, max_size=3),
    max_leaves=8,
)
VERBS = st.sampled_from(["ADD", "DEL", "CHECK", "GC", "STATUS"])
NAMES = st.sampled_from(["dari", "bridge", "host-local", "loopback"])
HOSTILE = {
    "CNI_CONTAINERID": st.sampled_from(["web1", "", "-x", "a/b", "x" * 200]),
    "CNI_IFNAME": st.sampled_from(["eth0", "lo", "", "..", "x" * 16, "eth%d"]),
    "CNI_ARGS": st.sampled_from(["", "IP=x", "IP=10.22.0.0", "MAC=ff:ff:ff:ff:ff:ff", "junk"]),
}


def state() -> tuple[str, ...]:
    """Links, addresses and routes of node and pod, rules, and the files that matter."""
    files = sorted(str(path) for folder in FOLDERS for path in folder.rglob("*") if path.is_file())
    return (
        run("ip", "-o", "address"),
        run("ip", "route", "show", "table", "all"),
        run("ip", "-o", "address", namespace="web"),
        run("nft", "list", "ruleset"),
        *(path for path in files if THAT_MATTER.search(path)),
    )


def tidy() -> None:
    """Back to an empty node: a call that was right after all must not hide what the next does."""
    for namespace in ("", "web"):
        for link in ip("link", "show", namespace=namespace):
            if link["ifname"] in links(namespace=namespace) and link["ifname"] != "lo":
                run("ip", "link", "delete", link["ifname"], namespace=namespace)
    run("nft", "flush", "ruleset")
    for folder in FOLDERS:
        shutil.rmtree(folder, ignore_errors=True)


def call(name: str, variables: Mapping[str, str], conf: Mapping[str, object]) -> int:
    """One call, whose answer is looked at; the exit status."""
    log = io.StringIO()
    data = json.dumps(conf).encode()
    status, said = respond(name, variables, data, log, lambda given: Host(Paths(), given))
    assert log.getvalue() == "", (variables, conf)
    if status:
        error = json.loads(said)
        assert error["code"] not in (0, 999), error
        assert error["cniVersion"] in SUPPORTED
    return status


@st.composite
def calls(draw: st.DrawFn) -> tuple[str, dict[str, str], dict[str, object]]:
    variables = {
        "CNI_COMMAND": draw(VERBS),
        "CNI_CONTAINERID": "web1",
        "CNI_IFNAME": "eth0",
        "CNI_NETNS": draw(st.sampled_from(["/run/netns/web"] * 4 + ["/run/netns/x", "/etc", ""])),
        "CNI_PATH": "/opt/cni/bin",
    }
    if draw(st.booleans()):
        name = draw(st.sampled_from(list(HOSTILE)))
        variables[name] = draw(HOSTILE[name])
    conf = {**NOTES_CONF, **draw(st.dictionaries(OWN_KEYS, VALUES, max_size=2))}
    if draw(st.booleans()):
        section = draw(st.dictionaries(INNER_KEYS, VALUES, max_size=2))
        conf["ipam"] = {"type": "host-local", "subnet": "10.22.0.0/16", **section}
    return draw(NAMES), variables, conf


def test_an_error_changes_nothing() -> None:
    add_namespace("web")

    @settings(deadline=None, max_examples=150, suppress_health_check=list(HealthCheck))
    @given(calls())
    def one(drawn: tuple[str, dict[str, str], dict[str, object]]) -> None:
        before = state()
        status = call(*drawn)
        if status and drawn[1]["CNI_COMMAND"] not in ("DEL", "GC"):
            assert state() == before
        if state() != before:
            tidy()

    one()
