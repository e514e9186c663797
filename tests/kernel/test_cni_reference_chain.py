"""Our runtime's side with Debian's reference plugins: whole lives of attachments.

The list is bridge (with host-local) and portmap, as runtimes commonly have it.
"""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

from dari.cni.runtime.cache import Attachment, list_cached
from dari.cni.runtime.chain import Chain
from dari.cni.runtime.confdir import choose
from dari.delegate import PluginFailed
from dari.errors import DariError
from dari.model import ContainerId, InterfaceName, Result
from dari.paths import Paths
from tests.support.isolation import add_namespace
from tests.support.kernel import addresses, ip, links, run
from tests.support.reference import REFERENCE_FOLDER

CONF_DIR = Path("/etc/cni/net.d")
LEASES = Path("/var/lib/cni/networks/mynet")
RESULTS = Path("/var/lib/cni/results")
VERSIONS = ("0.3.0", "0.3.1", "0.4.0", "1.0.0")  # what Debian's 1.1.1 has of chains
BRIDGE: dict[str, object] = {
    "type": "bridge",
    "isGateway": True,
    "ipMasq": True,
    "ipam": {
        "type": "host-local",
        "ranges": [[{"subnet": "10.22.0.0/16"}], [{"subnet": "fd00:22::/64"}]],
        "routes": [{"dst": "0.0.0.0/0"}],
    },
}
PORTMAP: dict[str, object] = {"type": "portmap", "capabilities": {"portMappings": True}}


def network(*plugins: dict[str, object], version: str = "1.0.0") -> Chain:
    """Write a list where runtimes look for it, and get it as they would."""
    CONF_DIR.mkdir(parents=True, exist_ok=True)
    content = {"cniVersion": version, "name": "mynet", "plugins": list(plugins)}
    (CONF_DIR / "10-mynet.conflist").write_text(json.dumps(content))
    return Chain(
        choose(str(CONF_DIR)),
        folders=[REFERENCE_FOLDER],
        results=Paths().results,
        environ=os.environ,
    )


def pod(name: str = "web", port: int = 8080) -> Attachment:
    """A fresh namespace, to be attached with a port of the host's."""
    mapping = {"hostPort": port, "containerPort": 80, "protocol": "tcp"}
    return Attachment(
        container_id=ContainerId(name),
        ifname=InterfaceName("eth0"),
        netns=add_namespace(name),
        capability_args={"portMappings": [mapping]},
    )


def leases() -> list[str]:
    return sorted(path.name for path in LEASES.glob("[1f]*")) if LEASES.exists() else []


def assert_nothing_is_left(namespace: str = "web") -> None:
    assert leases() == []
    assert not RESULTS.exists() or list(RESULTS.iterdir()) == []
    assert links("veth") == []
    assert links("eth", namespace) == []
    assert "8080" not in run("iptables-save")


@pytest.mark.parametrize("version", VERSIONS)
def test_a_whole_life(version: str) -> None:
    chain, attachment = network(BRIDGE, PORTMAP, version=version), pod()
    result = chain.add(attachment)
    assert [str(each.address) for each in result.ips] == ["10.22.0.2/16", "fd00:22::2/64"]
    assert addresses("eth0", "web") == {"10.22.0.2/16", "fd00:22::2/64"}
    assert leases() == ["10.22.0.2", "fd00:22::2"]
    assert "--dport 8080" in run("iptables-save", "-t", "nat")
    assert [path.name for path in RESULTS.iterdir()] == ["mynet-web-eth0"]
    chain.delete(attachment)
    assert_nothing_is_left()
    chain.delete(attachment)


def test_the_cached_result_is_what_the_last_plugin_said() -> None:
    chain, attachment = network(BRIDGE, PORTMAP), pod()
    chain.add(attachment)
    [cached] = list_cached(Paths().results)
    assert cached.attachment == attachment
    assert json.loads(cached.config)["plugins"] == [BRIDGE, PORTMAP]
    interfaces = cached.result["interfaces"]
    assert isinstance(interfaces, list)
    assert [each["name"] for each in interfaces][::2] == ["cni0", "eth0"]
    assert cached.result["cniVersion"] == "1.0.0"


@pytest.mark.parametrize("version", ["0.4.0", "1.0.0"])
def test_check_finds_what_the_plugins_find(version: str) -> None:
    """Without portmap, whose CHECK in that release looks for IPv4 rules in IPv6's table."""
    tuning: dict[str, object] = {
        "type": "tuning",
        "sysctl": {"net.ipv4.conf.all.arp_filter": "1"},
    }
    chain, attachment = network(BRIDGE, tuning, version=version), pod()
    chain.add(attachment)
    chain.check(attachment)
    run("ip", "address", "flush", "dev", "eth0", namespace="web")
    with pytest.raises(PluginFailed, match="bridge: "):
        chain.check(attachment)


def test_a_plugin_late_in_the_chain_that_fails_leaves_nothing() -> None:
    chain = network(BRIDGE, {"type": "tuning", "sysctl": {"net.ipv4.no_such_key": "1"}}, PORTMAP)
    with pytest.raises(PluginFailed, match="tuning: "):
        chain.add(pod())
    assert_nothing_is_left()


def test_a_namespace_that_went_before_its_del() -> None:
    chain, attachment = network(BRIDGE, PORTMAP), pod()
    chain.add(attachment)
    run("ip", "netns", "delete", "web")
    chain.delete(attachment)
    assert leases() == []
    assert list(RESULTS.iterdir()) == []


def test_gc_takes_what_is_not_valid() -> None:
    chain, kept, lost = network(BRIDGE, PORTMAP), pod("kept", 8081), pod("lost", 8082)
    chain.add(kept)
    chain.add(lost)
    chain.collect([kept.owner])
    assert leases() == ["10.22.0.2", "fd00:22::2"]
    assert [path.name for path in RESULTS.iterdir()] == ["mynet-kept-eth0"]
    assert links("eth", "lost") == []
    assert addresses("eth0", "kept") == {"10.22.0.2/16", "fd00:22::2/64"}


def test_pairs_for_the_plugins_reach_them() -> None:
    chain = network(BRIDGE, PORTMAP)
    asked = (("IgnoreUnknown", "1"), ("IP", "10.22.0.77"))
    result = chain.add(pod().replace(args=asked))
    assert str(result.ips[0].address) == "10.22.0.77/16"


def test_a_refusal_has_the_plugins_own_code_and_words() -> None:
    chain = network({**BRIDGE, "ipam": {"type": "host-local", "subnet": "10.22.0.0/31"}})
    with pytest.raises(DariError, match="too small"):
        chain.add(pod())


def through(result: Result) -> list[str]:
    return [str(route.dst) for route in result.routes]


def test_routes_and_gateway_come_through_the_chain() -> None:
    result = network(BRIDGE, PORTMAP).add(pod())
    assert through(result) == ["0.0.0.0/0"]
    assert str(result.ips[0].gateway) == "10.22.0.1"
    [default] = ip("route", "show", "default", namespace="web")
    assert default["gateway"] == "10.22.0.1"
