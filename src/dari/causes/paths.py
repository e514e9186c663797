"""The way from node to node: routes, neighbours, tunnels.

May import: language, causes.cause.
"""

from __future__ import annotations

from dari.causes.cause import Cause
from dari.language import N_

ROUTE_MISSING = Cause(
    code="DARI-401",
    title=N_("there is no route to a peer's pods"),
    why=N_("Packets to these pods leave by the default route, or are refused."),
    look="ip route show proto 79",
    mend=N_("Put the route back; the agent does that within seconds where it runs."),
)
ROUTE_WRONG = Cause(
    code="DARI-402",
    title=N_("the route to a peer's pods leads elsewhere"),
    why=N_("Packets to these pods go to a machine that does not have them."),
    look="ip route show proto 79",
    mend=N_("Put the next hop right."),
)
ROUTE_SHADOWED = Cause(
    code="DARI-403",
    title=N_("another program's route or rule takes the packets"),
    why=N_("A more specific route, a smaller metric or a policy rule wins over dari's route."),
    look="ip route get ADDRESS; ip rule",
    mend=N_("Remove the other route or rule, or change its prefix."),
)
NEIGHBOUR_STALE = Cause(
    code="DARI-404",
    title=N_("a neighbour entry has a MAC that is not the machine's"),
    why=N_("Frames go to a MAC that nobody has; a permanent entry is never corrected."),
    look="ip neighbour",
    mend=N_("Remove the entry; it is learned anew."),
)
FORWARDING_ENTRY_WRONG = Cause(
    code="DARI-405",
    title=N_("a forwarding entry leads a MAC the wrong way"),
    why=N_("A bridge or tunnel sends frames for this MAC to a port or node that does not have it."),
    look="bridge fdb show",
    mend=N_("Remove the entry; it is learned, or written by the agent, anew."),
)
TUNNEL_MISSING = Cause(
    code="DARI-406",
    title=N_("the tunnel device is missing or down"),
    why=N_("Nothing passes to nodes that are reached through it."),
    look="ip -details link show type vxlan",
    mend=N_("Start the agent; it makes the device and what is on it."),
)
ASYMMETRIC = Cause(
    code="DARI-407",
    title=N_("the way back is another one, or none"),
    why=N_(
        "Packets arrive and their answers are lost or dropped on another path; a peer's reverse "
        "path filter drops what comes in by a link that it does not expect."
    ),
    look="ip route get ADDRESS from ADDRESS",
    mend=N_(
        "Put the route of the way back right. With two links on one network, give the other "
        "one's route the greater metric, or keep it to a table of its own (ip rule)."
    ),
)
LARGE_PACKETS_LOST = Cause(
    code="DARI-408",
    title=N_("large packets are lost on the way (DF black hole)"),
    why=N_(
        "A link carries less than its ends think, and nobody says so: small packets pass, "
        "large ones vanish."
    ),
    look="ping -M do -s 1472 ADDRESS",
    mend=N_('Lower the MTU to what passes, or let ICMP "fragmentation needed" through.'),
)
ROUTE_REFUSES = Cause(
    code="DARI-409",
    title=N_("a route refuses the packets"),
    why=N_("A blackhole, unreachable or prohibit route fits best."),
    look="ip route show type blackhole; ip route show type unreachable",
    mend=N_("Remove it."),
)
TUNNEL_SETTINGS = Cause(
    code="DARI-410",
    title=N_("the ends of a tunnel disagree"),
    why=N_("VNI, port or MAC differ from the peer's record; packets are dropped on arrival."),
    look="ip -details link show type vxlan; bridge fdb show",
    mend=N_("Let both ends use the same settings and restart the agent."),
)
NEXT_HOP_SILENT = Cause(
    code="DARI-411",
    title=N_("a next hop does not answer"),
    why=N_("The machine is off, its cable is cut, or its address is another one now."),
    look="ip neighbour",
    mend=N_("Look at the machine that should have the address."),
)
