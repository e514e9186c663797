"""The executable as a runtime starts it: real processes, real namespaces."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from dari.agent.install import Executable, install_executables, script
from dari.cli.main import main
from dari.native import bundle
from tests.support.calls import NOTES_CONF
from tests.support.isolation import add_namespace
from tests.support.kernel import addresses, ip, links, run
from tests.support.reference import REFERENCE_FOLDER

PACKAGE = Path(__file__).parents[2] / "src"
BIN_DIR = "/opt/cni/bin"
CONF_DIR = Path("/etc/cni/net.d")
RESULTS = Path("/var/lib/cni/results")
LEASES = Path("/var/lib/cni/networks/mynet")
# What no call may import, since each costs more than the kernel's part of an ADD.
TOO_DEAR = {
    *("argparse", "asyncio", "dataclasses", "hashlib", "inspect", "logging", "pathlib"),
    *("socket", "subprocess", "tempfile", "threading", "traceback", "typing"),
}
# What only the first ADD on a node may, which builds the rules, and what asks about it.
DEAR = {"base64", "ctypes", "enum", "json", "re"}


def install() -> None:
    """Put the executables where runtimes look."""
    program = Executable(content=script(sys.executable, str(PACKAGE)), bundle=bundle.pack())
    install_executables(BIN_DIR, ["bridge", "host-local", "loopback"], program)


def start(
    name: str,
    command: str,
    conf: dict[str, object],
    netns: str = "",
    container: str = "web1",
    **more: Any,
) -> subprocess.CompletedProcess[bytes]:
    """Call an executable; `more` is for `subprocess.run`."""
    environ = {
        "CNI_COMMAND": command,
        "CNI_CONTAINERID": container,
        "CNI_NETNS": netns,
        "CNI_IFNAME": "eth0",
        "CNI_PATH": f"{BIN_DIR}:{REFERENCE_FOLDER}",
    }
    streams = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, **more}
    return subprocess.run(
        [f"{BIN_DIR}/{name}"], input=json.dumps(conf).encode(), env=environ, **streams
    )


def error_of(done: subprocess.CompletedProcess[bytes]) -> dict[str, Any]:
    assert done.returncode == 1
    assert done.stderr == b""
    error: dict[str, Any] = json.loads(done.stdout)
    assert set(error) == {"cniVersion", "code", "msg", "details"}
    return error


def leases() -> list[str]:
    return sorted(path.name for path in LEASES.glob("10.*")) if LEASES.exists() else []


def test_add_check_and_del() -> None:
    install()
    pod = add_namespace("web")
    added = start("bridge", "ADD", NOTES_CONF, pod)
    assert (added.returncode, added.stderr) == (0, b"")
    result = json.loads(added.stdout)
    assert result["cniVersion"] == NOTES_CONF["cniVersion"]
    assert addresses("eth0", "web") == {result["ips"][0]["address"]} != set()
    checked = start("bridge", "CHECK", {**NOTES_CONF, "prevResult": result}, pod)
    assert (checked.returncode, checked.stdout, checked.stderr) == (0, b"", b"")
    removed = start("bridge", "DEL", NOTES_CONF, pod)
    assert (removed.returncode, removed.stdout, removed.stderr) == (0, b"", b"")
    assert (links("eth", "web"), leases()) == ([], [])


def test_the_name_or_the_type_decides() -> None:
    install()
    pod = add_namespace("web")
    assert start("dari", "ADD", NOTES_CONF, pod).returncode == 0
    assert links("eth", "web") == ["eth0"]
    alone = start("host-local", "ADD", {**NOTES_CONF, "name": "other"}, pod)
    assert [*json.loads(alone.stdout)] == ["cniVersion", "ips", "routes"]


def test_an_interface_that_is_there_is_an_error_and_stays() -> None:
    install()
    pod = add_namespace("web")
    run("ip", "link", "add", "eth0", "type", "bridge", namespace="web")
    error_of(start("bridge", "ADD", NOTES_CONF, pod))
    [there] = ip("link", "show", "dev", "eth0", namespace="web")
    assert there["linkinfo"]["info_kind"] == "bridge"
    assert leases() == []


def test_the_nodes_own_namespace_is_never_touched() -> None:
    install()
    run("ip", "link", "add", "eth0", "type", "bridge")
    for command in ("ADD", "DEL"):
        done = start("bridge", command, NOTES_CONF, "/proc/thread-self/ns/net")
        assert error_of(done)["code"] == 8
    assert links("eth") == ["eth0"]


def test_an_answer_that_nobody_reads_is_taken_back() -> None:
    install()
    pod = add_namespace("web")
    reader, writer = os.pipe()
    os.close(reader)
    with open(writer, "wb") as gone:
        done = start("bridge", "ADD", NOTES_CONF, pod, stdout=gone)
    assert done.returncode == 1
    assert b"write the answer to stdout" in done.stderr
    assert (links("eth", "web"), leases()) == ([], [])


@pytest.mark.parametrize("closed", ["<&-", ">&-", "2>&-", "<&- >&- 2>&-"])
def test_missing_streams_do_no_harm(closed: str) -> None:
    install()
    environ = {"CNI_COMMAND": "VERSION"}
    done = subprocess.run(
        ["sh", "-c", f"exec {BIN_DIR}/bridge {closed}"],
        capture_output=True,
        env=environ,
        stdin=subprocess.DEVNULL,
    )
    assert done.stderr == b""
    assert (done.returncode == 0) == (">&-" not in closed.replace("2>&-", ""))


def install_foreign_manager() -> None:
    """The reference plugin `static`, under a name that dari has no plugin of."""
    os.symlink(f"{REFERENCE_FOLDER}/static", f"{BIN_DIR}/foreign")


def test_a_foreign_address_manager_is_asked() -> None:
    install()
    install_foreign_manager()
    pod = add_namespace("web")
    static = {
        "type": "foreign",
        "addresses": [{"address": "10.22.7.7/16", "gateway": "10.22.0.1"}],
    }
    conf = {**NOTES_CONF, "cniVersion": "1.0.0", "ipam": static}
    added = start("bridge", "ADD", conf, pod)
    assert json.loads(added.stdout)["ips"][0]["address"] == "10.22.7.7/16"
    assert start("bridge", "DEL", conf, pod).returncode == 0


def test_a_foreign_address_managers_refusal_comes_through() -> None:
    install()
    install_foreign_manager()
    conf = {**NOTES_CONF, "cniVersion": "1.0.0", "ipam": {"type": "foreign", "addresses": [{}]}}
    error = error_of(start("bridge", "ADD", conf, add_namespace("web")))
    assert error["msg"].startswith("foreign: ")
    assert links("eth", "web") == []


@pytest.mark.parametrize("command", ["ADD", "DEL", "CHECK", "STATUS", "VERSION"])
def test_what_a_call_imports(command: str) -> None:
    install()
    pod = add_namespace("web")
    assert start("bridge", "ADD", NOTES_CONF, add_namespace("first"), "first").returncode == 0
    if command == "DEL":  # of a pod of dari's own; another's may have left more to clear
        assert start("bridge", "ADD", NOTES_CONF, pod, "web1").returncode == 0
    program = (
        f"import sys; sys.path.insert(0, {str(PACKAGE)!r}); sys.argv[0] = 'bridge'\n"
        "before = set(sys.modules)\n"
        "from dari.native import launch\n"
        f"launch.use_bundle({BIN_DIR!r})\n"
        "from dari.cni.entry import call\n"
        "status = call()\n"
        "for name in set(sys.modules) - before:\n"
        "    loader = getattr(sys.modules[name].__spec__, 'loader', None)\n"
        "    print(name, type(loader).__name__, file=sys.stderr)\n"
        "sys.exit(status)"
    )
    done = subprocess.run(
        [sys.executable, "-I", "-S", "-c", program],
        input=json.dumps(NOTES_CONF).encode(),
        capture_output=True,
        env={
            "CNI_COMMAND": command,
            "CNI_CONTAINERID": "web1",
            "CNI_NETNS": pod,
            "CNI_IFNAME": "eth0",
        },
    )
    loaded = dict(line.split() for line in done.stderr.decode().splitlines())
    imported = set(loaded)
    assert done.returncode == (command == "CHECK"), done.stdout
    assert "dari.cni.dispatch" in imported
    assert imported & TOO_DEAR == set()
    if command in ("ADD", "DEL", "VERSION"):
        assert imported & DEAR == set()
        searched = {name for name in loaded if loaded[name] == "SourceFileLoader"}
        assert searched <= {"__future__", "dari", "dari.native", "dari.native.launch"}


def test_the_notes_configuration_by_hand(capsys: pytest.CaptureFixture[str]) -> None:
    """`dari add CONTAINER NETNS`, as the notes' ``net-script.sh add <container> <namespace>``."""
    install()
    add_namespace("web")
    CONF_DIR.mkdir(parents=True)
    (CONF_DIR / "10-bridge.conf").write_text(json.dumps(NOTES_CONF))
    assert main(["add", "web1", "web"]) == 0
    said = capsys.readouterr().out.splitlines()
    [address] = addresses("eth0", "web")
    assert said[0] == f"eth0 in web1: {address} by way of 10.22.0.1"
    assert said[1].startswith("network mynet, on the host: cni0, dari")
    assert main(["check", "web1", "web"]) == 0
    run("ip", "address", "flush", "dev", "eth0", namespace="web")
    assert main(["check", "web1", "web"]) == 1
    assert f"lacks its address {address}" in capsys.readouterr().err
    assert main(["add", "web1", "web"]) == 1
    assert "dari del web1" in capsys.readouterr().err
    assert main(["del", "web1", "web"]) == 0
    assert main(["del", "web1", "web"]) == 0
    assert (links("eth", "web"), leases()) == ([], [])


