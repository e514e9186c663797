"""Rules that drop or rewrite packets.

May import: language, causes.cause.
"""

from __future__ import annotations

from dari.causes.cause import Cause
from dari.language import N_

FORWARD_DROPPED = Cause(
    code="DARI-501",
    title=N_("a filter drops forwarded packets"),
    why=N_(
        "A chain at the hook forward drops by policy or by rule: pods reach nothing "
        "beyond their bridge."
    ),
    look="nft list ruleset; iptables -S FORWARD",
    mend=N_("Let the pods' ranges through, or remove the rule."),
)
PORT_DROPPED = Cause(
    code="DARI-502",
    title=N_("a filter drops what arrives at a port that is needed"),
    why=N_("The component listens and nobody reaches it."),
    look="nft list ruleset; iptables -S INPUT",
    mend=N_("Let the port through from those who need it."),
)
MASQUERADE_MISSING = Cause(
    code="DARI-503",
    title=N_("what leaves the cluster is not masqueraded"),
    why=N_("Hosts outside get packets from a pod's address, to which they have no way back."),
    look="nft list table inet dari",
    mend=N_("Start the agent; it writes the rules anew."),
)
MASQUERADE_TOO_WIDE = Cause(
    code="DARI-504",
    title=N_("traffic between pods is masqueraded"),
    why=N_(
        "Pods see a node's address in place of the other pod's; network policies and logs "
        "are wrong."
    ),
    look="nft list ruleset; iptables -t nat -S POSTROUTING",
    mend=N_("Exempt the cluster's pod ranges, or remove the rule."),
)
TUNNEL_PORT_DROPPED = Cause(
    code="DARI-505",
    title=N_("a filter drops the tunnel's packets"),
    why=N_("Nodes reach each other, their pods do not."),
    look="nft list ruleset; iptables -S INPUT",
    mend=N_("Let the tunnel's UDP port through between nodes."),
)
REWRITTEN = Cause(
    code="DARI-506",
    title=N_("a rule of another program leads packets elsewhere"),
    why=N_(
        "A DNAT that was left behind, say by a proxy, sends what is for one address to another."
    ),
    look="nft list ruleset; iptables -t nat -S",
    mend=N_("Remove the rule."),
)
TABLE_DAMAGED = Cause(
    code="DARI-507",
    title=N_("dari's table of rules is not as it should be"),
    why=N_("Masquerading, host ports or policies do not hold."),
    look="nft list table inet dari",
    mend=N_("Start the agent; it writes the table anew."),
)
