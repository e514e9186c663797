"""What a node's health shows besides its tables: who listens, what runs, how much room.

May import: model, record.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from dari.record import Record

if TYPE_CHECKING:
    from dari.model import IPAddress, Json

_NO_PORTS: Mapping[str, str] = {}
CONTAINERD, CRIO, PODMAN, KUBELET, DARI = "containerd", "cri-o", "podman", "kubelet", "dari"


class Listener(Record):
    """A socket that waits for others, in the node's own namespace.

    Attributes:
        protocol: ``tcp`` or ``udp``.
        program: name of the process that holds it; empty: the kernel's own, or not told.
    """

    protocol: str
    address: IPAddress
    port: int
    program: str = ""
    pid: int = 0


class Program(Record):
    """A running process that a node's role is known by.

    Attributes:
        arguments: its command line, for those whose flags matter; else empty.
    """

    name: str
    pid: int = 0
    arguments: tuple[str, ...] = ()


class Room(Record):
    """A file system's room: bytes and files; `files` 0: it does not count them."""

    path: str
    bytes_free: int = 0
    bytes_all: int = 0
    files_free: int = 0
    files: int = 0


class NetworkFile(Record):
    """A network configuration as it is in a runtime's folder.

    Attributes:
        plugins: of the list, in the order of ADD; empty where the file is broken.
        problem: in words, why it cannot be loaded.
    """

    path: str
    network: str = ""
    cni_version: str = ""
    plugins: tuple[Json, ...] = ()
    problem: str = ""


class Executable(Record):
    """What a plugin's executable answered to VERSION.

    Attributes:
        path: empty: no folder holds it.
        versions: of CNI that it supports; empty: it did not answer.
        problem: in words, why not.
    """

    type: str
    path: str = ""
    versions: tuple[str, ...] = ()
    problem: str = ""


class Runtime(Record):
    """Who reads network configurations here, and which.

    Attributes:
        name: `CONTAINERD`, `CRIO`, `PODMAN`, `KUBELET` (before 1.24); `DARI`: the
            folders that dari itself uses, where no runtime is known.
        running: does its process run now? Podman has none, and counts where it is installed.
        sources: its configuration's files, in the order they were read.
        conf_dir: the folder that it reads.
        bin_dirs: where it looks for executables.
        most: how many files it loads; 0: all of them.
        default: name of the network that it was told to use; empty: the first.
        cni: False: it has its networks another way (Podman's netavark).
        version: of the runtime, where it was asked.
        flags: kubelet's about CNI, as they were given.
    """

    name: str
    running: bool = False
    sources: tuple[str, ...] = ()
    conf_dir: str = ""
    bin_dirs: tuple[str, ...] = ()
    most: int = 1
    default: str = ""
    cni: bool = True
    version: str = ""
    flags: tuple[str, ...] = ()
    files: tuple[NetworkFile, ...] = ()
    executables: tuple[Executable, ...] = ()
    problems: tuple[str, ...] = ()


class TunnelProbe(Record):
    """What packets to a peer through one tunnel showed.

    Attributes:
        device: the tunnel's, on this node.
        port: UDP port that its packets are sent to.
        at: the peer's address within the tunnel, which was pinged.
        answers: did that answer? Then the tunnel's packets pass, both ways.
        state: where it did not, what became of a datagram to `port` outside the tunnel:
            ``refused``, ``forbidden`` or ``silent``; see `snapshot.datagrams`.
        by: who refused or forbade it.
    """

    device: str
    port: int
    at: IPAddress
    answers: bool = False
    state: str = ""
    by: IPAddress | None = None


class Probe(Record):
    """What packets from here to one address of a peer's showed.

    Attributes:
        peer: its node's name.
        answers: does it answer a small ping?
        size: bytes of the largest IP packet that should pass by the MTU here.
        passes: bytes of the largest that did pass without being cut up; 0: none.
        tcp: ports that were tried, each with ``open``, ``refused`` or ``silent``.
        tunnels: those whose packets are sent to this address.
    """

    peer: str
    address: IPAddress
    device: str = ""
    answers: bool = False
    size: int = 0
    passes: int = 0
    tcp: Mapping[str, str] = _NO_PORTS
    tunnels: tuple[TunnelProbe, ...] = ()


class ApiServer(Record):
    """An API server that this node's kubelet is told to use.

    Attributes:
        path: of the file that says so.
        state: ``open``, ``refused`` or ``silent``.
    """

    path: str
    address: IPAddress
    port: int
    state: str = ""


class Health(Record):
    """All of it.

    Attributes:
        manifests: names of the static pods that kubelet is told to run.
        swap: size in KiB.
        memory: in KiB.
        agent: process id of dari's agent; 0: nobody listens on its socket.
        unit: is there a unit of systemd's for it?
        open_files, most_files: of the agent's process; 0: it does not run.
        store_mount: options of what is mounted on the store's folder, if that is a
            mount of its own and read-only; else empty.
        probes: what was sent to peers, where that was asked for.
        servers: that kubelet is told to use, where packets were to be sent.
        lacking: features of the kernel that dari or Kubernetes uses and that it lacks.
    """

    listeners: tuple[Listener, ...] = ()
    programs: tuple[Program, ...] = ()
    manifests: tuple[str, ...] = ()
    rooms: tuple[Room, ...] = ()
    swap: int = 0
    processors: int = 0
    memory: int = 0
    agent: int = 0
    unit: bool = False
    open_files: int = 0
    most_files: int = 0
    store_mount: str = ""
    lacking: tuple[str, ...] = ()
    runtimes: tuple[Runtime, ...] = ()
    probes: tuple[Probe, ...] = ()
    servers: tuple[ApiServer, ...] = ()
