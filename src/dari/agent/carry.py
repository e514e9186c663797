"""Has the kernel, and a routing daemon, take packets to the other nodes as planned.

In an order in which no packet under way is lost: what is new is in place before a
route leads to it, and what is old goes once none does.

May import: errors, netlink, routing, agent.backends, agent.desired,
agent.farewell, agent.observe.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Set

from dari.agent.backends import BackendConfig
from dari.agent.desired import Desired
from dari.agent.farewell import Farewell
from dari.agent.observe import Observed
from dari.errors import DariError
from dari.netlink.route import list_routes
from dari.netlink.sock import NetlinkSocket
from dari.routing import shifting, tunnels
from dari.routing.announce import announce
from dari.routing.desired import Plan
from dari.routing.flannel import is_device
from dari.routing.peer import AUTO, BGP, FLANNEL, VXLAN
from dari.routing.reconcile import Outcome, reconcile
from dari.routing.standing import Shift

_BIRD = "BIRD's part"


class Carrier:
    """Puts right what differs; where the plan is not known, leaves all as it is.

    Args:
        config: which backend, and where BIRD is.
        clock: seconds from any fixed moment.
    """

    def __init__(self, config: BackendConfig, clock: Callable[[], float]) -> None:
        self._config = config
        self._devices: Mapping[str, int] = {}
        self._tunnels, self._sessions = Farewell(clock), Farewell(clock)

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
            wanted = {tunnel.name for tunnel in plan.tunnels}
            unused = self._unused(wanted, desired, observed)
            if old := self._tunnels.over(unused):
                outcome = outcome.plus(tunnels.prune(sock, wanted | unused.keys() - old))
        except DariError as error:
            return refused.plus(Outcome(failures=(error.message,)))
        return refused.plus(outcome).plus(self._announce(desired))

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

    def _announce(self, desired: Desired) -> Outcome:
        unused = {} if desired.bird else {_BIRD: BGP in desired.spoken}
        if self._sessions.over(unused) or desired.bird:
            return announce(desired.bird, self._config.bird_conf, self._config.bird_socket)
        return Outcome()

    def _unused(self, wanted: Set[str], desired: Desired, observed: Observed) -> Mapping[str, bool]:
        """Tunnels that are not wanted: do other nodes speak what they were for?"""
        return {
            link.name: self._is_spoken(link.name, desired)
            for link in observed.links
            if link.alias == tunnels.MARK and link.name not in wanted
        }

    def _is_spoken(self, tunnel: str, desired: Desired) -> bool:
        backends = {FLANNEL} if is_device(tunnel) else {VXLAN, AUTO}
        return self._config.overlay.type not in backends and bool(backends & desired.spoken)
