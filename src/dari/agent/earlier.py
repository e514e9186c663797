"""Which ranges the node's bridge shows to be in use already. Pure.

Pods outlive the agent, and may outlive the node's record: a store may come back
empty just when the agent is started anew, and another pod network may have been
here before. Their addresses are of the range that the bridge has the first address of.

May import: model, netlink, store, agent.config, agent.desired, agent.observe.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from dari.agent.config import AgentConfig
from dari.agent.desired import gateway_of
from dari.agent.observe import Observed
from dari.store.ranges import within

if TYPE_CHECKING:
    from dari.model import IPNetwork


def ranges_in_use(config: AgentConfig, observed: Observed) -> tuple[IPNetwork, ...]:
    """Ranges of the size that nodes get, whose gateway the bridge is.

    Args:
        config: names the bridge and the cluster's ranges.
        observed: the node's links and addresses.
    """
    bridges = {link.index for link in observed.links if link.name == config.bridge}
    held = [each.interface for each in observed.addresses if each.index in bridges]
    return tuple(
        each.network
        for each in held
        if each == gateway_of(each.network)
        and any(
            each.network.prefixlen == cluster.node_prefix and within(each.network, cluster.network)
            for cluster in config.cluster_ranges
        )
    )
