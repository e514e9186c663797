"""dari's agent and the store of records.

May import: language, causes.cause.
"""

from __future__ import annotations

from dari.causes.cause import Cause
from dari.language import N_

AGENT_DEAD = Cause(
    code="DARI-801",
    title=N_("the agent does not run"),
    why=N_(
        "What runs goes on, but nothing is mended, no new node is learned, and each pod's "
        "start takes longer or fails."
    ),
    look="dari status",
    mend=N_("Start it."),
)
AGENT_NOT_READY = Cause(
    code="DARI-802",
    title=N_("the agent is not ready"),
    why=N_("The network configuration is not written before it is; the node stays NotReady."),
    look="dari status",
    mend=N_("Do what it waits for."),
)
STORE_UNREACHABLE = Cause(
    code="DARI-803",
    title=N_("the store of records is not reached"),
    why=N_("Pods and routes go on as they are; changes of other nodes are not learned."),
    look="dari status",
    mend=N_("Bring the store back, or put its address right."),
)
RECORD_DIFFERS = Cause(
    code="DARI-804",
    title=N_("the node's record differs from the node"),
    why=N_("Peers act on what the record says."),
    look="dari status -o json",
    mend=N_("Start the agent; it writes the record anew."),
)
AGENT_VERSIONS = Cause(
    code="DARI-805",
    title=N_("agents of different versions run"),
    why=N_("An upgrade was not finished."),
    look="dari version",
    mend=N_("Finish the upgrade."),
)
STATE_DIFFERS = Cause(
    code="DARI-806",
    title=N_("the kernel differs from what dari wants"),
    why=N_("Something is taken away as quickly as the agent puts it back, or the agent cannot."),
    look="dari status; journalctl -u dari-agent",
    mend=N_("Find the program that takes it away."),
)
