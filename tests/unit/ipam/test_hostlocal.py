"""What a user of host-local's folder sees: leases, and clear words where there are none."""

from __future__ import annotations

import threading
from pathlib import Path

import pytest

from dari.errors import (
    BadConfig,
    BadEnvironment,
    CheckFailed,
    IOFailure,
    NoFreeAddress,
    NotAvailable,
    SeveralFailures,
)
from dari.ipam.hostlocal import HostLocal
from dari.model import DNS
from dari.paths import Paths
from tests.unit.ipam.node import Node, addresses, given, network, owner

SMALL = {"subnet": "10.1.0.0/29"}  # five addresses: .2 to .6
BOTH = {"ranges": [[{"subnet": "10.1.0.0/29"}], [{"subnet": "fd00::/64"}]]}


def test_addresses_come_with_their_gateways_in_both_families(node: Node) -> None:
    first, second = node.leases(BOTH).allocate(owner("c1"))
    assert (str(first.address), str(first.gateway)) == ("10.1.0.2/29", "10.1.0.1")
    assert (str(second.address), str(second.gateway)) == ("fd00::2/64", "fd00::1")
    assert node.files() == {
        "10.1.0.2": b"c1\r\neth0",
        "fd00::2": b"c1\r\neth0",
        "last_reserved_ip.0": b"10.1.0.2",
        "last_reserved_ip.1": b"fd00::2",
    }


def test_an_address_rests_before_its_next_pod(node: Node) -> None:
    leases = node.leases(SMALL)
    seen = []
    for number in range(6):
        seen += given(leases.allocate(owner(f"c{number}")))
        leases.release(owner(f"c{number}"))
    assert seen == [f"10.1.0.{n}/29" for n in (2, 3, 4, 5, 6, 2)]


def test_a_repeated_add_gets_the_same_addresses(node: Node) -> None:
    first = node.leases(BOTH).allocate(owner("c1"))
    assert node.leases(BOTH).allocate(owner("c1")) == first
    assert len(node.held()) == 2
    assert node.leases(BOTH).allocate(owner("c1", "net1")) != first


def test_an_add_killed_between_two_ranges_is_completed(node: Node) -> None:
    node.put("10.1.0.5", b"c1\r\neth0")
    assert given(node.leases(BOTH).allocate(owner("c1"))) == ["10.1.0.5/29", "fd00::2/64"]


def test_another_address_asked_for_replaces_the_one_held(node: Node) -> None:
    leases = node.leases(BOTH)
    leases.allocate(owner("c1"))
    again = leases.allocate(owner("c1"), addresses("10.1.0.6"))
    assert given(again) == ["10.1.0.6/29", "fd00::2/64"]
    assert sorted(node.held()) == ["10.1.0.6", "fd00::2"]


def test_a_second_lease_of_one_range_is_given_up(node: Node) -> None:
    node.put("10.1.0.3", b"c1\r\neth0")
    node.put("10.1.0.5", b"c1\r\neth0")
    node.leases(SMALL).allocate(owner("c1"))
    assert len(node.held()) == 1


def test_a_lease_that_is_the_gateway_by_now_is_not_kept(node: Node) -> None:
    node.put("10.1.0.4", b"c1\r\neth0")
    moved = node.leases({**SMALL, "gateway": "10.1.0.4"})
    assert given(moved.allocate(owner("c1"))) == ["10.1.0.1/29"]


def test_asked_for_addresses_are_given_each_from_its_set(node: Node) -> None:
    found = node.leases(BOTH).allocate(owner("c1"), addresses("fd00::77", "10.1.0.5"))
    assert given(found) == ["10.1.0.5/29", "fd00::77/64"]
    assert node.files()["last_reserved_ip.0"] == b"10.1.0.5"


@pytest.mark.parametrize(
    ("asked", "said"),
    [
        (("10.2.0.5",), "in none of its ranges"),
        (("10.1.0.1",), "is a gateway"),
        (("10.1.0.2", "10.1.0.3"), "both asked for"),
        (("fd01::1",), "in none of its ranges"),
    ],
)
def test_what_no_pod_may_have_is_refused_before_anything_is_leased(
    node: Node, asked: tuple[str, ...], said: str
) -> None:
    with pytest.raises(BadConfig, match=said):
        node.leases(BOTH).allocate(owner("c1"), addresses(*asked))
    assert not node.folder.exists()


