"""What tells one node from another: names, MACs, addresses.

May import: language, causes.cause.
"""

from __future__ import annotations

from dari.causes.cause import Cause
from dari.language import N_

DUPLICATE_NAME = Cause(
    code="DARI-101",
    title=N_("two nodes have one host name"),
    why=N_(
        "Records, leases and certificates are kept by name: the node that comes later "
        "takes the earlier one's place, and its pods lose their routes."
    ),
    look="hostname",
    mend=N_("Give one of them another name and restart its agent."),
)
DUPLICATE_MAC = Cause(
    code="DARI-102",
    title=N_("two nodes have one MAC address"),
    why=N_(
        "The switch sends frames for both to whichever spoke last; connections break at "
        "random. It comes from cloned virtual machines."
    ),
    look="ip -brief link",
    mend=N_("Give the interface of one of them a MAC of its own."),
)
DUPLICATE_PRODUCT_UUID = Cause(
    code="DARI-103",
    title=N_("two nodes have one product_uuid"),
    why=N_(
        "Cloned machines share what follows from it, such as machine identities and DHCP "
        "leases; kubeadm refuses them."
    ),
    look="cat /sys/class/dmi/id/product_uuid",
    mend=N_("Give the clone an identity of its own in its hypervisor."),
)
NO_CLEAR_ADDRESS = Cause(
    code="DARI-104",
    title=N_("it is not clear which address is the node's"),
    why=N_(
        "With several interfaces, or none with a default route, peers may send pods' "
        "packets to an address that they cannot reach."
    ),
    look="ip -brief address",
    mend=N_('Tell the agent: node-address = "…" or interface = "…" in /etc/dari/agent.toml.'),
)
ADDRESS_NOT_RECORDED = Cause(
    code="DARI-105",
    title=N_("the node's record has another address than the node"),
    why=N_("Peers go on sending this node's pod range to the recorded address."),
    look="ip -brief address; dari status",
    mend=N_("Start the agent; it writes the record anew."),
)
DUPLICATE_ADDRESS = Cause(
    code="DARI-106",
    title=N_("two machines have one address"),
    why=N_("Answers go to whichever spoke last; connections to both break at random."),
    look="ip neighbour",
    mend=N_("Give one of them another address."),
)
