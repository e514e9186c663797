"""The API servers that this node's kubelet is told to use, and whether they are reached.

Source: kubelet(1), --kubeconfig; kubeadm's /etc/kubernetes/kubelet.conf.
May import: model, snapshot.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from ipaddress import ip_address
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from dari.snapshot import processes
from dari.snapshot.health import ApiServer, Program
from dari.snapshot.probes import connect

if TYPE_CHECKING:
    from dari.model import IPAddress

KUBECONFIG = "/etc/kubernetes/kubelet.conf"
_OPTION = "--kubeconfig"
_KEY = "server:"


def read_servers(programs: Iterable[Program], names: Mapping[str, str]) -> tuple[ApiServer, ...]:
    """Try each server that kubelet's file names, by TCP; those named by DNS alone are left out.

    Args:
        programs: that run; kubelet's flags say where its file is.
        names: what addresses are called, by address.
    """
    known = {name: address for address, name in names.items()}
    kubelet = next((each for each in programs if each.name == "kubelet"), None)
    path = _file(kubelet.arguments if kubelet else ())
    found = dict.fromkeys(_servers(processes.lines(path), known))
    return tuple(
        ApiServer(path=path, address=address, port=port, state=connect(address, port))
        for address, port in found
    )


def _file(arguments: Sequence[str]) -> str:
    for place, word in enumerate(arguments):
        name, equals, value = word.partition("=")
        if name == _OPTION:
            return value if equals else next(iter(arguments[place + 1 : place + 2]), "")
    return KUBECONFIG


def _servers(lines: Iterable[str], known: Mapping[str, str]) -> Iterator[tuple[IPAddress, int]]:
    """Addresses and ports of the lines ``server: https://ADDRESS:PORT``."""
    for line in lines:
        text = line.strip().removeprefix("- ")
        if not text.startswith(_KEY):
            continue
        try:
            url = urlsplit(text.removeprefix(_KEY).strip().strip("\"'"))
            host, port = url.hostname or "", url.port or 443
            yield ip_address(known.get(host, host)), port
        except ValueError:
            continue  # a name that only DNS knows, or nothing of the kind
