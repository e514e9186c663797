"""Pods that containerd starts (`ctr run --cni`), wired by the installed executables."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

from tests.support import kernel
from tests.support.containerd import Containerd
from tests.support.containment import Containment
from tests.support.executable import call, environment, install
from tests.support.image import GREETING
from tests.support.networks import BRIDGE, CONF_DIR, LEASES, leases, write_conf

SERVE = ("httpd", "-f", "-h", "/www")
SLEEP = ("sleep", "1000")
PING = ("ping", "-c", "1", "-W", "5")
POD_RANGES = ("10.244.1.0/24", "fd00:244:1::/64")
FETCH = ("wget", "-q", "-O", "-")
SHOW = ("ip", "-o", "addr", "show", "dev", "eth0")


def host_ends() -> list[str]:
    return kernel.links("dari")


def test_two_containers_of_the_notes_configuration_reach_each_other(image: Path) -> None:
    install()
    write_conf(BRIDGE)
    with Containment() as containment:
        containerd = Containerd(containment, image)
        containerd.run("client", *SLEEP)
        containerd.run("server", *SERVE)
        assert leases() == {"10.22.0.2", "10.22.0.3"}
        assert "inet 10.22.0.2/16" in containerd.execute("client", *SHOW)
        assert "1 packets received" in containerd.execute("client", *PING, "10.22.0.3")
        assert containerd.execute("client", *FETCH, "http://10.22.0.3/") == GREETING
        assert containerd.execute("client", *PING, "10.22.0.1")
        assert len(host_ends()) == 2


def test_a_container_that_ctr_waits_for_leaves_nothing(image: Path) -> None:
    install()
    write_conf(BRIDGE)
    with Containment() as containment:
        containerd = Containerd(containment, image)
        assert "inet 10.22.0.2/16" in containerd.run_to_end("short", *SHOW)
        assert leases() == set()
        assert host_ends() == []


def test_dari_del_clears_what_a_detached_container_leaves(image: Path) -> None:
    install()
    write_conf(BRIDGE)
    with Containment() as containment:
        containerd = Containerd(containment, image)
        containerd.run("gone", *SLEEP)
        containerd.run("stays", *SLEEP)
        containerd.remove("gone")
        assert leases() == {"10.22.0.2", "10.22.0.3"}, "ctr called DEL after all"
        subprocess.run([sys.executable, "-m", "dari", "del", "default-gone"], check=True)
        assert leases() == {"10.22.0.3"}
        assert len(host_ends()) == 1
        assert containerd.execute("stays", *PING, "10.22.0.1")


def test_gc_clears_what_a_detached_container_leaves(image: Path) -> None:
    install()
    write_conf(BRIDGE)
    with Containment() as containment:
        containerd = Containerd(containment, image)
        containerd.run("gone", *SLEEP)
        containerd.run("stays", *SLEEP)
        containerd.remove("gone")
        collect_all_but("default-stays")
        assert leases() == {"10.22.0.3"}
        assert len(host_ends()) == 1
        assert containerd.execute("stays", *PING, "10.22.0.1")


def collect_all_but(container: str) -> None:
    """GC as a runtime calls it that knows of one attachment."""
    valid = [{"containerID": container, "ifname": "eth0"}]
    conf = {**BRIDGE, "cniVersion": "1.1.0", "cni.dev/valid-attachments": valid}
    answer = call("bridge", environment("GC", "", ""), json.dumps(conf).encode())
    assert answer.status == 0, answer


def test_containers_of_the_installed_conflist_reach_each_other(image: Path) -> None:
    install(str(CONF_DIR), POD_RANGES)
    with Containment() as containment:
        containerd = Containerd(containment, image)
        containerd.run("client", *SLEEP)
        containerd.run("server", *SERVE)
        address = containerd.execute("server", *SHOW).split()[3].partition("/")[0]
        assert containerd.execute("client", *FETCH, f"http://{address}/") == GREETING
        assert not LEASES.exists(), "another configuration was chosen"
