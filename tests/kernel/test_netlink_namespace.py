"""Network namespaces: opened only if they are some, entered only in other threads."""

from __future__ import annotations

import os
import subprocess
import threading
from pathlib import Path

import pytest

from dari.errors import BadNamespace, KernelRefused
from dari.netlink.constants import NETLINK_NETFILTER
from dari.netlink.link import get_link, list_links
from dari.netlink.linkchange import add_bridge
from dari.netlink.namespace import Namespace, Visitor, current
from dari.netlink.sock import NetlinkSocket
from tests.support.isolation import add_namespace
from tests.support.kernel import links, run
from tests.support.waiting import wait_until


def test_its_identity_is_that_of_the_file() -> None:
    path = add_namespace("pod")
    with Namespace.open(path) as pod:
        found = os.stat(path)
        assert pod.identity == (found.st_dev, found.st_ino)
        assert pod.identity != current()
    with Namespace.open("/proc/thread-self/ns/net") as own:
        assert own.identity == current()


def test_work_runs_inside_and_leaves_the_caller_outside() -> None:
    path = add_namespace("pod")
    before = current()
    with Namespace.open(path) as pod:
        assert pod.run(current) == pod.identity
        assert pod.run(threading.get_ident) != threading.get_ident()
        assert pod.run(lambda: None) is None
    assert current() == before


def test_what_the_work_raises_comes_back() -> None:
    path = add_namespace("pod")

    def fail() -> None:
        raise KeyError("here")

    with Namespace.open(path) as pod:
        with pytest.raises(KeyError, match="here"):
            pod.run(fail)
        assert pod.run(current) == pod.identity


def test_a_socket_stays_inside() -> None:
    path = add_namespace("pod")
    with Namespace.open(path) as pod, NetlinkSocket() as outer:
        with pod.socket() as inner:
            inner.transact([add_bridge("inside")])
            assert get_link(inner, name="inside").kind == "bridge"
            assert "inside" not in {link.name for link in list_links(outer)}
        with pod.socket(NETLINK_NETFILTER) as other:
            assert other.fileno() >= 0
        with pytest.raises(KernelRefused):
            pod.socket(31)
    assert "inside" in links(namespace="pod")
    assert "inside" not in links()


def test_a_socket_outlives_the_name_and_the_descriptor() -> None:
    path = add_namespace("pod")
    with Namespace.open(path) as pod:
        inner = pod.socket()
    run("ip", "netns", "delete", "pod")
    with inner:
        inner.transact([add_bridge("inside")])
        assert get_link(inner, name="inside").name == "inside"


def test_a_visitor_goes_from_one_to_the_next_and_holds_none() -> None:
    paths = [add_namespace("one"), add_namespace("two")]
    visitor = Visitor()
    before = current()
    threads_seen = set()
    for path in paths * 2:
        with Namespace.open(path, visitor) as pod:
            assert pod.run(current) == pod.identity
            threads_seen.add(pod.run(threading.get_native_id))
            with pytest.raises(ZeroDivisionError):
                pod.run(lambda: 1 // 0)
    [thread] = threads_seen
    assert thread != threading.get_native_id()
    assert current() == before
    found = os.stat(f"/proc/self/task/{thread}/ns/net")
    assert (found.st_dev, found.st_ino) == before
    visitor.close()
    wait_until(lambda: not os.path.exists(f"/proc/self/task/{thread}"))
    with Namespace.open(paths[0], visitor) as pod:
        assert pod.run(current) == pod.identity
    visitor.close()


def test_a_visitor_tells_what_cannot_be_entered_and_goes_on() -> None:
    path = add_namespace("pod")
    visitor = Visitor()
    with Namespace.open(path, visitor) as pod:
        closed = Namespace.borrow(pod.fd, path, visitor)
        closed.close()
        with pytest.raises(BadNamespace):
            closed.run(current)
        assert pod.run(current) == pod.identity
    visitor.close()


@pytest.mark.parametrize("path", ["/run/netns/gone", "/run/none/at/all", ""])
def test_what_is_missing_is_said_to_be(path: str) -> None:
    with pytest.raises(BadNamespace) as caught:
        Namespace.open(path)
    assert caught.value.missing
    assert caught.value.code == 8


def test_what_is_no_network_namespace_is_refused_without_a_hang() -> None:
    Path("/run/file").write_text("not a namespace")
    os.mkfifo("/run/pipe")
    os.symlink("/run/loop", "/run/loop")
    others = ["/proc/self/ns/mnt", "/proc/self/ns/uts", "/proc/self/ns/user"]
    strange = [
        "/run/file",
        "/run/pipe",
        "/run/loop",
        "/run",
        "/dev/zero",
        "/run/file/below",
        "a\0b",
    ]
    for path in others + strange:
        with pytest.raises(BadNamespace) as caught:
            Namespace.open(path)
        assert not caught.value.missing
        assert repr(path) in str(caught.value)


def test_a_file_whose_namespace_was_unmounted_is_refused() -> None:
    path = add_namespace("pod")
    subprocess.run(["umount", path], check=True)
    with pytest.raises(BadNamespace, match="is not a network namespace"):
        Namespace.open(path)


def test_closing_twice_is_harmless_and_a_closed_one_cannot_be_entered() -> None:
    path = add_namespace("pod")
    pod = Namespace.open(path)
    pod.close()
    pod.close()
    with pytest.raises(BadNamespace, match="Bad file descriptor"):
        pod.run(current)


def test_many_namespaces_leave_no_descriptor_and_no_thread() -> None:
    path = add_namespace("pod")

    def use() -> None:
        with Namespace.open(path) as pod, pod.socket() as inner:
            assert [link.name for link in list_links(inner)][:1] == ["lo"]
        with pytest.raises(BadNamespace):
            Namespace.open("/proc/self/ns/mnt")

    use()
    descriptors = len(os.listdir("/proc/self/fd"))
    threads = len(os.listdir("/proc/self/task"))
    for _ in range(300):
        use()
    assert len(os.listdir("/proc/self/fd")) <= descriptors
    wait_until(lambda: len(os.listdir("/proc/self/task")) <= threads)


def test_a_namespace_ends_when_nothing_holds_it_any_more() -> None:
    path = add_namespace("pod")
    run("ip", "link", "add", "cable", "type", "veth", "peer", "name", "eth0", "netns", "pod")
    with Namespace.open(path) as pod:
        pod.run(current)
        run("ip", "netns", "delete", "pod")
        assert "cable" in links()
    wait_until(lambda: "cable" not in links())
