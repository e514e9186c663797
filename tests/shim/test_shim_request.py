"""What the agent hears from the native entry."""

from __future__ import annotations

import os
import subprocess

import pytest

from dari.result import CURRENT
from tests.shim.bindir import CONFIG, BinDir, ended, environment
from tests.support.fake_agent import FakeAgent, Heard

MIB = 1 << 20


def hear(
    bin_dir: BinDir,
    environ: dict[str, str] | dict[bytes, bytes] | None = None,
    config: bytes = CONFIG,
    name: str = "/opt/cni/bin/bridge",
) -> Heard:
    """Make one call and give back what an agent heard of it."""
    with FakeAgent(bin_dir.socket) as agent:
        done = bin_dir.call(environ, config, name=name)
    assert (done.status, done.stdout, done.stderr) == (0, b"{}\n", b"")
    (heard,) = agent.heard
    return heard


def test_the_runtimes_variables_go_and_nothing_else(bin_dir: BinDir) -> None:
    traces = {"TRACEPARENT": "00-a-b-01", "TRACESTATE": "x=y", "BAGGAGE": "k=v"}
    noise = {"DARI_RETRY": "1", "DARI_PLUGIN": "no", "CN": "no", "TRACEPARENTS": "no", "XCNI_A": ""}
    heard = hear(bin_dir, {**environment(**traces, CNI_ARGS="A=B;C=D=E"), **noise})
    wanted = {k: v for k, v in environment().items() if k.startswith("CNI_")}
    wanted |= {**traces, "CNI_ARGS": "A=B;C=D=E", "DARI_PLUGIN": "bridge"}
    assert dict(heard.variables) == {k.encode(): v.encode() for k, v in wanted.items()}
    assert len(heard.variables) == len(wanted)
    assert heard.uid == os.geteuid()


@pytest.mark.parametrize(
    ("name", "plugin"),
    [
        ("/opt/cni/bin/host-local", "host-local"),
        ("loopback", "loopback"),
        ("./dari", "dari"),
        ("/a/b/", "dari"),
        ("", "dari"),
        ("/opt/cni/bin/브리지 \n", "브리지 \n"),
    ],
)
def test_the_name_it_is_called_by_is_the_plugin(bin_dir: BinDir, name: str, plugin: str) -> None:
    assert hear(bin_dir, name=name)["DARI_PLUGIN"] == plugin


def test_values_of_any_bytes_arrive_as_they_are(bin_dir: BinDir) -> None:
    value = bytes(range(1, 256))
    heard = hear(bin_dir, {b"CNI_COMMAND": b"ADD", b"CNI_ARGS": value, b"CNI_\xff": b""})
    assert dict(heard.variables)[b"CNI_ARGS"] == value
    assert dict(heard.variables)[b"CNI_\xff"] == b""


def test_of_a_doubled_variable_the_first_counts(bin_dir: BinDir) -> None:
    """As for getenv and Python; a shell cannot make such an environment, execve can."""
    script = "import os, sys; os.execve(sys.argv[1], ['bridge'], EnvTwice())"
    twice = (
        "class EnvTwice(dict):\n"
        "    def keys(self): return ['CNI_IFNAME', 'CNI_IFNAMES', 'CNI_IFNAME']\n"
        "    def values(self): return ['first', 'other', 'second']\n"
        "    def __len__(self): return 3\n"
    )
    python = [os.path.realpath("/proc/self/exe"), "-I", "-S", "-c", twice + script]
    with FakeAgent(bin_dir.socket) as agent:
        done = subprocess.run([*python, bin_dir.folder / "dari"], input=b"", capture_output=True)
    assert (done.returncode, done.stderr) == (0, b"")
    names = [pair for pair in agent.heard[0].variables if pair[0] != b"DARI_PLUGIN"]
    assert names == [(b"CNI_IFNAME", b"first"), (b"CNI_IFNAMES", b"other")]


@pytest.mark.parametrize("size", [0, 1, 4096, 65_537, MIB])
def test_stdin_arrives_whole(bin_dir: BinDir, size: int) -> None:
    config = os.urandom(size)
    assert hear(bin_dir, config=config).config == config


def test_a_configuration_over_the_bound_is_refused(bin_dir: BinDir) -> None:
    done = bin_dir.call(config=CONFIG + b" " * (MIB - len(CONFIG) + 1))
    said = f'"code":6,"msg":"configuration on stdin: longer than {MIB} bytes","details":""'
    assert done.stdout.decode() == f'{{"cniVersion":"{CURRENT}",{said}}}\n'


def call_without(bin_dir: BinDir, *descriptors: int) -> subprocess.CompletedProcess[bytes]:
    script = (
        "import os, sys\n"
        f"for descriptor in {descriptors}: os.close(descriptor)\n"
        "os.execve(sys.argv[1], ['bridge'], {'CNI_COMMAND': 'DEL'})"
    )
    python = [os.path.realpath("/proc/self/exe"), "-I", "-S", "-c", script]
    return subprocess.run([*python, bin_dir.folder / "dari"], input=CONFIG, capture_output=True)


