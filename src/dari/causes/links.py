"""Interfaces, cables and bridges.

May import: language, causes.cause.
"""

from __future__ import annotations

from dari.causes.cause import Cause
from dari.language import N_

BRIDGE_MISSING = Cause(
    code="DARI-301",
    title=N_("the pods' bridge is not there"),
    why=N_("No pod of the node reaches anything."),
    look="ip link show type bridge",
    mend=N_("Start the agent; it makes the bridge and plugs running pods in."),
)
BRIDGE_DOWN = Cause(
    code="DARI-302",
    title=N_("the pods' bridge is down"),
    why=N_("No pod of the node reaches anything, not even another on the same node."),
    look="ip -brief link show type bridge",
    mend=N_("Set it up."),
)
BRIDGE_ADDRESS_MISSING = Cause(
    code="DARI-303",
    title=N_("the bridge lacks the pods' gateway address"),
    why=N_(
        "Pods ask for their gateway's MAC and get no answer; they reach only pods on the "
        "same bridge."
    ),
    look="ip -brief address show type bridge",
    mend=N_("Add the address."),
)
BRIDGE_ADDRESS_FOREIGN = Cause(
    code="DARI-304",
    title=N_("the bridge has an address of another network"),
    why=N_(
        'The plugin refuses to wire pods ("already has an IP address different from"), or '
        "pods get a gateway that is not theirs."
    ),
    look="ip -brief address show type bridge",
    mend=N_("Remove the address, or let the configuration name another bridge."),
)
CABLE_UNPLUGGED = Cause(
    code="DARI-305",
    title=N_("a pod's cable is not plugged into its bridge"),
    why=N_("The pod reaches nothing, though both ends of its cable are up."),
    look="bridge link; ip -brief link show type veth",
    mend=N_("Plug it in: set its master."),
)
CABLE_DOWN = Cause(
    code="DARI-306",
    title=N_("a pod's cable is down"),
    why=N_("The pod reaches nothing."),
    look="ip -brief link show type veth",
    mend=N_("Set the host's end up."),
)
POD_INTERFACE = Cause(
    code="DARI-307",
    title=N_("a pod's interface is missing or down"),
    why=N_("The pod reaches nothing."),
    look="nsenter --net=NAMESPACE ip -brief link",
    mend=N_("Set it up; if it is gone, delete the pod so that its controller starts another."),
)
POD_ADDRESS = Cause(
    code="DARI-308",
    title=N_("a pod lacks its address"),
    why=N_(
        "The pod's lease and what is on its interface differ; packets to it are answered by nobody."
    ),
    look="nsenter --net=NAMESPACE ip -brief address",
    mend=N_("Add the address that its lease names."),
)
POD_ROUTE = Cause(
    code="DARI-309",
    title=N_("a pod lacks its way out"),
    why=N_("The pod reaches only pods on its own bridge."),
    look="nsenter --net=NAMESPACE ip route",
    mend=N_("Add the default route by its gateway."),
)
MTU_MISMATCH = Cause(
    code="DARI-310",
    title=N_("MTUs along a path do not fit"),
    why=N_("Small packets pass, large ones vanish: connections open and then hang."),
    look="ip link | grep mtu",
    mend=N_("Set the MTU to what the path carries."),
)
NODE_INTERFACE_DOWN = Cause(
    code="DARI-311",
    title=N_("the node's interface is down"),
    why=N_("The node and all its pods are cut off."),
    look="ip -brief link",
    mend=N_("Set it up."),
)
DUPLICATE_POD_MAC = Cause(
    code="DARI-312",
    title=N_("two pods on one bridge have one MAC address"),
    why=N_("The bridge sends frames for both to whichever spoke last."),
    look="bridge fdb show",
    mend=N_("Give one of them another MAC."),
)
OVERLAPPING_BRIDGES = Cause(
    code="DARI-313",
    title=N_("two interfaces have the same network"),
    why=N_("The kernel uses the first route that fits; pods behind the other are cut off."),
    look="ip route",
    mend=N_("Remove the address of the one that should not have it."),
)
