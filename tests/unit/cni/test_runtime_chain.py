"""Chains of plugins: order, what each is given, and what is left when one fails."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

from dari.cni.runtime import cache
from dari.cni.runtime.cache import Attachment
from dari.cni.runtime.chain import Chain
from dari.cni.runtime.conflist import read_list
from dari.delegate import PluginFailed
from dari.errors import (
    BadConfig,
    BadEnvironment,
    DariError,
    IncompatibleVersion,
    IOFailure,
    SeveralFailures,
    Undecodable,
    UnknownContainer,
)
from dari.model import ContainerId, InterfaceName, Owner
from dari.result import SUPPORTED, at_least
from tests.unit.cni import stub

WEB = Attachment(
    container_id=ContainerId("web1"), ifname=InterfaceName("eth0"), netns="/run/netns/web"
)
REFUSES = {"code": 117, "msg": "no", "details": "because"}
FIRST = {"cniVersion": "1.1.0", "ips": [{"address": "10.22.0.5/16"}]}
SECOND = {**FIRST, "dns": {"domain": "example"}, "vendor": 1}


class Setup:
    """A folder of stubs, and a network made of them.

    Args:
        folder: an empty folder.
        plugins: each plugin's configuration; the types are a, b, c in turn.
        more: the list's own keys.
    """

    def __init__(self, folder: Path, *plugins: dict[str, object], **more: object) -> None:
        self.bin = folder / "bin"
        self.results = folder / "results"
        names = "abc"[: len(plugins)]
        stub.install(self.bin, *names)
        listed = [{"type": name, **plugin} for name, plugin in zip(names, plugins, strict=True)]
        raw = {"cniVersion": "1.1.0", "name": "mynet", "plugins": listed, **more}
        self.chain = Chain(
            read_list(raw), folders=[str(self.bin)], results=str(self.results), environ=os.environ
        )

    def cached(self) -> list[str]:
        return sorted(os.listdir(self.results)) if self.results.exists() else []

    def order(self) -> list[tuple[str, str]]:
        return stub.order(self.bin)

    def confs(self, verb: str) -> dict[str, dict[str, object]]:
        """What each plugin got on stdin for a verb."""
        return {c["name"]: c["conf"] for c in stub.calls(self.bin) if c["verb"] == verb}


def test_add_goes_forward_with_the_result_of_the_one_before(tmp_path: Path) -> None:
    setup = Setup(tmp_path, {"says": {"ADD": FIRST}}, {"says": {"ADD": SECOND}}, {})
    result = setup.chain.add(WEB)
    assert setup.order() == [("a", "ADD"), ("b", "ADD"), ("c", "ADD")]
    confs = setup.confs("ADD")
    assert "prevResult" not in confs["a"]
    assert (confs["b"]["prevResult"], confs["c"]["prevResult"]) == (FIRST, SECOND)
    assert (result.dns.domain, result.extra) == ("example", {"vendor": 1})
    for conf in confs.values():
        assert (conf["name"], conf["cniVersion"]) == ("mynet", "1.1.0")


def test_what_a_plugin_finds_in_its_environment(tmp_path: Path) -> None:
    setup = Setup(tmp_path, {})
    setup.chain.add(WEB.replace(args=(("IgnoreUnknown", "1"), ("IP", "10.22.0.9"))))
    [call] = stub.calls(setup.bin)
    assert call["environ"] == {
        "CNI_COMMAND": "ADD",
        "CNI_CONTAINERID": "web1",
        "CNI_NETNS": "/run/netns/web",
        "CNI_IFNAME": "eth0",
        "CNI_ARGS": "IgnoreUnknown=1;IP=10.22.0.9",
        "CNI_PATH": str(setup.bin),
    }


def test_capabilities_decide_who_gets_what(tmp_path: Path) -> None:
    setup = Setup(
        tmp_path,
        {"capabilities": {"ips": True, "mac": False, "aliases": True}},
        {"capabilities": {"mac": True}, "runtimeConfig": {"kept": 1}},
        {"runtimeConfig": {"own": 1}},
    )
    setup.chain.add(WEB.replace(capability_args={"ips": ["10.22.0.9"], "mac": "m", "other": 1}))
    confs = setup.confs("ADD")
    assert confs["a"]["runtimeConfig"] == {"ips": ["10.22.0.9"]}
    assert confs["b"]["runtimeConfig"] == {"mac": "m"}
    assert confs["c"]["runtimeConfig"] == {"own": 1}
    assert confs["a"]["capabilities"] == {"ips": True, "mac": False, "aliases": True}


def test_del_goes_backward_with_the_final_result(tmp_path: Path) -> None:
    setup = Setup(tmp_path, {"says": {"ADD": FIRST}}, {"says": {"ADD": SECOND}})
    setup.chain.add(WEB)
    assert setup.cached() == ["mynet-web1-eth0"]
    setup.chain.delete(WEB)
    assert setup.order()[2:] == [("b", "DEL"), ("a", "DEL")]
    assert [conf["prevResult"] for conf in setup.confs("DEL").values()] == [SECOND, SECOND]
    assert setup.cached() == []


def test_del_of_what_was_never_added(tmp_path: Path) -> None:
    setup = Setup(tmp_path, {}, {})
    setup.chain.delete(WEB.replace(netns=""))
    assert setup.order() == [("b", "DEL"), ("a", "DEL")]
    assert not any("prevResult" in conf for conf in setup.confs("DEL").values())


def test_del_with_a_broken_cache(tmp_path: Path) -> None:
    setup = Setup(tmp_path, {})
    setup.chain.add(WEB)
    (setup.results / "mynet-web1-eth0").write_text('{"kind": "cniCacheV1", "result": {"ips": 5}}')
    setup.chain.delete(WEB)
    assert "prevResult" not in setup.confs("DEL")["a"]
    assert setup.cached() == []


@pytest.mark.parametrize("version", SUPPORTED)
def test_every_version_through_a_whole_life(tmp_path: Path, version: str) -> None:
    setup = Setup(tmp_path, {}, {}, cniVersion=version)
    setup.chain.add(WEB)
    assert setup.confs("ADD")["b"]["prevResult"] is not None
    if at_least(version, "0.4.0"):
        setup.chain.check(WEB)
    else:
        with pytest.raises(IncompatibleVersion):
            setup.chain.check(WEB)
    setup.chain.delete(WEB)
    assert ("prevResult" in setup.confs("DEL")["a"]) == at_least(version, "0.4.0")
    setup.chain.collect([])
    setup.chain.status()
    asked = {verb for _, verb in setup.order()}
    assert ({"GC", "STATUS"} <= asked) == at_least(version, "1.1.0")


@pytest.mark.parametrize("failing", [0, 1, 2])
def test_a_failed_add_is_followed_by_del_of_all(tmp_path: Path, failing: int) -> None:
    plugins: list[dict[str, object]] = [{}, {}, {}]
    plugins[failing] = {"says": {"ADD": REFUSES}}
    setup = Setup(tmp_path, *plugins)
    with pytest.raises(PluginFailed, match="no") as caught:
        setup.chain.add(WEB)
    assert (caught.value.code, caught.value.details) == (117, "because")
    assert setup.order()[failing + 1 :] == [("c", "DEL"), ("b", "DEL"), ("a", "DEL")]
    assert setup.cached() == []


def test_undoing_goes_past_a_plugin_that_fails_and_says_so(tmp_path: Path) -> None:
    setup = Setup(tmp_path, {}, {"says": {"ADD": REFUSES, "DEL": {"code": 100, "msg": "stuck"}}})
    with pytest.raises(PluginFailed) as caught:
        setup.chain.add(WEB)
    assert caught.value.details == "because; undoing it failed too: b: stuck"
    assert setup.order()[-1] == ("a", "DEL")


def test_an_answer_that_is_none_is_undone(tmp_path: Path) -> None:
    setup = Setup(tmp_path, {"says": {"ADD": "done!"}})
    with pytest.raises(Undecodable, match=r"^a: "):
        setup.chain.add(WEB)
    assert setup.order() == [("a", "ADD"), ("a", "DEL")]


def test_a_result_that_cannot_be_remembered_is_undone(tmp_path: Path) -> None:
    setup = Setup(tmp_path, {})
    setup.results.write_text("in the way")
    with pytest.raises(IOFailure):
        setup.chain.add(WEB)
    assert setup.order() == [("a", "ADD"), ("a", "DEL")]


def test_nothing_is_begun_while_a_plugin_is_missing(tmp_path: Path) -> None:
    setup = Setup(tmp_path, {}, {})
    (setup.bin / "b").unlink()
    with pytest.raises(BadConfig, match="no plugin 'b'"):
        setup.chain.add(WEB)
    assert setup.order() == []


@pytest.mark.parametrize("change", [{"container_id": "-"}, {"ifname": "a/b"}])
def test_nothing_is_begun_with_a_wrong_name(tmp_path: Path, change: dict[str, str]) -> None:
    setup = Setup(tmp_path, {})
    with pytest.raises(BadEnvironment):
        setup.chain.add(WEB.replace(**change))
    assert setup.order() == []


def test_a_del_goes_past_failures_and_keeps_the_result_for_the_next(tmp_path: Path) -> None:
    setup = Setup(tmp_path, {}, {"says": {"DEL": REFUSES}}, {"says": {"DEL": REFUSES}})
    setup.chain.add(WEB)
    with pytest.raises(SeveralFailures) as caught:
        setup.chain.delete(WEB)
    assert [failure.code for failure in caught.value.failures] == [117, 117]
    assert setup.order()[-1] == ("a", "DEL")
    assert setup.cached() == ["mynet-web1-eth0"]


def test_check_goes_forward_and_ends_at_the_first_complaint(tmp_path: Path) -> None:
    setup = Setup(tmp_path, {}, {"says": {"CHECK": REFUSES}}, {})
    setup.chain.add(WEB)
    with pytest.raises(PluginFailed):
        setup.chain.check(WEB)
    assert setup.order()[3:] == [("a", "CHECK"), ("b", "CHECK")]
    assert setup.confs("CHECK")["a"]["prevResult"] == setup.confs("ADD")["c"]["prevResult"]


def test_check_may_be_switched_off(tmp_path: Path) -> None:
    setup = Setup(tmp_path, {"says": {"CHECK": REFUSES}}, disableCheck=True)
    setup.chain.check(WEB)
    assert setup.order() == []


def test_check_of_what_is_not_known(tmp_path: Path) -> None:
    with pytest.raises(UnknownContainer, match="web1"):
        Setup(tmp_path, {}).chain.check(WEB)


def owner(container: str) -> Owner:
    return Owner(container_id=ContainerId(container), ifname=InterfaceName("eth0"))


def test_gc_deletes_what_is_not_valid_and_asks_every_plugin(tmp_path: Path) -> None:
    setup = Setup(tmp_path, {}, {"says": {"GC": REFUSES}})
    for name in ("old", "valid"):
        setup.chain.add(WEB.replace(container_id=ContainerId(name)))
    other = json.loads((setup.results / "mynet-old-eth0").read_text())
    other["networkName"] = "other"
    (setup.results / "other-old-eth0").write_text(json.dumps(other))
    with pytest.raises(SeveralFailures) as caught:
        setup.chain.collect([owner("valid")])
    assert [failure.code for failure in caught.value.failures] == [117]
    assert setup.cached() == ["mynet-valid-eth0", "other-old-eth0"]
    assert setup.order()[4:] == [("b", "DEL"), ("a", "DEL"), ("a", "GC"), ("b", "GC")]
    told = [{"containerID": "valid", "ifname": "eth0"}]
    for conf in setup.confs("GC").values():
        assert (conf["cni.dev/valid-attachments"], conf["cni.dev/attachments"]) == (told, told)


def test_gc_may_be_switched_off(tmp_path: Path) -> None:
    setup = Setup(tmp_path, {}, disableGC=True)
    setup.chain.add(WEB)
    setup.chain.collect([])
    assert (setup.order(), setup.cached()) == ([("a", "ADD")], ["mynet-web1-eth0"])


def test_status_brings_the_code_of_who_cannot_serve(tmp_path: Path) -> None:
    setup = Setup(tmp_path, {}, {"says": {"STATUS": {"code": 50, "msg": "full"}}}, {})
    with pytest.raises(PluginFailed, match="b: full") as caught:
        setup.chain.status()
    assert caught.value.code == 50
    assert setup.order() == [("a", "STATUS"), ("b", "STATUS")]


def test_errors_are_all_of_ours(tmp_path: Path) -> None:
    """A chain never lets another kind of exception out, whatever a plugin does."""
    for number, said in enumerate(["", "[]", "{", '{"ips": 1}', '{"cniVersion": "9.0.0"}']):
        folder = tmp_path / str(number)
        folder.mkdir()
        with pytest.raises(DariError):
            Setup(folder, {"says": {"ADD": said}}).chain.add(WEB)


def test_the_cache_is_read_by_its_own_network(tmp_path: Path) -> None:
    setup = Setup(tmp_path, {})
    setup.chain.add(WEB)
    assert cache.load(str(setup.results), "other", WEB.owner) is None
    assert cache.load(str(setup.results), "mynet", WEB.owner) is not None
