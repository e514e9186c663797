"""Which configuration a runtime uses: the first by name, and no other if that one is wrong."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from dari.cni.runtime.confdir import choose
from dari.errors import BadConfig, DariError, IncompatibleVersion, IOFailure, Undecodable


def single(name: str, **more: object) -> str:
    return json.dumps({"cniVersion": "1.0.0", "name": name, "type": "bridge", **more})


def conflist(name: str, *types: str, **more: object) -> str:
    plugins = {"plugins": [{"type": kind} for kind in types]} if types else {}
    return json.dumps({"cniVersion": "1.0.0", "name": name, **plugins, **more})


def write(folder: Path, files: dict[str, str]) -> None:
    for name, content in files.items():
        (folder / name).parent.mkdir(exist_ok=True)
        (folder / name).write_text(content)


@pytest.mark.parametrize(
    ("files", "name"),
    [
        ({"10-a.conf": single("a")}, "a"),
        ({"20-b.conf": single("b"), "10-a.conflist": conflist("a", "bridge")}, "a"),
        ({"20-b.conf": single("b"), "10-a.json": single("a")}, "a"),
        ({"2-b.conf": single("b"), "10-a.conf": single("a")}, "a"),
        ({"b.conf": single("b"), "B.conf": single("a")}, "a"),
        ({"10-a.conflist": conflist("a", "x"), "10-a.conf": single("b")}, "b"),
        ({"00.txt": "", "00.conf.tmp": "", "00.conf~": "", "10.conf": single("a")}, "a"),
        ({"00.conf/x": "", "10.conf": single("a")}, "a"),
        ({"10.conf": single("a"), "20.conf": "not JSON"}, "a"),
    ],
)
def test_the_first_by_name_wins(tmp_path: Path, files: dict[str, str], name: str) -> None:
    write(tmp_path, files)
    assert choose(str(tmp_path)).name == name


@pytest.mark.parametrize(
    ("content", "kind", "why"),
    [
        ('{\n "name": "a",\n oops', Undecodable, "line 3, column 2"),
        ("", Undecodable, "line 1"),
        ("[]", Undecodable, "not a JSON object"),
        (single("a", type=""), BadConfig, "type: missing"),
        (single(""), BadConfig, "name: missing"),
        (conflist("a", "bridge"), BadConfig, "type: missing"),
        (single("a", cniVersion="9.9.9"), IncompatibleVersion, "cniVersion: '9.9.9'"),
    ],
)
@pytest.mark.parametrize("suffix", ["conf", "json"])
def test_a_wrong_earlier_file_fails_all(
    tmp_path: Path, suffix: str, content: str, kind: type[DariError], why: str
) -> None:
    write(tmp_path, {f"10-a.{suffix}": content, "20-b.conf": single("b")})
    with pytest.raises(kind) as caught:
        choose(str(tmp_path))
    assert caught.value.message.startswith(f"{tmp_path}/10-a.{suffix}: ")
    assert why in caught.value.message


def test_a_wrong_earlier_list_fails_all(tmp_path: Path) -> None:
    write(tmp_path, {"10-a.conflist": conflist("a", "x", ""), "20-b.conf": single("b")})
    with pytest.raises(BadConfig, match=r"10-a\.conflist: plugins\[1\]\.type: missing"):
        choose(str(tmp_path))


@pytest.mark.parametrize("folder", ["", "missing"])
def test_a_folder_without_a_configuration(tmp_path: Path, folder: str) -> None:
    with pytest.raises(BadConfig, match="no network configuration"):
        choose(str(tmp_path / folder))


def test_what_is_no_folder(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(IOFailure, match="Not a directory"):
        choose(str(tmp_path / "file"))


def test_a_file_that_cannot_be_read(tmp_path: Path) -> None:
    (tmp_path / "10.conf").symlink_to(tmp_path)
    with pytest.raises(IOFailure, match=r"10\.conf: Is a directory"):
        choose(str(tmp_path))


def types(folder: Path) -> list[object]:
    return [plugin["type"] for plugin in choose(str(folder)).plugins]


MORE = {"a/20.conf": '{"type": "tuning"}', "a/10.conf": '{"type": "portmap"}', "a/x.json": "{}"}


def test_the_networks_folder_adds_plugins(tmp_path: Path) -> None:
    write(tmp_path, {"10.conflist": conflist("a", "bridge"), **MORE})
    assert types(tmp_path) == ["bridge", "portmap", "tuning"]


def test_the_networks_folder_may_hold_all_of_them(tmp_path: Path) -> None:
    write(tmp_path, {"10.conflist": conflist("a"), **MORE})
    assert types(tmp_path) == ["portmap", "tuning"]


@pytest.mark.parametrize("value", [True, "true"])
def test_a_list_may_want_no_more(tmp_path: Path, value: object) -> None:
    content = conflist("a", "bridge", loadOnlyInlinedPlugins=value)
    write(tmp_path, {"10.conflist": content, **MORE})
    assert types(tmp_path) == ["bridge"]


def test_a_list_that_wants_no_more_needs_its_own(tmp_path: Path) -> None:
    write(tmp_path, {"10.conflist": conflist("a", loadOnlyInlinedPlugins=True), **MORE})
    with pytest.raises(BadConfig, match="plugins: missing"):
        choose(str(tmp_path))


def test_a_single_plugin_gets_no_more(tmp_path: Path) -> None:
    write(tmp_path, {"10.conf": single("a"), **MORE})
    assert types(tmp_path) == ["bridge"]


def test_a_wrong_file_in_the_networks_folder_is_named(tmp_path: Path) -> None:
    write(tmp_path, {"10.conflist": conflist("a", "bridge"), "a/10.conf": "{}"})
    with pytest.raises(BadConfig, match=rf"^{tmp_path}/a/10\.conf: type: missing"):
        choose(str(tmp_path))


def test_a_network_cannot_name_a_folder_elsewhere(tmp_path: Path) -> None:
    conf = tmp_path / "net.d"
    write(conf, {"10.conflist": conflist("..", "bridge")})
    write(tmp_path, {"10.conf": '{"type": "tuning"}'})
    with pytest.raises(BadConfig, match="name: "):
        choose(str(conf))