def test_the_broadcast_address_is_no_pod_s(node: Node) -> None:
    wide = {"subnet": "10.1.0.0/29", "rangeEnd": "10.1.0.7"}
    with pytest.raises(BadConfig, match="no pod's address"):
        node.leases(wide).allocate(owner("c1"), addresses("10.1.0.7"))


def test_who_holds_an_address_asked_for_is_named(node: Node) -> None:
    node.leases(SMALL).allocate(owner("c1"), addresses("10.1.0.5"))
    with pytest.raises(NoFreeAddress, match=r"10\.1\.0\.5.*container c1 \(eth0\)") as refused:
        node.leases(SMALL).allocate(owner("c2"), addresses("10.1.0.5"))
    assert refused.value.code == 101
    node.put("10.1.0.6", b"what is this?")
    with pytest.raises(NoFreeAddress, match="unknown"):
        node.leases(SMALL).allocate(owner("c2"), addresses("10.1.0.6"))
    node.put("10.1.0.4", b"old")
    with pytest.raises(NoFreeAddress, match=r"old \(interface not noted\)"):
        node.leases(SMALL).allocate(owner("c2"), addresses("10.1.0.4"))


def test_an_empty_lease_asked_for_is_reclaimed(node: Node) -> None:
    node.put("10.1.0.5", b"")
    found = node.leases(SMALL).allocate(owner("c1"), addresses("10.1.0.5"))
    assert given(found) == ["10.1.0.5/29"]


def test_a_used_up_range_is_named_with_its_network_and_folder(node: Node) -> None:
    leases = node.leases(SMALL)
    for number in range(5):
        leases.allocate(owner(f"c{number}"))
    expected = rf"network pods: all 5 addresses of 10.1.0.1-10.1.0.6 .* {node.folder}"
    with pytest.raises(NoFreeAddress, match=expected):
        leases.allocate(owner("c6"))
    with pytest.raises(NotAvailable, match=expected) as unavailable:
        leases.status()
    assert unavailable.value.code == 50
    leases.release(owner("c3"))
    leases.status()
    assert given(leases.allocate(owner("c6"))) == ["10.1.0.5/29"]


def test_leases_not_understood_are_kept_and_named(node: Node) -> None:
    for number in range(2, 7):
        node.put(f"10.1.0.{number}", b"??" if number > 3 else b"c\r\neth0")
    with pytest.raises(NoFreeAddress) as refused:
        node.leases(SMALL).allocate(owner("c1"))
    assert "10.1.0.4, 10.1.0.5, 10.1.0.6" in refused.value.details
    assert node.leases(SMALL).collect([]) == [owner("c")]
    assert sorted(node.held()) == ["10.1.0.4", "10.1.0.5", "10.1.0.6"]


def test_empty_leases_of_killed_writers_are_reclaimed(node: Node) -> None:
    for number in range(2, 7):
        node.put(f"10.1.0.{number}", b"")
    node.leases(SMALL).status()
    assert node.held() == {}
    for number in range(2, 7):
        node.put(f"10.1.0.{number}", b"")
    assert given(node.leases(SMALL).allocate(owner("c1"))) == ["10.1.0.2/29"]


def test_what_was_taken_is_given_back_where_a_later_range_has_none(node: Node) -> None:
    node.put("fd00::3", b"other\r\neth0")
    narrow = {"ranges": [[{"subnet": "10.1.0.0/29"}], [{"subnet": "fd00::/126"}]]}
    node.leases(narrow).allocate(owner("c1"))
    with pytest.raises(NoFreeAddress, match="fd00::"):
        node.leases(narrow).allocate(owner("c2"))
    assert sorted(node.held()) == ["10.1.0.2", "fd00::2", "fd00::3"]


def test_pain_18_a_node_has_room_for_more_than_254_pods_and_can_grow(node: Node) -> None:
    first = [{"subnet": "10.1.0.0/24"}]
    for number in range(253):
        node.leases({"ranges": [first]}).allocate(owner(f"c{number}"))
    with pytest.raises(NoFreeAddress):
        node.leases({"ranges": [first]}).allocate(owner("more"))
    grown = node.leases({"ranges": [[*first, {"subnet": "10.1.1.0/24"}]]})
    grown.status()
    assert given(grown.allocate(owner("more"))) == ["10.1.1.2/24"]


