"""Leases, ranges and who has which address.

May import: language, causes.cause.
"""

from __future__ import annotations

from dari.causes.cause import Cause
from dari.language import N_

RANGE_FULL = Cause(
    code="DARI-601",
    title=N_("every address of the node's range is leased"),
    why=N_("No further pod starts on this node."),
    look="ls /run/dari/leases/*",
    mend=N_("Clear leases whose pods are gone, or give the node a further range."),
)
LEASE_LEAKED = Cause(
    code="DARI-602",
    title=N_("a lease belongs to a pod that is gone"),
    why=N_("Addresses run out over time."),
    look="ls /run/dari/leases/*",
    mend=N_("Clear it; the agent does so after gc-grace."),
)
DUPLICATE_RANGE = Cause(
    code="DARI-603",
    title=N_("two nodes claim one pod range"),
    why=N_("Packets for these pods go to only one of the two."),
    look="dari status",
    mend=N_(
        "Remove the record of the node that is gone or should have another range; with the stores "
        "local and etcd the command is printed. In Kubernetes none can be: the range is the "
        "Node's (spec.podCIDRs) and never changes. Drain the node, `kubectl delete node NAME`, "
        "which ends its pods, and restart its kubelet, which registers it with another range."
    ),
)
DUPLICATE_POD_ADDRESS = Cause(
    code="DARI-604",
    title=N_("two pods have one address"),
    why=N_("Answers go to whichever spoke last."),
    look="dari status; ls /run/dari/leases/*",
    mend=N_("Delete one of the pods, so that its controller starts another."),
)
LEASE_MISSING = Cause(
    code="DARI-605",
    title=N_("a running pod's address has no lease"),
    why=N_("The same address may be given to another pod."),
    look="ls /run/dari/leases/*",
    mend=N_("Delete the pod, so that its controller starts another."),
)
OUT_OF_RANGE = Cause(
    code="DARI-606",
    title=N_("a pod's address is outside its node's range"),
    why=N_("No other node knows the way to it."),
    look="dari status",
    mend=N_("Delete the pod, so that its controller starts another."),
)
