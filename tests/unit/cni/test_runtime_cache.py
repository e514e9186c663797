"""The cache of results, byte for byte what libcni reads and writes."""

from __future__ import annotations

import json
import os
from base64 import b64encode
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dari.cni.runtime.cache import Attachment, Cached, forget, list_cached, load, path_of, store
from dari.model import ContainerId, InterfaceName, NetworkName

WEB = Attachment(
    container_id=ContainerId("web1"),
    ifname=InterfaceName("eth0"),
    netns="/run/netns/web",
    args=(("IgnoreUnknown", "1"), ("IP", "10.22.0.9")),
    capability_args={"portMappings": [{"hostPort": 80}]},
)
CACHED = Cached(
    network=NetworkName("mynet"),
    attachment=WEB,
    config=b'{"name": "mynet"}',
    result={"cniVersion": "1.0.0", "ips": [{"address": "10.22.0.9/16"}]},
)
# As libcni 1.1 has it, key by key.
FILE = {
    "kind": "cniCacheV1",
    "containerId": "web1",
    "config": b64encode(CACHED.config).decode(),
    "ifName": "eth0",
    "networkName": "mynet",
    "netns": "/run/netns/web",
    "cniArgs": [["IgnoreUnknown", "1"], ["IP", "10.22.0.9"]],
    "capabilityArgs": {"portMappings": [{"hostPort": 80}]},
    "result": {"cniVersion": "1.0.0", "ips": [{"address": "10.22.0.9/16"}]},
}


def test_name_mode_and_content_are_libcnis(tmp_path: Path) -> None:
    folder = tmp_path / "results"
    store(str(folder), CACHED)
    [file] = folder.iterdir()
    assert file.name == "mynet-web1-eth0"
    assert file.stat().st_mode & 0o777 == 0o600
    assert json.loads(file.read_text()) == FILE


def test_what_libcni_wrote_is_read(tmp_path: Path) -> None:
    (tmp_path / "mynet-web1-eth0").write_text(json.dumps(FILE))
    assert load(str(tmp_path), "mynet", WEB.owner) == CACHED
    assert list_cached(str(tmp_path)) == [CACHED]


def test_what_libcni_leaves_out_is_empty(tmp_path: Path) -> None:
    slim = {key: FILE[key] for key in ("kind", "containerId", "config", "ifName", "networkName")}
    (tmp_path / "mynet-web1-eth0").write_text(json.dumps(slim))
    read = load(str(tmp_path), "mynet", WEB.owner)
    assert read is not None
    assert (read.attachment.netns, read.attachment.args, read.result) == ("", (), {})


def test_what_was_stored_is_forgotten_and_again(tmp_path: Path) -> None:
    store(str(tmp_path), CACHED)
    for _ in range(2):
        forget(str(tmp_path), "mynet", WEB.owner)
        assert load(str(tmp_path), "mynet", WEB.owner) is None
    assert os.listdir(tmp_path) == []


def test_no_folder_holds_nothing(tmp_path: Path) -> None:
    assert list_cached(str(tmp_path / "missing")) == []


@pytest.mark.parametrize(
    "change",
    [
        {"kind": "cniCacheV2"},
        {"config": "%%%"},
        {"cniArgs": [["a"]]},
        {"cniArgs": [["a", 5]]},
        {"cniArgs": "a=b"},
        {"result": []},
        {"containerId": 5},
    ],
)
def test_what_is_no_record_is_passed_by(tmp_path: Path, change: dict[str, object]) -> None:
    store(str(tmp_path), CACHED)
    Path(path_of(str(tmp_path), "other", WEB.owner)).write_text(json.dumps({**FILE, **change}))
    assert load(str(tmp_path), "other", WEB.owner) is None
    assert list_cached(str(tmp_path)) == [CACHED]


@settings(deadline=None, max_examples=60)
@given(content=st.binary(max_size=80))
def test_any_file_is_passed_by(tmp_path_factory: pytest.TempPathFactory, content: bytes) -> None:
    folder = tmp_path_factory.mktemp("results")
    (folder / "mynet-web1-eth0").write_bytes(content)
    assert load(str(folder), "mynet", WEB.owner) is None
    assert list_cached(str(folder)) == []
