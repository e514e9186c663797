"""Several labs on one machine, labs of other shapes, and users who may not have one."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator

import pytest

from tests.support.labs import ORDINARY, ROOT, Caller, caller, lab, processes_of, unique_name

SMALL = ("--nodes", "2", "--pods", "1")


@pytest.fixture(scope="module", params=[ROOT, ORDINARY])
def by(request: pytest.FixtureRequest) -> Iterator[Caller]:
    with caller(request.param) as found:
        yield found


def test_two_labs_with_the_same_addresses_know_nothing_of_each_other(by: Caller) -> None:
    with lab(by, *SMALL) as first, lab(by, *SMALL) as second:
        for one in (first, second):
            one.ok("node1", "sh", "-c", f"echo {one.name} > /run/whose")
            one.ok("pod-1-1", "ping", "-c1", "-w60", "pod-2-1")
        assert first.ok("node1", "cat", "/run/whose").strip() == first.name
        assert second.ok("node1", "cat", "/run/whose").strip() == second.name
        assert first.ok("node1", "readlink", "/proc/self/ns/net") != second.ok(
            "node1", "readlink", "/proc/self/ns/net"
        )


def test_root_s_and_a_user_s_lab_of_one_name_are_two() -> None:
    name = unique_name()
    with caller(ROOT) as root, caller(ORDINARY) as user:
        try:
            root.ok("lab", "up", "--name", name, *SMALL)
            user.ok("lab", "up", "--name", name, *SMALL)
            root.ok("lab", "down", "--name", name)
            user.ok("lab", "exec", "--name", name, "pod-1-1", "--", "ping", "-c1", "pod-2-1")
        finally:
            root.ok("lab", "down", "--name", name)
            user.ok("lab", "down", "--name", name)
    assert processes_of(name) == []


def test_a_routed_lab_s_pods_reach_each_other_through_the_router(by: Caller) -> None:
    with lab(by, *SMALL, "--routed", "--ipv6") as built:
        for family in ("-4", "-6"):
            built.ok("pod-1-1", "ping", family, "-c1", "-w60", "pod-2-1")
            built.ok("pod-2-1", "ping", family, "-c1", "-w60", "outside")
        way = built.ok("node1", "ip", "route", "get", built.status()["pods"][1]["addresses"][0])
        assert "via 10.0.1.254" in way
        assert built.status()["router"]["agent"] == "ready"
        assert "router" in built.caller.ok("lab", "status", "--name", built.name)


def test_the_smallest_lab_is_one_node_without_pods(by: Caller) -> None:
    with lab(by, "--nodes", "1", "--pods", "0") as built:
        assert built.status()["pods"] == []
        built.ok("node1", "ping", "-c1", "-w60", "outside")


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (("--nodes", "0"), "--nodes 0"),
        (("--pods", "1000"), "--pods 1000"),
        (("--name", "../x"), "../x"),
    ],
)
def test_an_impossible_lab_is_refused_at_once(
    by: Caller, words: tuple[str, ...], told: str
) -> None:
    done = by.run("lab", "up", *words)
    assert done.returncode == 1
    assert told in done.stderr


def test_wrong_use_is_status_2_and_help_has_an_example(by: Caller) -> None:
    assert by.run("lab").returncode == 2
    assert by.run("lab", "up", "--nodes", "many").returncode == 2
    for verb in ("up", "status", "exec", "down", "demo"):
        assert "example" in by.ok("lab", verb, "--help")


@pytest.mark.parametrize("kind", ["pid", "net", "mnt"])
def test_where_the_kernel_allows_no_namespace_the_setting_is_named(kind: str) -> None:
    """The limit is set in a user namespace of its own, and ends with it."""
    name = unique_name()
    with caller(ROOT) as root:
        limit = f'echo 0 > /proc/sys/user/max_{kind}_namespaces && exec "$@"'
        done = subprocess.run(
            [
                *("unshare", "--user", "--map-root-user", "sh", "-c", limit, "sh"),
                *root.line("lab", "up", "--name", name),
            ],
            env=root.environ,
            capture_output=True,
            text=True,
        )
    assert done.returncode == 1, done.stdout
    assert "sudo sysctl user.max_user_namespaces" in done.stderr
    assert processes_of(name) == []


def test_folders_that_the_machine_lacks_are_there_in_a_node() -> None:
    """As on a machine that never saw a CNI plugin; nothing is made on it."""
    name = unique_name()
    with caller(ROOT) as root:
        hide = "for each in /opt /etc/cni; do mount -t tmpfs none $each; done; rmdir /opt/cni; "
        script = (
            f'{hide} "$@" lab up --name {name} --nodes 1 --pods 1 2>/dev/null && '
            f'"$@" lab exec --name {name} node1 -- ls /opt/cni/bin /etc/cni/net.d && '
            f'"$@" lab down --name {name} && ls -A /opt /etc/cni'
        )
        done = subprocess.run(
            ["unshare", "--mount", "sh", "-c", script, "sh", *root.line()],
            env=root.environ,
            capture_output=True,
            text=True,
        )
    assert done.returncode == 0, done.stderr
    assert "10-dari.conflist" in done.stdout
    assert done.stdout.endswith("/etc/cni:\n\n/opt:\n"), done.stdout


def test_a_lab_changes_nothing_of_the_machine_s_own_network() -> None:
    before = own_network()
    with caller(ROOT) as root, lab(root, *SMALL):
        assert own_network() == before
    assert own_network() == before


def own_network() -> list[str]:
    commands = (["ip", "-o", "link"], ["ip", "-o", "address"], ["ip", "route"], ["ip", "netns"])
    shown = [subprocess.check_output(line, text=True) for line in commands]
    shown.append(subprocess.check_output(["nft", "list", "tables"], text=True))
    with open("/proc/sys/net/ipv4/ip_forward", encoding="ascii") as stream:
        return [*shown, stream.read(), os.readlink("/proc/self/ns/net")]


def test_a_missing_libnftables_is_told_at_once_with_its_package() -> None:
    name = unique_name()
    hide = 'for each in $(ldconfig -p | grep -o "/.*libnftables.so.1$"); do '
    hide += 'mount --bind /dev/null "$each" || exit 9; done; exec "$@"'
    with caller(ROOT) as root:
        done = subprocess.run(
            ["unshare", "--mount", "sh", "-c", hide, "sh", *root.line("lab", "up", "--name", name)],
            env=root.environ,
            capture_output=True,
            text=True,
        )
    assert done.returncode == 1, done.stderr
    assert "libnftables1" in done.stderr
    assert processes_of(name) == []


@pytest.mark.parametrize(
    ("program", "options", "package"),
    [("etcd", ("--store", "etcd"), "etcd-server"), ("bird", ("--backend", "bgp"), "bird2")],
)
def test_a_missing_server_is_told_with_its_package(
    program: str, options: tuple[str, ...], package: str
) -> None:
    name = unique_name()
    hide = f'mount --bind /dev/null "$(command -v {program})" || exit 9; exec "$@"'
    with caller(ROOT) as root:
        words = root.line("lab", "up", "--name", name, "--nodes", "1", "--pods", "0", *options)
        done = subprocess.run(
            ["unshare", "--mount", "sh", "-c", hide, "sh", *words],
            env=root.environ,
            capture_output=True,
            text=True,
        )
    assert done.returncode == 1, done.stderr
    assert f"apt-get install --no-install-recommends {package}" in done.stderr
    assert processes_of(name) == []
