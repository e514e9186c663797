"""A real etcd server on the test's own node, killed by its process id at the end."""

from __future__ import annotations

import json
import os
import signal
import ssl
import subprocess
import urllib.error
import urllib.request
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from dari.store.etcd.api import EtcdSettings
from dari.store.remote.connection import parse_target
from dari.store.remote.tls import Material, Tls
from tests.support.timing import PATIENT
from tests.support.waiting import wait_until

# The usual ones, of which nobody's outgoing connection is given one by chance: a client that
# tries a port from that range again and again may one day be connected to itself.
PORT, PEER_PORT = 2379, 2380


class Etcd:
    """One member, of a cluster of its own unless `members` say otherwise; may be killed,
    stopped and started again.

    Args:
        folder: for its data and log.
        certificates: paths of CA, certificate and key, for TLS in both directions.
        host: the address it listens on.
        name: tells it from other members.
    """

    def __init__(
        self,
        folder: Path,
        certificates: Sequence[Path] = (),
        host: str = "127.0.0.1",
        name: str = "default",
    ) -> None:
        self.host = host
        self.name = name
        self.members: Sequence[Etcd] = (self,)
        self.folder = folder
        self.certificates = list(map(str, certificates))
        self.url = f"{'https' if certificates else 'http'}://{host}:{PORT}"
        self.peer_url = f"http://{host}:{PEER_PORT}"
        self.process: subprocess.Popen[bytes] | None = None

    def start(self, data: str = "data") -> None:
        """Start it on a data folder and wait until it answers."""
        self.launch(data)
        wait_until(self.answers)

    def launch(self, data: str = "data") -> None:
        """Start it; of several members none answers before most of them are there."""
        flags = {
            "name": self.name,
            "data-dir": str(self.folder / data),
            "listen-client-urls": self.url,
            "advertise-client-urls": self.url,
            "listen-peer-urls": self.peer_url,
            "initial-advertise-peer-urls": self.peer_url,
            "initial-cluster": ",".join(f"{each.name}={each.peer_url}" for each in self.members),
        }
        if self.certificates:
            names = ("trusted-ca-file", "cert-file", "key-file")
            flags.update(zip(names, self.certificates, strict=True))
            flags["client-cert-auth"] = "true"
        words = ["--unsafe-no-fsync", *(f"--{name}={value}" for name, value in flags.items())]
        with open(self.folder / "etcd.log", "ab") as log:
            self.process = subprocess.Popen(["etcd", *words], stdout=log, stderr=log)

    def answers(self) -> bool:
        """Does it answer, be it that it wants a password?"""
        assert self.process is not None and self.process.poll() is None, self.log()
        try:
            self.call("/v3/kv/range", {"key": "AA=="})
        except urllib.error.HTTPError as error:
            return error.code < 500
        except OSError:
            return False
        return True

    def kill(self) -> None:
        """End it without a warning, as a power cut does."""
        if self.process is not None:
            self.process.kill()
            self.process.wait()
            self.process = None

    def freeze(self) -> None:
        """Have it answer nothing, its connections standing."""
        assert self.process is not None
        os.kill(self.process.pid, signal.SIGSTOP)

    def thaw(self) -> None:
        """Let it go on."""
        assert self.process is not None
        os.kill(self.process.pid, signal.SIGCONT)

    def call(self, path: str, body: dict[str, Any]) -> dict[str, Any]:
        """Call it as a witness, apart from dari's own client."""
        request = urllib.request.Request(self.url + path, json.dumps(body).encode())
        with urllib.request.urlopen(request, timeout=30, context=self._context()) as answer:
            found: dict[str, Any] = json.load(answer)
            return found

    def _context(self) -> ssl.SSLContext | None:
        if not self.certificates:
            return None
        ca, cert, key = self.certificates
        context = ssl.create_default_context(cafile=ca)
        context.load_cert_chain(cert, key)
        return context

    def leads(self) -> bool:
        """Is it the members' leader?"""
        told = self.call("/v3/maintenance/status", {})
        return bool(told.get("leader")) and told["leader"] == told["header"]["member_id"]

    def log(self) -> str:
        return (self.folder / "etcd.log").read_text()[-3000:]

    def settings(self, **more: Any) -> EtcdSettings:
        """How dari reaches it."""
        ca, cert, key = [Material(path=each) for each in self.certificates] or [Material()] * 3
        target = parse_target(self.url, "url")
        basis = EtcdSettings(
            endpoints=(target,), tls=Tls(ca=ca, cert=cert, key=key), timing=PATIENT
        )
        return basis.replace(**more)


@contextmanager
def etcd(folder: Path, certificates: Sequence[Path] = ()) -> Iterator[Etcd]:
    """A server for as long as the context lasts; call it from a test's body."""
    server = Etcd(folder, certificates)
    try:
        server.start()
        yield server
    finally:
        server.kill()
