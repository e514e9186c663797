"""What runtimes' own configurations say of CNI, in all their forms."""

from __future__ import annotations

import pytest

from dari.snapshot import features, listeners, room, runtimeconf

V2 = (
    '[plugins."io.containerd.grpc.v1.cri".cni]\nbin_dir = "/a"\nconf_dir = "/c"\nmax_conf_num = 0\n'
)
V3 = '[plugins."io.containerd.cri.v1.runtime".cni]\nbin_dirs = ["/a", "/b"]\n'


@pytest.mark.parametrize(
    ("texts", "conf_dir", "bin_dirs", "most"),
    [
        ((), "/etc/cni/net.d", ("/opt/cni/bin",), 1),
        ((V2,), "/c", ("/a",), 0),
        ((V3,), "/etc/cni/net.d", ("/a", "/b"), 1),
        ((V2, "plugins.x.y = 1\n"), "/c", ("/a",), 0),
        # a section that comes later replaces the whole section
        ((V2, V2.replace('conf_dir = "/c"\n', "")), "/etc/cni/net.d", ("/a",), 0),
    ],
)
def test_containerd_of_both_generations(
    texts: tuple[str, ...], conf_dir: str, bin_dirs: tuple[str, ...], most: int
) -> None:
    found = runtimeconf.containerd([(f"{n}.toml", text) for n, text in enumerate(texts)])
    assert (found.conf_dir, found.bin_dirs, found.most) == (conf_dir, bin_dirs, most)
    assert found.problems == ()


@pytest.mark.parametrize("text", ["[", '[plugins."cri".cni]\nbin_dir = 7\n', "plugins = 3\n"])
def test_what_is_wrong_is_told_and_not_raised(text: str) -> None:
    assert len(runtimeconf.containerd([("config.toml", text)]).problems) == 1


def test_crio_takes_each_key_from_the_last_file_that_has_it() -> None:
    first = '[crio.network]\nnetwork_dir = "/n/"\nplugin_dirs = ["/p/"]\n'
    second = '[crio.network]\ncni_default_network = "dari"\n'
    found = runtimeconf.crio([("crio.conf", first), ("crio.conf.d/10.conf", second)])
    assert (found.conf_dir, found.bin_dirs, found.default) == ("/n", ("/p",), "dari")


def test_podman_without_cni_reads_no_file() -> None:
    assert not runtimeconf.podman([("c", '[network]\nnetwork_backend = "netavark"\n')], "cni").cni
    found = runtimeconf.podman([("c", '[network]\nnetwork_config_dir = "/x"\n')], "cni")
    assert (found.cni, found.conf_dir, found.default) == (True, "/x", "podman")


def test_kubelets_flags_are_found_however_they_are_written() -> None:
    lines = [
        'Environment="KUBELET_NETWORK_ARGS=--network-plugin=cni --cni-conf-dir=/c"',
        "# --cni-conf-dir=/not",
        "ExecStart=/usr/bin/kubelet --cni-bin/dir /b --cni-bin-dir=/x,/y",
    ]
    found = runtimeconf.kubelet(lines, ["kubelet.service"])
    assert (found.cni, found.conf_dir, found.bin_dirs) == (True, "/c", ("/x", "/y"))
    assert "--cni-bin/dir=/b" in found.flags


def test_only_sockets_that_wait_are_listeners() -> None:
    head = "  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid\n"
    rest = "00000000:00000000 00:00000000 00000000     0        0 4711 1\n"
    lines = [
        head,
        f"   0: 0100007F:280A 00000000:0000 0A {rest}",
        f"   1: 0100007F:0016 0100007F:C000 01 {rest}",
        "nonsense\n",
    ]
    found = list(listeners.parse("tcp", lines))
    assert [(str(each.address), each.port, each.inode) for each in found] == [
        ("127.0.0.1", 10250, 4711)
    ]
    mapped = "0000000000000000FFFF00000100007F"
    assert str(listeners.parse_address(mapped)) == "127.0.0.1"


def test_a_kernel_lacks_only_what_it_says_that_it_was_built_without() -> None:
    assert list(features.lacking([])) == []
    built = [f"{switch}=y\n" for switch in features.FEATURES.values()]
    assert list(features.lacking(built)) == []
    assert list(features.lacking(built[1:])) == ["bridge"]


def test_the_last_mount_on_a_folder_counts() -> None:
    first = "1 2 0:1 / /store rw,nosuid - tmpfs none rw\n"
    second = "3 1 0:2 / /store ro,relatime - tmpfs none ro\n"
    assert room.read_only_mount("/store", [first, second]) == "ro,relatime"
    assert room.read_only_mount("/store", [second, first]) == ""
    assert room.parse_memory(["MemTotal:  10 kB\n", "SwapTotal:  2 kB\n"]) == (10, 2)
