"""Where dari's files are, in one place and injectable.

May import: record.
"""

from __future__ import annotations

from dari.record import Record


class Paths(Record):
    """Folders that every part is given; tests and the lab give others.

    Attributes:
        run: what dies with the boot (sockets, leases, what is masqueraded).
        var: what outlives it (the local store).
        host_local: host-local's default `dataDir`.
        results: where the runtime's side caches results, as libcni does.
        proc_sys: the kernel's settings.
        tuning: where type tuning keeps what was there before, as the reference does.
        tuning_allowlist: which settings type tuning may change; all where there is none.
        boot_evidence: a folder in memory, made at boot, whose oldest entry
            tells when this boot began by the wall clock of that moment.
    """

    run: str = "/run/dari"
    var: str = "/var/lib/dari"
    host_local: str = "/var/lib/cni/networks"
    results: str = "/var/lib/cni/results"
    proc_sys: str = "/proc/sys"
    tuning: str = "/run/cni/tuning"
    tuning_allowlist: str = "/etc/cni/tuning/allowlist.conf"
    boot_evidence: str = "/run"

    @property
    def agent_socket(self) -> str:
        """The agent's unix socket."""
        return f"{self.run}/agent.sock"

    @property
    def leases(self) -> str:
        """Default `dataDir` of networks of type dari: host-local's format, gone with the boot."""
        return f"{self.run}/leases"

    @property
    def attachments(self) -> str:
        """One file per wired interface, from before its first change to after its last."""
        return f"{self.run}/attachments"

    @property
    def masquerade(self) -> str:
        """One file per network whose traffic to the outside is masqueraded."""
        return f"{self.run}/masquerade"

    @property
    def hostports(self) -> str:
        """One file per host port that is led to a pod, and one per set of conditions."""
        return f"{self.run}/hostports"

    @property
    def forwarded(self) -> str:
        """One file per pod of a network with a firewall, and who uses which bridge."""
        return f"{self.run}/firewall"

    @property
    def spoofing(self) -> str:
        """One file per bridge port that may send from one MAC alone."""
        return f"{self.run}/spoofing"

    @property
    def table(self) -> str:
        """The lock on dari's table in the kernel, and what it was like when it was built."""
        return f"{self.run}/table"
