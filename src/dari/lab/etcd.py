"""A real etcd on a machine of its own, where a lab's nodes keep their records there.

One member, which answers at the machine's address; nodes reach it over the underlay,
as any cluster's do. What it stores vanishes with the lab.

May import: errors, and within lab: messages, folders, process, syscalls, topology.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import time
import urllib.error
import urllib.request
from typing import TYPE_CHECKING

from dari.errors import DariError
from dari.lab import folders
from dari.lab.messages import _
from dari.lab.topology import Machine, Topology

if TYPE_CHECKING:
    from dari.model import IPAddress

FOLDER = "/run/etcd"
PORT, _PEER_PORT = 2379, 2380
_LOG = "/run/etcd.log"
_PATIENCE = 30.0  # seconds; only what is broken takes that long
_POLL = 0.05
_LOG_BYTES = 2000


def settings(topology: Topology) -> dict[str, object]:
    """What a node's agent is told: where the member answers."""
    return {"etcd-endpoint": [_url(each, PORT) for each in topology.store_addresses[:1]]}


def start(one: Machine) -> None:
    """Run it on this machine and wait until it answers; its log is in ``/run/etcd.log``.

    Raises:
        DariError: it is not installed, or does not start.
    """
    program = shutil.which("etcd")
    if program is None:
        raise DariError(
            _("there is no program etcd, which the store etcd needs"),
            _("install it: apt-get install --no-install-recommends etcd-server"),
        )
    folders.mount_sparse(FOLDER)
    with open(_LOG, "ab") as log:
        member = subprocess.Popen(
            [program, *_flags(one)],
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            start_new_session=True,
        )
    _wait(member, f"{_url(one.addresses[0], PORT)}/health")


def _flags(one: Machine) -> list[str]:
    """A cluster of one, told apart by this machine's name."""
    clients = ",".join(_url(each, PORT) for each in one.addresses)
    peer = _url(one.addresses[0], _PEER_PORT)
    flags = {
        "name": one.name,
        "data-dir": f"{FOLDER}/data",
        "listen-client-urls": clients,
        "advertise-client-urls": clients,
        "listen-peer-urls": peer,
        "initial-advertise-peer-urls": peer,
        "initial-cluster": f"{one.name}={peer}",
    }
    return [f"--{name}={value}" for name, value in flags.items()]


def _url(address: IPAddress, port: int) -> str:
    host = f"[{address}]" if address.version == 6 else str(address)
    return f"http://{host}:{port}"


def _wait(member: subprocess.Popen[bytes], url: str) -> None:
    deadline = time.monotonic() + _PATIENCE
    while not _answers(url):
        if member.poll() is not None or time.monotonic() > deadline:
            raise DariError(_("etcd does not answer at {url}").format(url=url), _last_words())
        time.sleep(_POLL)


def _answers(url: str) -> bool:
    """Does it take calls? It says so once it has a leader: itself."""
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    try:
        with opener.open(url, timeout=5) as answer:
            return b'"true"' in answer.read(_LOG_BYTES)
    except OSError:
        return False


def _last_words() -> str:
    with open(_LOG, encoding="utf-8", errors="replace") as stream:
        stream.seek(max(0, os.path.getsize(_LOG) - _LOG_BYTES))
        return _("its log ends so:") + "\n" + stream.read()
