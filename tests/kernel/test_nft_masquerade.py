"""The masquerade table in the kernel: built once, recognised quickly, mended when changed."""

import subprocess
from ipaddress import ip_network

import pytest

from dari.errors import FirewallRefused
from dari.nft import entries, masquerade, table
from dari.nft.entries import Masqueraded, read_entry
from dari.nft.library import Nft
from dari.paths import Paths

ONE = Masqueraded(sources=(ip_network("10.22.0.0/16"),), spared=(ip_network("10.22.0.0/16"),))
TWO = Masqueraded(sources=(ip_network("fd00:22::/64"),), spared=(ip_network("fd00:22::/64"),))


def nft(*words: str) -> str:
    return subprocess.run(["nft", *words], capture_output=True, text=True, check=True).stdout


def test_the_table_is_built_once_and_then_recognised() -> None:
    paths = Paths()
    entries.write_entry(paths, "one", ONE)
    assert table.ensure(paths)
    assert not table.ensure(paths)
    assert table.verify(paths)
    assert "10.22.0.0/16" in nft("list", "set", "inet", "dari", "masquerade4")
    assert "masquerade fully-random" in nft("list", "chain", "inet", "dari", "postrouting")


def test_a_further_network_joins_the_same_table() -> None:
    paths = Paths()
    masquerade.extend(paths, "one", ONE)
    masquerade.extend(paths, "two", TWO)
    masquerade.extend(paths, "one", TWO)
    assert read_entry(paths, "one") == ONE.merged(TWO)
    assert "fd00:22::/64" in nft("list", "set", "inet", "dari", "masquerade6")
    assert entries.remove_entry(paths, "one")
    assert table.ensure(paths)
    assert "10.22" not in nft("list", "table", "inet", "dari")


@pytest.mark.parametrize(
    "harm",
    [
        "delete table inet dari",
        "flush ruleset",
        "flush chain inet dari postrouting",
        "add rule inet dari postrouting accept",
    ],
)
def test_what_another_program_breaks_is_put_back_at_the_next_look(harm: str) -> None:
    paths = Paths()
    masquerade.extend(paths, "one", ONE)
    before = nft("list", "ruleset")
    nft(*harm.split())
    assert not table.verify(paths)
    assert table.ensure(paths)
    assert nft("list", "ruleset") == before


@pytest.mark.parametrize(
    "harm",
    [
        "flush set inet dari masquerade4",
        "add element inet dari spared4 { 192.0.2.0/24 }",
        "add chain inet dari other",
    ],
)
def test_the_whole_comparison_sees_what_the_quick_one_does_not(harm: str) -> None:
    paths = Paths()
    masquerade.extend(paths, "one", ONE)
    before = nft("list", "ruleset")
    nft(*harm.split())
    assert not table.verify(paths)
    table.rebuild(paths)
    assert table.verify(paths)
    assert nft("list", "ruleset") == before


def test_rules_of_others_stay() -> None:
    nft("add", "table", "inet", "theirs")
    nft("add", "set", "inet", "theirs", "names", "{ type ipv4_addr; }")
    masquerade.extend(Paths(), "one", ONE)
    table.rebuild(Paths())
    table.remove_table()
    table.remove_table()
    assert nft("list", "tables").split("\n")[0] == "table inet theirs"
    assert "dari" not in nft("list", "ruleset")


def test_a_wrong_command_is_refused_with_the_librarys_words() -> None:
    with Nft() as library, pytest.raises(FirewallRefused) as caught:
        library.run("add chain inet nowhere here")
    assert caught.value.code == 103
    assert "No such file or directory" in caught.value.message
    with Nft() as library, pytest.raises(FirewallRefused):
        library.query("list table inet nowhere")