def test_add_answers_scripts_too(capsys: pytest.CaptureFixture[str]) -> None:
    install()
    add_namespace("web")
    CONF_DIR.mkdir(parents=True)
    (CONF_DIR / "10-bridge.conf").write_text(json.dumps(NOTES_CONF))
    words = ["add", "web1", "web", "--ifname", "net1", "--args", "IP=10.22.0.77", "-o", "json"]
    assert main(words) == 0
    result = json.loads(capsys.readouterr().out)
    assert [ip["address"] for ip in result["ips"]] == ["10.22.0.77/16"]
    assert addresses("net1", "web") == {"10.22.0.77/16"}
    assert main(["del", "web1", "--ifname", "net1"]) == 0
    assert links("net", "web") == []


def test_del_takes_what_add_made_though_the_folder_has_changed() -> None:
    install()
    add_namespace("web")
    CONF_DIR.mkdir(parents=True)
    (CONF_DIR / "10-bridge.conf").write_text(json.dumps(NOTES_CONF))
    assert main(["add", "web1", "web"]) == 0
    (CONF_DIR / "10-bridge.conf").write_text("not even JSON")
    assert main(["del", "web1", "web"]) == 0
    assert (links("eth", "web"), leases()) == ([], [])


def test_del_goes_by_the_folder_where_the_cache_is_damaged() -> None:
    install()
    add_namespace("web")
    CONF_DIR.mkdir(parents=True)
    (CONF_DIR / "10-bridge.conf").write_text(json.dumps(NOTES_CONF))
    assert main(["add", "web1", "web"]) == 0
    [cached] = RESULTS.iterdir()
    cached.write_text(json.dumps({**json.loads(cached.read_text()), "config": "AAAA"}))
    assert main(["del", "web1", "web"]) == 0
    assert (links("eth", "web"), leases(), list(RESULTS.iterdir())) == ([], [], [])


@pytest.mark.parametrize(
    ("words", "hint"),
    [
        (["add", "web1", "nowhere"], "ip netns add"),
        (["add", "web1", "web"], "no network configuration"),
        (["check", "web1", "web"], "dari add web1 web"),
    ],
)
def test_what_a_person_is_told(
    words: list[str], hint: str, capsys: pytest.CaptureFixture[str]
) -> None:
    add_namespace("web")
    if "nowhere" in words:
        CONF_DIR.mkdir(parents=True)
        (CONF_DIR / "10-bridge.conf").write_text(json.dumps(NOTES_CONF))
    assert main(words) == 1
    assert hint in capsys.readouterr().err
