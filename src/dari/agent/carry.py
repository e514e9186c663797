"""Has the kernel, and a routing daemon, take packets to the other nodes as planned.

In an order in which no packet under way is lost: what is new is in place before a
route leads to it, and what is old goes once none does.

May import: errors, netlink, routing, agent.backends, agent.desired, agent.observe.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

from dari.agent.backends import BackendConfig
from dari.agent.desired import Desired
from dari.agent.observe import Observed
from dari.errors import DariError
from dari.netlink.route import list_routes
from dari.netlink.sock import NetlinkSocket
from dari.routing import shifting, tunnels
from dari.routing.announce import announce
from dari.routing.desired import Plan
from dari.routing.reconcile import Outcome, reconcile
from dari.routing.standing import Shift

# Seconds that an old backend stays to receive by (its tunnel, its BGP sessions), until
# the other nodes have seen that this one does not send by it any more.
LINGER = 5.0


class Carrier:
    """Puts right what differs; where the plan is not known, leaves all as it is.

    Args:
        config: where BIRD is.
        clock: seconds from any fixed moment.
    """

    def __init__(self, config: BackendConfig, clock: Callable[[], float]) -> None:
        self._config = config
        self._clock = clock
        self._began = clock()
        self._devices: Mapping[str, int] = {}
        self._unwanted: dict[int, float] = {}

    def shift(self, sock: NetlinkSocket, shift: Shift) -> Outcome:
        """Carry out what the change of some nodes comes to, all in one datagram.

        Raises:
            KernelRefused: something is not as it was left, so all has to be looked at.
        """
        return shifting.carry_out(sock, self._devices, shift)

    def tunnel(self, index: int) -> str:
        """The name of the tunnel with this index; empty: it is none of dari's."""
        return next((name for name, each in self._devices.items() if each == index), "")

    def carry(self, sock: NetlinkSocket, desired: Desired, observed: Observed) -> Outcome:
        """Do all of it once.

        Args:
            observed: what `desired` was decided from.
        """
        plan = desired.routes
        if plan is None:
            return Outcome()
        refused = Outcome(failures=plan.refused)
        try:
            outcome = self._kernel(sock, plan, observed)
            if self._is_time_to_prune(plan, observed):
                outcome = outcome.plus(tunnels.prune(sock, plan.tunnels))
        except DariError as error:
            return refused.plus(Outcome(failures=(error.message,)))
        return refused.plus(outcome).plus(self._announce(desired.bird))

    def _kernel(self, sock: NetlinkSocket, plan: Plan, observed: Observed) -> Outcome:
        indexes, made = tunnels.ensure(sock, plan.tunnels)
        self._devices = indexes
        seen = tunnels.survey(sock, indexes)
        filled = tunnels.fill(sock, indexes, plan.remotes, seen)
        # A device that was made anew has lost the routes that were seen before.
        have = list_routes(sock) if made.mended else observed.routes
        routes = [*plan.routes, *tunnels.routes(indexes, plan.remotes)]
        routed = reconcile(sock, have, routes, indexes.values())
        if filled.mended and tunnels.is_cluttered(indexes, plan.remotes, seen):
            seen = tunnels.survey(sock, indexes)
        cleared = tunnels.clear(sock, indexes, plan.remotes, seen)
        return made.plus(filled).plus(routed).plus(cleared)

    def _announce(self, text: str) -> Outcome:
        if not text and self._clock() - self._began < LINGER:
            return Outcome()
        return announce(text, self._config.bird_conf, self._config.bird_socket)

    def _is_time_to_prune(self, plan: Plan, observed: Observed) -> bool:
        """Has a tunnel not been wanted for long enough?"""
        names = {tunnel.name for tunnel in plan.tunnels}
        now = self._clock()
        self._unwanted = {
            link.index: self._unwanted.get(link.index, now)
            for link in observed.links
            if link.alias == tunnels.MARK and link.name not in names
        }
        return any(now - since >= LINGER for since in self._unwanted.values())
