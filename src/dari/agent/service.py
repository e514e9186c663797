"""What the agent offers to others: calls over its socket, figures over HTTP.

Its threads run beside the event loop, which keeps the node; they share the
kernel's state and the records, and nothing else.

May import: errors, paths, wiring.host, agent.
"""

from __future__ import annotations

import logging
import os
import threading
import time
from collections.abc import Callable
from contextlib import ExitStack

from dari.agent.config import AgentConfig
from dari.agent.endpoint import Endpoint
from dari.agent.lock import is_locked, only_agent
from dari.agent.metrics import Metrics
from dari.agent.pods import Pods
from dari.agent.protocol import Answer, Call
from dari.agent.recover import recover_leases
from dari.agent.server import AgentServer
from dari.agent.state import Holdings, State, answer
from dari.agent.sweep import Sweeper
from dari.errors import DariError
from dari.paths import Paths
from dari.wiring.host import Host


class Service:
    """Serves between `start` and `stop`.

    Args:
        config: what to do.
        paths: where dari's files are.
        log: gets what happens.
        state: the reconciler's state, as it is now.
    """

    def __init__(
        self,
        config: AgentConfig,
        paths: Paths,
        log: logging.Logger,
        state: Callable[[], State],
    ) -> None:
        self._config = config
        self._paths = paths
        self._locks = ExitStack()
        self._log = log
        self._state = state
        self.metrics = Metrics()
        self._sweeper = Sweeper(paths, config.gc_grace, time.monotonic)
        self._pods = Pods(paths, log, self.metrics, self._ask)
        self._server = AgentServer(
            paths.agent_socket,
            self._pods.handler,
            lambda trouble: log.warning("client", {"trouble": trouble}),
        )
        self._endpoint = self._make_endpoint()
        self._reaping = threading.Thread(target=self._pods.reaper.run, name="reaper", daemon=True)

    def start(self) -> None:
        """Take over what an agent before this one left half-deleted, and listen.

        Raises:
            IOFailure: the socket cannot be made.
        """
        adopted = self._pods.adopt()
        if adopted:
            self._log.info("adopted", {"condemned": adopted})
        self._reaping.start()
        self._server.start()
        if self._endpoint is not None:
            self._start_endpoint(self._endpoint)

    def stop(self) -> None:
        """Answer what is under way, delete what is condemned, and close."""
        self._server.stop()
        self._pods.reaper.stop()
        self._reaping.join()
        self._pods.close()
        if self._endpoint is not None:
            self._endpoint.stop()
        self._locks.close()

    def be_heard(self) -> None:
        """Listen again where somebody removed the run folder, and hold its lock again.

        Raises:
            AgentRunning: another agent was started meanwhile.
            IOFailure: the folder cannot be made.
        """
        if not is_locked(self._paths):
            self._locks.enter_context(only_agent(self._paths, "cannot go on"))
            with Host(self._paths, os.environ) as host:  # before the next pod gets an address
                number = recover_leases(self._paths, host.rtnl, self._state().pod_ranges)
            self._log.warning("recovered", {"folder": self._paths.run, "leases": number})
        if self._server.listen_again():
            self._log.warning("deaf", {"what": "the socket was removed; listening again"})

    def sweep(self) -> None:
        """Clear what no DEL came for."""
        cleared, trouble = self._sweeper.sweep()
        for attachment in cleared:
            self.metrics.collected()
            owner = attachment.owner
            details = {"container": owner.container_id, "ifname": owner.ifname}
            self._log.info("collected", {**details, "network": attachment.network})
        for each in trouble:
            self._log.warning("not collected", {"trouble": each})

    def _make_endpoint(self) -> Endpoint | None:
        self.metrics.show("dari_attachments", "Attachments at the last look", self._held)
        self.metrics.show("dari_condemned", "Cables to be deleted", self._pods.reaper.pending)
        self.metrics.show("dari_ready", "1 once pods can start", lambda: self._state().ready)
        self.metrics.show(
            "dari_store_reachable",
            "1 while the store answers",
            lambda: self._state().store.reachable,
        )
        self.metrics.show(
            "dari_store_held_peers",
            "Nodes that are kept although the store has lost them",
            lambda: len(self._state().store.held),
        )
        self.metrics.show(
            "dari_store_silent_peers",
            "Nodes whose agents give no sign of life; their routes stay",
            lambda: len(self._state().store.silent),
        )
        if not self._config.metrics_listen[1]:
            return None
        return Endpoint(
            self._config.metrics_listen, self.metrics.text, lambda: self._state().waiting
        )

    def _start_endpoint(self, endpoint: Endpoint) -> None:
        """Listen for HTTP; pods are started without it too, so that it fails is only logged."""
        try:
            host, port = endpoint.start()
            self._log.info("metrics", {"address": host, "port": port})
        except DariError as error:
            self._log.warning("no metrics", {"trouble": error.message})

    def _held(self) -> float:
        return self._sweeper.held

    def _ask(self, call: Call) -> Answer:
        holdings = Holdings(attachments=self._sweeper.held, condemned=self._pods.reaper.pending())
        return answer(call, self._config, self._state(), holdings)