def test_closed_standard_streams_do_not_become_the_socket(bin_dir: BinDir) -> None:
    """What is opened next would be 0 or 2."""
    with FakeAgent(bin_dir.socket) as agent:
        done = call_without(bin_dir, 0, 2)
    assert (done.returncode, done.stdout) == (0, b"{}\n")
    assert [heard.config for heard in agent.heard] == [b""]


def test_without_a_stdout_nothing_is_done(bin_dir: BinDir) -> None:
    with FakeAgent(bin_dir.socket) as agent:
        assert call_without(bin_dir, 1).returncode == 1
    assert agent.connections == 0


@pytest.mark.parametrize("environ", [{}, {"CNI_COMMAND": ""}])
def test_without_a_command_stdin_is_not_waited_for(
    bin_dir: BinDir, environ: dict[str, str]
) -> None:
    reader, writer = os.pipe()
    with FakeAgent(bin_dir.socket) as agent, bin_dir.start(environ, stdin=reader) as process:
        assert ended(process).status == 0
    os.close(reader)
    os.close(writer)
    assert agent.heard[0].config == b""


def test_a_terminal_is_not_waited_for(bin_dir: BinDir) -> None:
    ours, theirs = os.openpty()
    with FakeAgent(bin_dir.socket) as agent, bin_dir.start(environment(), stdin=theirs) as process:
        assert ended(process).status == 0
    os.close(ours)
    os.close(theirs)
    assert agent.heard[0].config == b""


def test_a_stdin_that_cannot_be_read_is_an_error(bin_dir: BinDir) -> None:
    folder = os.open(bin_dir.folder, os.O_RDONLY)
    with bin_dir.start(environment(), stdin=folder) as process:
        os.close(folder)
        done = ended(process)
    assert done.error["code"] == 5
    assert "Is a directory" in str(done.error["msg"])


def test_the_namespace_goes_as_a_descriptor(bin_dir: BinDir) -> None:
    seen = os.stat("/proc/self/ns/net")
    heard = hear(bin_dir)
    assert heard.namespaces == ((seen.st_dev, seen.st_ino),)
    assert heard.inside == heard.namespaces


def test_an_add_alone_gets_a_socket_along(bin_dir: BinDir) -> None:
    assert hear(bin_dir, environment(CNI_COMMAND="DEL")).inside == ()


def test_the_namespace_goes_with_a_large_request_too(bin_dir: BinDir) -> None:
    heard = hear(bin_dir, config=bytes(MIB))
    assert len(heard.namespaces) == len(heard.inside) == 1


@pytest.mark.parametrize("path", ["", "/nowhere/at/all", "relative"])
def test_a_namespace_that_is_not_there_is_the_plugins_matter(bin_dir: BinDir, path: str) -> None:
    heard = hear(bin_dir, environment(CNI_NETNS=path, CNI_COMMAND="DEL"))
    assert heard.namespaces == ()
    assert heard["CNI_NETNS"] == path


def test_a_fifo_for_a_namespace_does_not_hang(bin_dir: BinDir) -> None:
    fifo = bin_dir.folder / "fifo"
    os.mkfifo(fifo)
    assert len(hear(bin_dir, environment(CNI_NETNS=str(fifo))).namespaces) == 1


def test_variables_up_to_the_bound_go(bin_dir: BinDir) -> None:
    """The kernel takes 128 KiB in one string, so it needs several."""
    large = {f"CNI_{letter}": letter * 65_000 for letter in "ABCD"}
    heard = hear(bin_dir, {"CNI_COMMAND": "ADD", **large})
    assert all(heard[key] == value for key, value in large.items())


def test_variables_over_the_bound_are_refused(bin_dir: BinDir) -> None:
    large = {f"CNI_{letter}": letter * 65_529 for letter in "ABCD"}
    error = bin_dir.call({"CNI_COMMAND": "ADD", **large}).error
    assert error["code"] == 4
    assert "262144 bytes" in str(error["msg"])


def test_a_link_to_the_program_finds_its_settings(bin_dir: BinDir) -> None:
    """`dari install` may link the plugins' names to one program."""
    elsewhere = bin_dir.folder.parent / "elsewhere"
    elsewhere.mkdir()
    (elsewhere / "bridge").symlink_to(bin_dir.folder / "dari")
    with FakeAgent(bin_dir.socket) as agent:
        done = subprocess.run(
            [elsewhere / "bridge"], input=CONFIG, env=environment(), capture_output=True
        )
    assert (done.returncode, done.stdout) == (0, b"{}\n")
    assert agent.heard[0]["DARI_PLUGIN"] == "bridge"
