"""Ours and the reference's host-local, as processes on one folder."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import dari
from dari.model import NetConf, NetworkName
from tests.support import ipam_program
from tests.support.reference import REFERENCE_FOLDER, run_reference

FOLDER = Path("/var/lib/cni/networks/pods")
SOURCE = str(Path(dari.__file__).parents[1])

Conf = dict[str, object]


def configuration(*ranges: list[dict[str, str]]) -> Conf:
    """A network of these range sets, in the default folder."""
    return {
        "cniVersion": "1.0.0",
        "name": "pods",
        "type": "bridge",
        "ipam": {"type": "host-local", "ranges": list(ranges)},
    }


def start_ours(conf: Conf, *arguments: str) -> subprocess.Popen[bytes]:
    """Start tests/support/ipam_program.py with the configuration on stdin."""
    program = subprocess.Popen(
        [sys.executable, "-I", "-S", ipam_program.__file__, SOURCE, *arguments],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    )
    give(program, conf)
    return program


def start_theirs(conf: Conf, container_id: str) -> subprocess.Popen[bytes]:
    """Start an ADD of the reference, whose answer nobody reads."""
    program = subprocess.Popen(
        [f"{REFERENCE_FOLDER}/host-local"],
        stdin=subprocess.PIPE,
        stdout=subprocess.DEVNULL,
        env={
            "CNI_COMMAND": "ADD",
            "CNI_CONTAINERID": container_id,
            "CNI_IFNAME": "eth0",
            "CNI_NETNS": "/run/netns/none",
            "CNI_PATH": REFERENCE_FOLDER,
        },
    )
    give(program, conf)
    return program


def give(program: subprocess.Popen[bytes], conf: Conf) -> None:
    assert program.stdin is not None
    program.stdin.write(json.dumps(conf).encode())
    program.stdin.close()
    program.stdin = None


def parsed(conf: Conf) -> NetConf:
    """The configuration as our own code has it."""
    ipam, args = conf["ipam"], conf.get("args", {})
    runtime_config = conf.get("runtimeConfig", {})
    assert isinstance(ipam, dict)
    assert isinstance(args, dict)
    assert isinstance(runtime_config, dict)
    return NetConf(
        cni_version="1.0.0",
        name=NetworkName("pods"),
        type="bridge",
        raw=conf,
        ipam=ipam,
        args=args,
        runtime_config=runtime_config,
    )


def ours(conf: Conf, verb: str, container_id: str) -> list[str]:
    """One call of ours; an ADD's addresses."""
    program = start_ours(conf, verb, container_id)
    said, _ = program.communicate(timeout=120)
    assert program.returncode == 0, said
    return list(json.loads(said)) if said else []


def theirs(conf: Conf, verb: str, container_id: str, args: str = "") -> list[str]:
    """One call of the reference; an ADD's addresses."""
    status, answer = run_reference(
        "host-local",
        verb,
        conf,
        container_id=container_id,
        ifname="eth0",
        netns="/run/netns/none",
        args=args,
    )
    assert status == 0, answer
    ips = answer.get("ips", [])
    assert isinstance(ips, list)
    return [one["address"] for one in ips]


def files(folder: Path = FOLDER) -> dict[str, bytes]:
    """What is in the folder, without the lock."""
    if not folder.exists():
        return {}
    return {path.name: path.read_bytes() for path in folder.iterdir() if path.name != "lock"}


def held() -> dict[str, bytes]:
    """The leases alone; anything unexpected among them too."""
    return {name: text for name, text in files().items() if not name.startswith("last_")}