def test_a_release_takes_all_that_is_the_owner_s_and_no_more(node: Node) -> None:
    leases = node.leases(BOTH)
    leases.allocate(owner("c1"))
    leases.allocate(owner("c1", "net1"))
    leases.allocate(owner("c11"))
    leases.release(owner("c1"))
    leases.release(owner("c1"))
    assert set(node.held().values()) == {b"c1\r\nnet1", b"c11\r\neth0"}


def test_a_release_needs_no_folder_and_makes_none(node: Node) -> None:
    node.leases(SMALL).release(owner("c1"))
    assert node.leases(SMALL).collect([]) == []
    assert not node.data.exists()


def test_a_lease_of_the_container_alone_is_released_where_none_names_the_interface(
    node: Node,
) -> None:
    node.put("10.1.0.2", b"c1")
    node.put("10.1.0.3", b"c1\r\neth0")
    node.leases(SMALL).release(owner("c1"))
    assert list(node.held()) == ["10.1.0.2"]
    node.leases(SMALL).release(owner("c1"))
    assert node.held() == {}


def test_a_release_survives_a_spoilt_configuration(node: Node) -> None:
    node.leases(SMALL).allocate(owner("c1"))
    node.leases({"subnet": "nonsense", "routes": 7, "resolvConf": "/none"}).release(owner("c1"))
    assert node.held() == {}


def test_pain_2_gc_releases_what_no_attachment_holds(node: Node) -> None:
    leases = node.leases(BOTH)
    for number in range(4):
        leases.allocate(owner(f"c{number}"))
    node.put("10.1.0.6", b"c2")
    gone = leases.collect([owner("c2"), owner("c3"), owner("c9")])
    assert sorted(one.container_id for one in gone) == ["c0", "c1"]
    assert set(node.held().values()) == {b"c2\r\neth0", b"c3\r\neth0", b"c2"}
    assert len(leases.collect([])) == 3
    assert node.held() == {}


def test_gc_goes_on_past_what_it_cannot_remove(node: Node, monkeypatch: pytest.MonkeyPatch) -> None:
    from dari.ipam.folder import LeaseFolder

    leases = node.leases(SMALL)
    for number in range(3):
        leases.allocate(owner(f"c{number}"))
    drop = LeaseFolder.drop

    def stubborn(self: LeaseFolder, name: str) -> None:
        if name == "10.1.0.3":
            raise IOFailure(f"remove {name}: Operation not permitted")
        drop(self, name)

    monkeypatch.setattr(LeaseFolder, "drop", stubborn)
    with pytest.raises(SeveralFailures, match=r"GC of network pods: 1 failed.*10\.1\.0\.3"):
        leases.collect([])
    assert list(node.held()) == ["10.1.0.3"]


def test_check_names_each_kind_of_damage(node: Node) -> None:
    leases = node.leases(SMALL)
    with pytest.raises(CheckFailed, match="has no lease"):
        leases.check(owner("c1"), [])
    leases.allocate(owner("c1"))
    held = addresses("10.1.0.2")
    leases.check(owner("c1"), held)
    leases.check(owner("c1"), [])
    with pytest.raises(CheckFailed, match=r"10\.1\.0\.3 of container c1 \(eth0\) is not leased"):
        leases.check(owner("c1"), addresses("10.1.0.3"))
    with pytest.raises(CheckFailed, match=r"is leased to container c1 \(eth0\)") as failed:
        leases.check(owner("c2"), held)
    assert failed.value.code == 102
    node.put("10.1.0.2", b"c1")
    leases.check(owner("c1"), held)
    leases.check(owner("c1"), [])
    node.put("10.1.0.2", b"\x01")
    with pytest.raises(CheckFailed, match="not understood"):
        leases.check(owner("c1"), held)


def test_check_writes_nothing(node: Node) -> None:
    with pytest.raises(CheckFailed):
        node.leases(SMALL).check(owner("c1"), addresses("10.1.0.2"))
    assert not node.data.exists()


def test_status_is_well_with_room_and_a_folder_that_can_be_written(node: Node) -> None:
    node.leases(BOTH).status()
    assert node.files() == {}


@pytest.mark.parametrize(
    "ipam",
    [{}, {"subnet": "x"}, {**SMALL, "routes": 1}, {**SMALL, "dataDir": 1}, {**SMALL, "x": 1}],
)
def test_status_says_what_is_wrong_with_the_configuration(
    node: Node, ipam: dict[str, object]
) -> None:
    if "x" in ipam:
        ipam = {**SMALL, "resolvConf": "/no/such/file"}
    with pytest.raises(NotAvailable) as unavailable:
        node.leases(ipam).status()
    assert unavailable.value.message


