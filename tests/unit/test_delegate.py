"""Other plugins' executables: found, run, heard, and ended where they do not end."""

from __future__ import annotations

import os
import sys
from ipaddress import ip_interface
from pathlib import Path

import pytest

from dari import delegate
from dari.delegate import PluginFailed
from dari.errors import BadConfig, BadEnvironment, IOFailure, TryAgain, Undecodable
from tests.support.waiting import wait_until
from tests.unit.cni import stub

CONF: dict[str, object] = {"cniVersion": "1.0.0", "name": "mynet", "type": "bridge"}


def environ(folder: Path, command: str = "ADD") -> dict[str, str]:
    return {"CNI_COMMAND": command, "CNI_PATH": str(folder)}


def program(folder: Path, name: str, text: str) -> Path:
    path = folder / name
    path.write_text(f"#!{sys.executable} -IS\n{text}")
    path.chmod(0o755)
    return path


def test_the_first_folder_that_has_it(tmp_path: Path) -> None:
    stub.install(tmp_path / "b", "ipam")
    stub.install(tmp_path / "c", "ipam")
    folders = [str(tmp_path / name) for name in "abc"]
    assert delegate.find("ipam", folders) == str(tmp_path / "b" / "ipam")


@pytest.mark.parametrize("name", ["", ".", "..", "../ipam", "/bin/true", "folder", "missing"])
def test_what_is_no_plugin(tmp_path: Path, name: str) -> None:
    (tmp_path / "folder").mkdir()
    with pytest.raises(BadConfig, match="type: "):
        delegate.find(name, [str(tmp_path)])


def test_a_plugin_path_is_needed() -> None:
    with pytest.raises(BadEnvironment, match="CNI_PATH"):
        delegate.call("ipam", CONF, {"CNI_COMMAND": "DEL", "CNI_PATH": "::"})


def test_an_add_brings_a_result(tmp_path: Path) -> None:
    stub.install(tmp_path, "ipam")
    result = delegate.add("ipam", CONF, {**environ(tmp_path, "DEL"), "CNI_IFNAME": "eth0"})
    assert [ip.address for ip in result.ips] == [ip_interface("10.22.0.5/16")]
    [call] = stub.calls(tmp_path)
    assert (call["verb"], call["conf"]) == ("ADD", CONF)
    assert call["environ"]["CNI_IFNAME"] == "eth0"


@pytest.mark.parametrize(
    ("said", "why"),
    [("", "line"), ("hello", "line 1"), ('{"ips": [{}]}', "address"), ("[]", "object")],
)
def test_an_add_whose_answer_is_no_result(tmp_path: Path, said: str, why: str) -> None:
    stub.install(tmp_path, "ipam")
    with pytest.raises(Undecodable, match=f"^ipam: .*{why}"):
        delegate.add("ipam", {**CONF, "says": {"ADD": said}}, environ(tmp_path))


@pytest.mark.parametrize("code", [1, 7, 11, 50, 100, 123456])
def test_an_error_keeps_its_code(tmp_path: Path, code: int) -> None:
    stub.install(tmp_path, "ipam")
    error = {"cniVersion": "1.0.0", "code": code, "msg": "no", "details": "because"}
    with pytest.raises(PluginFailed, match="ipam: no") as caught:
        delegate.call("ipam", {**CONF, "says": {"DEL": error}}, environ(tmp_path, "DEL"))
    assert (caught.value.code, caught.value.plugin, caught.value.details) == (
        code,
        "ipam",
        "because",
    )


@pytest.mark.parametrize("said", ["", "panic: nil map", "{}", '{"code": "x"}', '{"code": -1}'])
def test_an_error_that_says_nothing(tmp_path: Path, said: str) -> None:
    stub.install(tmp_path, "ipam")
    conf = {**CONF, "says": {"DEL": said}, "exits": {"DEL": 3}, "warns": "out of luck\n"}
    with pytest.raises(PluginFailed) as caught:
        delegate.call("ipam", conf, environ(tmp_path, "DEL"))
    assert caught.value.code == 999


def test_what_it_logs_goes_to_stderr(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    stub.install(tmp_path, "ipam")
    delegate.call("ipam", {**CONF, "warns": "careful\n"}, environ(tmp_path, "DEL"))
    assert capsys.readouterr() == ("", "careful\n")


def test_its_last_words_explain_a_death(tmp_path: Path) -> None:
    program(
        tmp_path, "ipam", "import os, sys\nsys.stderr.write('oh no\\n')\nos.kill(os.getpid(), 9)"
    )
    with pytest.raises(PluginFailed, match="killed by signal 9") as caught:
        delegate.call("ipam", CONF, environ(tmp_path))
    assert caught.value.details == "oh no"


def test_a_death_after_the_answer_is_told_as_one(tmp_path: Path) -> None:
    text = 'import os\nprint(\'{"cniVersion": "1.0.0"}\', flush=True)\nos.kill(os.getpid(), 9)'
    program(tmp_path, "ipam", text)
    with pytest.raises(PluginFailed, match="killed by signal 9") as caught:
        delegate.call("ipam", CONF, environ(tmp_path))
    assert caught.value.code == 999


def test_a_plugin_that_does_not_read_may_still_answer(tmp_path: Path) -> None:
    program(tmp_path, "ipam", "print('{}')")
    assert delegate.call("ipam", {**CONF, "pad": "x" * 200_000}, environ(tmp_path)) == b"{}\n"


def test_one_that_does_not_end_is_ended_with_its_children(tmp_path: Path) -> None:
    program(
        tmp_path,
        "ipam",
        f"""import os, time
child = os.fork()
if child:
    with open({str(tmp_path / "new")!r}, "w") as new:
        new.write(f"{{os.getpid()}} {{child}}")
    os.rename({str(tmp_path / "new")!r}, {str(tmp_path / "pids")!r})
time.sleep(600)
""",
    )
    pids: list[str] = []
    for seconds in (0.5, 4.0, 30.0):  # as short as this machine is quick enough for
        with pytest.raises(TryAgain, match="ipam: killed"):
            delegate.call("ipam", CONF, environ(tmp_path), seconds=seconds)
        if (tmp_path / "pids").exists():
            pids = (tmp_path / "pids").read_text().split()
            break
    assert len(pids) == 2
    for pid in pids:
        wait_until(lambda pid=pid: has_ended(pid))  # type: ignore[misc]


def has_ended(pid: str) -> bool:
    """Gone, or a zombie that its new parent has not collected yet."""
    try:
        with open(f"/proc/{pid}/stat") as stream:
            return stream.read().rsplit(")", 1)[1].split()[0] == "Z"
    except FileNotFoundError:
        return True


def test_a_file_that_cannot_be_run(tmp_path: Path) -> None:
    (tmp_path / "ipam").write_text("")
    with pytest.raises(IOFailure, match=r"run .*/ipam: "):
        delegate.call("ipam", CONF, environ(tmp_path))


def test_an_executable_being_replaced_is_tried_again(tmp_path: Path) -> None:
    source = Path("/bin/true").read_bytes()
    path = tmp_path / "ipam"
    writer = os.open(path, os.O_WRONLY | os.O_CREAT, 0o755)
    try:
        os.write(writer, source)
        import threading

        closing = threading.Timer(0.3, os.close, [writer])
        closing.start()
        assert delegate.call("ipam", CONF, environ(tmp_path)) == b""
    finally:
        closing.join()
