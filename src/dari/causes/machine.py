"""Ports, processes and room on the machine.

May import: language, causes.cause.
"""

from __future__ import annotations

from dari.causes.cause import Cause
from dari.language import N_

PORT_SILENT = Cause(
    code="DARI-901",
    title=N_("nobody listens on a port that this role needs"),
    why=N_("Whoever needs the component gets no answer: it does not run, or listens elsewhere."),
    look="ss -lntup",
    mend=N_(
        "Start the component: kubelet as a service (systemctl start kubelet), which starts the "
        "others by their files in /etc/kubernetes/manifests."
    ),
)
PORT_TAKEN = Cause(
    code="DARI-902",
    title=N_("another program has a port that this role needs"),
    why=N_("The component cannot start."),
    look="ss -lntup",
    mend=N_("Stop the other program or move it to another port."),
)
PORT_UNREACHABLE = Cause(
    code="DARI-903",
    title=N_("a peer that needs a port does not reach it"),
    why=N_(
        "What the port is for fails from there. A filter is on the way, or the program listens "
        "on the loopback interface alone."
    ),
    look="nc -vz NODE PORT",
    mend=N_("Open the way between the two."),
)
CLOCK_SKEW = Cause(
    code="DARI-904",
    title=N_("the clocks of nodes differ"),
    why=N_("Certificates are refused, leases end early, logs mislead."),
    look="timedatectl; chronyc tracking",
    mend=N_("Let a time service run on all nodes."),
)
DISK_FULL = Cause(
    code="DARI-905",
    title=N_("there is no room where dari keeps its files"),
    why=N_('Pods fail to start ("no space left on device").'),
    look="df -h /run /var/lib; df -i /run /var/lib",
    mend=N_("Make room."),
)
FEW_DESCRIPTORS = Cause(
    code="DARI-906",
    title=N_("the agent may open too few files"),
    why=N_("Under many pod starts at once some are refused."),
    look="prlimit --nofile --pid PID",
    mend=N_("Raise LimitNOFILE of its service."),
)
SWAP_ON = Cause(
    code="DARI-907",
    title=N_("swap is on"),
    why=N_("kubelet refuses to start unless told otherwise."),
    look="swapon --show",
    mend=N_("swapoff -a, and take it out of /etc/fstab."),
)
SMALL_MACHINE = Cause(
    code="DARI-908",
    title=N_("the machine is smaller than Kubernetes asks for"),
    why=N_("A control plane needs 2 CPUs and 2 GB (1,700 MB free for kubeadm)."),
    look="nproc; free -m",
    mend=N_("Use a larger machine."),
)