def test_status_says_that_the_folder_cannot_be_written(node: Node) -> None:
    node.data.write_text("a file where the folder should be")
    with pytest.raises(NotAvailable, match=str(node.data)):
        node.leases(SMALL).status()
    with pytest.raises(IOFailure, match=str(node.data)):
        node.leases(SMALL).allocate(owner("c1"))


def test_data_dir_says_where(node: Node, tmp_path: Path) -> None:
    elsewhere = tmp_path / "elsewhere"
    node.leases({**SMALL, "dataDir": str(elsewhere)}).allocate(owner("c1"))
    assert (elsewhere / "pods" / "10.1.0.2").exists()
    assert not node.data.exists()


def test_a_default_folder_may_be_given(node: Node, tmp_path: Path) -> None:
    leases = HostLocal(network({**SMALL, "dataDir": ""}), node.paths, str(tmp_path / "default"))
    leases.allocate(owner("c1"))
    assert (tmp_path / "default" / "pods" / "10.1.0.2").exists()
    assert Paths().host_local == "/var/lib/cni/networks"


@pytest.mark.parametrize("wrong", ["a\0b", "\ud800", 7, []])
def test_paths_that_are_none_are_bad_config(node: Node, wrong: object) -> None:
    leases = node.leases({**SMALL, "dataDir": wrong})
    with pytest.raises(BadConfig, match="dataDir"):
        leases.release(owner("c1"))
    with pytest.raises(BadConfig, match="resolvConf"):
        node.leases({**SMALL, "resolvConf": wrong}).allocate(owner("c1"))


def test_everything_that_would_fail_later_fails_before_a_lease(node: Node) -> None:
    breakages: list[dict[str, object]] = [{"routes": [{}]}, {"resolvConf": "/no/such/file"}]
    for broken in breakages:
        with pytest.raises((BadConfig, IOFailure)):
            node.leases({**SMALL, **broken}).allocate(owner("c1"))
    assert not node.folder.exists()


def test_routes_and_dns_are_told(node: Node, tmp_path: Path) -> None:
    path = tmp_path / "resolv.conf"
    path.write_text("nameserver 10.0.0.2\n")
    leases = node.leases({**SMALL, "routes": [{"dst": "::/0"}], "resolvConf": str(path)})
    assert [str(route.dst) for route in leases.routes()] == ["::/0"]
    assert leases.dns() == DNS(nameservers=("10.0.0.2",))
    assert node.leases(SMALL).dns() == DNS()


@pytest.mark.parametrize("version", ["", "0.1.0", "0.2.0"])
def test_old_results_hold_one_address_of_each_family(node: Node, version: str) -> None:
    node.leases(BOTH, cni_version=version).allocate(owner("c1"))
    two = {"ranges": [[{"subnet": "10.1.0.0/29"}], [{"subnet": "10.2.0.0/29"}]]}
    with pytest.raises(BadConfig, match="cniVersion"):
        node.leases(two, cni_version=version).allocate(owner("c2"))
    assert len(node.leases(two, cni_version="0.3.0").allocate(owner("c2"))) == 2


def test_ranges_of_the_runtime_come_first(node: Node) -> None:
    leases = node.leases(SMALL, runtime_config={"ipRanges": [[{"subnet": "10.7.0.0/24"}]]})
    assert given(leases.allocate(owner("c1"))) == ["10.7.0.2/24", "10.1.0.2/29"]


@pytest.mark.parametrize(
    ("container_id", "ifname"),
    [("", "eth0"), ("a b", "eth0"), ("c1\r\nx", "eth0"), ("c1", "a b"), ("x" * 5000, "e")],
)
def test_owners_that_no_del_could_find_again_are_refused(
    node: Node, container_id: str, ifname: str
) -> None:
    with pytest.raises(BadEnvironment):
        node.leases(SMALL).allocate(owner(container_id, ifname))
    assert not node.folder.exists()


def test_pain_20_many_threads_at_once_get_each_its_own(node: Node) -> None:
    wide = {"ranges": [[{"subnet": "10.1.0.0/24"}], [{"subnet": "fd00::/120"}]]}
    found: list[str] = []

    def work(number: int) -> None:
        for turn in range(10):
            found.extend(given(node.leases(wide).allocate(owner(f"c{number}.{turn}"))))

    threads = [threading.Thread(target=work, args=(number,)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(found) == len(set(found)) == 160
    assert len(node.held()) == 160
