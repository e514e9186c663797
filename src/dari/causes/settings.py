"""Switches of the kernel that decide what becomes of a packet.

May import: language, causes.cause.
"""

from __future__ import annotations

from dari.causes.cause import Cause
from dari.language import N_

FORWARDING_OFF = Cause(
    code="DARI-201",
    title=N_("the node forwards no packets"),
    why=N_(
        "A node is a router for its pods: with forwarding off, nothing leaves or reaches "
        "them, and no error is seen anywhere."
    ),
    look="sysctl net.ipv4.ip_forward net.ipv6.conf.all.forwarding",
    mend=N_("Switch it on, and keep it on in /etc/sysctl.d."),
)
REVERSE_PATH_FILTER = Cause(
    code="DARI-202",
    title=N_("reverse-path filtering drops packets"),
    why=N_(
        "With rp_filter=1 the kernel drops what arrives by another interface than its "
        "answer would leave by."
    ),
    look="sysctl -a -r '\\.rp_filter$'",
    mend=N_("Set it to 2 (loose) or 0."),
)
BRIDGE_NETFILTER = Cause(
    code="DARI-203",
    title=N_("bridged packets do not meet iptables as they should"),
    why=N_(
        "kube-proxy's rules must see packets between pods on one bridge, or Services are "
        "not reached from pods of the same node."
    ),
    look="sysctl net.bridge.bridge-nf-call-iptables",
    mend=N_("Load br_netfilter and switch bridge-nf-call-iptables on."),
)
CONNTRACK_FULL = Cause(
    code="DARI-204",
    title=N_("the connection table is full"),
    why=N_(
        'New connections are dropped while old ones go on; the kernel logs "nf_conntrack: '
        'table full, dropping packet".'
    ),
    look="sysctl net.netfilter.nf_conntrack_count net.netfilter.nf_conntrack_max",
    mend=N_(
        "Raise nf_conntrack_max. In a container, where that cannot be done, forget the "
        "connections (conntrack -F), and see what opens so many."
    ),
)
NEIGHBOURS_FULL = Cause(
    code="DARI-205",
    title=N_("the neighbour table is too small"),
    why=N_(
        'The kernel forgets neighbours that it needs ("neighbour table overflow"); '
        "packets to them are lost."
    ),
    look="sysctl net.ipv4.neigh.default.gc_thresh3; ip neighbour | wc -l",
    mend=N_("Raise gc_thresh1 to gc_thresh3."),
)
PROXY_ARP = Cause(
    code="DARI-206",
    title=N_("the node answers for addresses of others"),
    why=N_("proxy_arp makes pods and nodes send to this machine what is meant for another."),
    look="sysctl -a -r '\\.proxy_arp$'",
    mend=N_("Switch it off where nothing needs it."),
)
KERNEL_LACKS = Cause(
    code="DARI-207",
    title=N_("the kernel lacks a feature"),
    why=N_("What the configuration asks for cannot be set up."),
    look="uname -r; zgrep -E 'BRIDGE|VETH|VXLAN|NF_TABLES' /proc/config.gz",
    mend=N_("Load the module, or use a kernel that has it."),
)
IPV6_OFF = Cause(
    code="DARI-208",
    title=N_("IPv6 is switched off where the cluster uses it"),
    why=N_("Pods get no address of this family, or cannot use it."),
    look="sysctl net.ipv6.conf.all.disable_ipv6",
    mend=N_("Set disable_ipv6 to 0."),
)
