"""STATUS: would an ADD succeed now?

May import: errors, netlink, nft, paths.
"""

from __future__ import annotations

import os

from dari.errors import DariError, NotAvailable

TYPE_CHECKING = False
if TYPE_CHECKING:
    from dari.paths import Paths
    from dari.wiring.conf import BridgeConf

_CAP_NET_ADMIN = 12


def require_permission() -> None:
    """Raises:
    NotAvailable: the process may not change the network.
    """
    if not _effective_capabilities() >> _CAP_NET_ADMIN & 1:
        raise NotAvailable("no permission to change the network: CAP_NET_ADMIN is missing")


def require_firewall(masquerade: bool) -> None:
    """Raises:
    NotAvailable: ipMasq (`masquerade`) is asked for, and libnftables or nf_tables does not answer.
    """
    if masquerade:
        require_nftables("ipMasq")


def require_nftables(purpose: str) -> None:
    """Raises:
    NotAvailable: libnftables or nf_tables does not answer; `purpose` says what for.
    """
    from dari.nft.library import Nft  # costs 4 ms; only such a STATUS needs it

    try:
        with Nft() as nft:
            nft.query("list tables")
    except DariError as error:
        raise NotAvailable(f"{purpose}: {error.message}", error.details) from None


def require_agent(conf: BridgeConf, paths: Paths) -> None:
    """Raises:
    NotAvailable: the configuration requires the agent, and it does not answer.
    """
    if conf.agent_required and not _listens(paths.agent_socket):
        raise NotAvailable(
            f"agent: required, and nobody listens on {paths.agent_socket}",
            "start it: dari agent",
        )


def _effective_capabilities() -> int:
    with open("/proc/thread-self/status", encoding="ascii", errors="replace") as status:
        for line in status:
            if line.startswith("CapEff:"):
                return int(line.split()[1], 16)
    return 0


def _listens(path: str) -> bool:
    import _socket  # only where an agent is required

    if not os.path.exists(path):
        return False
    probe = _socket.socket(_socket.AF_UNIX, _socket.SOCK_STREAM | _socket.SOCK_CLOEXEC)
    try:
        probe.connect(path)
    except OSError:
        return False
    finally:
        probe.close()
    return True
