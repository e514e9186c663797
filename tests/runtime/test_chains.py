"""Lists that chain all plugins, all ours or mixed with Debian's, run by Podman and containerd."""

from __future__ import annotations

import urllib.request
from collections.abc import Sequence
from pathlib import Path

import pytest

from dari.nft import forwarded, hostports
from dari.paths import Paths
from tests.support import kernel
from tests.support.containerd import Containerd
from tests.support.containment import Containment
from tests.support.executable import BIN_DIR, CHAINED, WIRING, install
from tests.support.image import GREETING
from tests.support.networks import CHAIN, NETWORK, leases, write_chain
from tests.support.podman import Podman
from tests.support.reference import REFERENCE_FOLDER
from tests.support.waiting import PATIENCE

SERVE = ("httpd", "-f", "-h", "/www")
SLEEP = ("sleep", "1000")
FETCH = ("wget", "-q", "-O", "-")
SETTING = ("cat", "/proc/sys/net/core/somaxconn")

MIXTURES = {
    "all ours": (*WIRING, *CHAINED),
    "theirs wires": CHAINED,
    "ours wires": WIRING,
    "theirs limits and tunes": (*WIRING, "portmap", "firewall"),
}
"""Which plugins are ours; the others are Debian's."""


def install_mixed(ours: Sequence[str]) -> None:
    install(names=ours)
    for name in (*WIRING, *CHAINED):
        if name not in ours:
            Path(BIN_DIR, name).symlink_to(f"{REFERENCE_FOLDER}/{name}")


def limited() -> int:
    """How many queues of the node's are limited."""
    return kernel.run("tc", "qdisc", "show").count("qdisc tbf")


@pytest.mark.parametrize("mixture", MIXTURES)
def test_podman_runs_a_chain(image: Path, mixture: str) -> None:
    install_mixed(MIXTURES[mixture])
    write_chain(CHAIN)
    with Containment() as containment:
        podman = Podman(containment, image, NETWORK)
        podman.run("client", *SLEEP)
        podman.run("server", *SERVE, ports=["8080:80"])
        address = podman.address("server")
        assert podman.execute("client", *FETCH, f"http://{address}/") == GREETING
        for place in ("client", "server"):
            assert podman.execute(place, *FETCH, "http://10.22.0.1:8080/") == GREETING
        assert fetch("http://10.22.0.1:8080/") == GREETING
        assert podman.execute("server", *SETTING).strip() == "99"
        assert limited() == 4
        podman.remove("client", "server")
        assert leases() == set()
        assert limited() == 0
        assert not hostports.read_claims(Paths())
        assert not forwarded.is_used(Paths())
        left = [each for each in kernel.links() if each.startswith(("dari", "veth", "bwp"))]
        assert left == []


@pytest.mark.parametrize("mixture", MIXTURES)
def test_containerd_runs_a_chain(image: Path, mixture: str) -> None:
    install_mixed(MIXTURES[mixture])
    write_chain(CHAIN)
    with Containment() as containment:
        containerd = Containerd(containment, image)
        containerd.run("server", *SERVE)
        assert limited() == 2
        [address] = leases()
        assert containerd.execute("server", *FETCH, f"http://{address}/") == GREETING
        assert containerd.run_to_end("client", *FETCH, f"http://{address}/") == GREETING
        assert containerd.execute("server", *SETTING).strip() == "99"
        assert leases() == {address}, "ctr called DEL for the one it waited for"
        assert limited() == 2


def fetch(url: str) -> str:
    """What the node itself is served."""
    with urllib.request.urlopen(url, timeout=PATIENCE) as answer:
        said: bytes = answer.read()
    return said.decode()
