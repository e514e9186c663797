"""Containers that Podman runs with its CNI backend, wired by the installed executables."""

from __future__ import annotations

from pathlib import Path

from tests.support import kernel
from tests.support.containment import Containment
from tests.support.executable import install
from tests.support.image import GREETING
from tests.support.networks import BRIDGE, CONF_DIR, NETWORK, leases, write_list
from tests.support.podman import Podman
from tests.support.snapshot import assert_unchanged, snapshot

SERVE = ("httpd", "-f", "-h", "/www")
SLEEP = ("sleep", "1000")
PING = ("ping", "-c", "1", "-W", "5")
POD_RANGES = ("10.244.1.0/24", "fd00:244:1::/64")
FETCH = ("wget", "-q", "-O", "-")


def test_two_containers_of_the_notes_configuration_reach_each_other(image: Path) -> None:
    install()
    write_list(BRIDGE)
    with Containment() as containment:
        podman = Podman(containment, image, NETWORK)
        podman.run("client", *SLEEP)
        podman.run("server", *SERVE)
        assert podman.address("client") == "10.22.0.2"
        assert podman.address("server") == "10.22.0.3"
        assert "1 packets received" in podman.execute("client", *PING, "10.22.0.3")
        assert podman.execute("client", *FETCH, "http://10.22.0.3/") == GREETING


def test_removed_containers_leave_nothing(image: Path) -> None:
    install()
    write_list(BRIDGE)
    with Containment() as containment:
        podman = Podman(containment, image, NETWORK)
        podman.run("first", *SLEEP)
        podman.remove("first")
        before = snapshot()
        podman.run("second", *SLEEP)
        podman.run("third", *SLEEP)
        podman.remove("second", "third")
        assert_unchanged(before, ("/last_reserved_ip.", "/run/dari/owners/"))
        assert leases() == set()
        assert kernel.links("dari") == []


def test_containers_of_the_installed_conflist_reach_each_other(image: Path) -> None:
    install(str(CONF_DIR), POD_RANGES)
    with Containment() as containment:
        podman = Podman(containment, image, "dari")
        podman.run("client", *SLEEP)
        podman.run("server", *SERVE)
        address = podman.address("server")
        assert podman.execute("client", *FETCH, f"http://{address}/") == GREETING
        podman.remove("client", "server")
        assert kernel.links("dari") == []
