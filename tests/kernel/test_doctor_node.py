"""What the doctor reads of a node: real listeners, real processes, real configuration files."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from ipaddress import ip_address
from pathlib import Path

from dari.doctor.checks import examine
from dari.netlink.linkchange import change_link
from dari.netlink.sock import NetlinkSocket
from dari.paths import Paths
from dari.snapshot.health import CONTAINERD, Health, Runtime
from dari.snapshot.model import Snapshot
from dari.snapshot.node import read_machine
from dari.snapshot.probes import Aim, probe
from tests.support.isolation import mount

_LISTENS = """
import socket, sys
address, *ports = sys.argv[1:]
held = [socket.create_server((address, int(port))) for port in ports if port.isdecimal()]
print("ready", flush=True)
sys.stdin.read()
"""
_CONTAINERD = """
version = 3
imports = ["more/*.toml"]
[plugins.'io.containerd.cri.v1.runtime'.cni]
conf_dir = "/nowhere"
"""
_IMPORTED = """
[plugins.'io.containerd.cri.v1.runtime'.cni]
bin_dirs = ["/opt/cni/bin"]
"""


@contextmanager
def program(folder: Path, name: str, *words: str) -> Iterator[None]:
    """A process of a name that listens; it is Python under that name."""
    path = folder / name
    path.symlink_to(os.path.realpath(sys.executable))
    script = folder / "listens.py"
    script.write_text(_LISTENS)
    command = [str(path), "-I", "-S", str(script), *words]
    with subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as started:
        assert started.stdout is not None
        assert started.stdout.readline() == "ready\n"
        yield
        started.communicate()


def snapshot() -> Snapshot:
    return Snapshot(machines=(read_machine(Paths(), thorough=True),))


def health_of(found: Snapshot) -> Health:
    health = found.machines[0].health
    assert health is not None
    return health


def containerd_of(health: Health) -> Runtime:
    return next(each for each in health.runtimes if each.name == CONTAINERD)


def test_roles_ports_and_the_runtimes_configuration_are_read_from_what_runs(tmp_path: Path) -> None:
    config, more = tmp_path / "config.toml", tmp_path / "more"
    more.mkdir()
    config.write_text(_CONTAINERD)
    (more / "cni.toml").write_text(_IMPORTED)
    Path("/etc/cni/net.d").mkdir()
    Path("/etc/cni/net.d/10-a.conf").write_text('{"cniVersion": "1.0.0", "type": "gone"}')
    Path("/etc/cni/net.d/05-b.conf").write_text("{")
    with ExitStack() as running:
        running.enter_context(program(tmp_path, "kube-apiserver", "127.0.0.1", "6443"))
        running.enter_context(program(tmp_path, "impostor", "0.0.0.0", "10250"))
        running.enter_context(program(tmp_path, "containerd", "127.0.0.1", "--config", str(config)))
        taken = snapshot()
        report = examine(taken)
    health = health_of(taken)
    heard = {(each.port, each.program, str(each.address)) for each in health.listeners}
    assert heard == {(6443, "kube-apiserver", "127.0.0.1"), (10250, "impostor", "0.0.0.0")}
    runtime = containerd_of(health)
    assert runtime.running
    assert runtime.sources == (str(config), str(more / "cni.toml"))
    assert (runtime.conf_dir, runtime.bin_dirs) == ("/etc/cni/net.d", ("/opt/cni/bin",))
    told = {(each.code, each.subject) for each in report.findings}
    assert {
        ("DARI-903", "TCP 6443"),  # on the loopback interface alone
        ("DARI-902", "TCP 10250"),
        ("DARI-901", "TCP 10257"),
        ("DARI-702", "/etc/cni/net.d/05-b.conf"),
    } <= told


def test_with_nothing_running_it_finds_nothing_wrong_and_says_what_will_be_needed() -> None:
    for folder in ("/etc/containerd", "/etc/kubernetes"):
        if os.path.isdir(folder):
            mount("tmpfs", folder, "tmpfs")
    report = examine(snapshot())
    assert report.findings == ()
    assert any("worker will need TCP 10250 (kubelet)" in each.text for each in report.notes)


def test_probes_find_the_largest_packet_and_the_state_of_a_port(tmp_path: Path) -> None:
    with NetlinkSocket() as sock:
        sock.transact([change_link(name="lo", up=True, mtu=1400)])
    with program(tmp_path, "server", "127.0.0.1", "7000"):
        found = probe([Aim(peer="self", address=ip_address("127.0.0.1"), ports=(7000, 7001))])
    assert [(each.answers, each.size, each.passes) for each in found] == [(True, 1400, 1400)]
    assert found[0].tcp == {"7000": "open", "7001": "refused"}


def test_the_api_server_that_kubelet_is_told_to_use_is_tried(tmp_path: Path) -> None:
    config = tmp_path / "kubelet.conf"
    config.write_text("clusters:\n- cluster:\n    server: https://127.0.0.1:6443\n")
    with NetlinkSocket() as sock:
        sock.transact([change_link(name="lo", up=True)])
    with ExitStack() as running:
        words = ("127.0.0.1", "10250", f"--kubeconfig={config}")
        running.enter_context(program(tmp_path, "kubelet", *words))
        assert "127.0.0.1 6443" in told_unreachable(probing=1)
        assert told_unreachable(probing=0) == set()
        running.enter_context(program(tmp_path, "kube-apiserver", "127.0.0.1", "6443"))
        assert "127.0.0.1 6443" not in told_unreachable(probing=1)


def told_unreachable(probing: int) -> set[str]:
    """What findings of unreachable ports are about, those on the loopback interface left out."""
    machine = read_machine(Paths(), thorough=True, probing=probing)
    found = examine(Snapshot(machines=(machine,))).findings
    return {each.subject for each in found if each.code == "DARI-903" and "TCP" not in each.subject}
