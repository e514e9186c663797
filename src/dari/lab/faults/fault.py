"""What a fault is.

May import: record, and within lab: topology; within lab.faults: scene, sights.
"""

from __future__ import annotations

from collections.abc import Callable

from dari.lab.faults.scene import Command, Scene
from dari.lab.faults.sights import AgentAnswers, Sight
from dari.lab.topology import Topology
from dari.record import Record

LIVES, DIES, RESTARTS = "lives", "dies", "restarts"
Commands = Callable[[Scene], tuple[Command, ...]]


class Needs(Record):
    """The labs that a fault can happen in.

    `backends` and `store` empty: with each of them. `own_routes`: no router between the
    nodes knows the pods' ranges, so that all depends on the nodes' own routes.
    """

    nodes: int = 2
    pods: int = 1
    backends: tuple[str, ...] = ()
    store: str = ""
    ipv6: bool = False
    one_segment: bool = False
    own_routes: bool = False

    def met_by(self, topology: Topology) -> bool:
        """Can it happen in this lab?"""
        nodes = topology.nodes
        versions = {each.version for each in topology.cluster_ranges}
        return (
            len(nodes) >= self.nodes
            and len(nodes[0].pods) >= self.pods
            and (not self.backends or topology.backend in self.backends)
            and self.store in ("", topology.store)
            and (not self.ipv6 or 6 in versions)
            and (not self.one_segment or len(topology.segments) == 1)
            and not (self.own_routes and len(topology.segments) > 1 and topology.router_knows_pods)
        )


class Fault(Record):
    """One thing that goes wrong. Texts are English, in the catalogue `lab`; names of the
    cast (`Cast`) stand in them in braces.

    Attributes:
        name: what `dari lab break` calls it; never changed.
        codes: of the causes that name it rightly; any one of them does.
        level: how hard it is to find, 1 to 3.
        symptom: what a user would tell.
        hints: the first leads to the place, the last nearly names it.
        inject: the commands that break.
        undo: the commands that take back what the agent does not.
        sights: what is seen where nothing is broken; at least one is not seen with it.
        agent: what becomes of the node's agent. `LIVES`: the thing broken is none of its
            own. `DIES`: it would mend this in a second or two, so it is killed first, as
            happens where nobody watches over it. `RESTARTS`: it reads what is broken when
            it starts.
    """

    name: str
    codes: tuple[str, ...]
    level: int
    symptom: str
    hints: tuple[str, ...]
    inject: Commands
    undo: Commands
    sights: Callable[[Scene], tuple[Sight, ...]]
    needs: Needs = Needs()
    agent: str = LIVES

    def watched(self, scene: Scene) -> tuple[Sight, ...]:
        """All that has to be seen for it to be mended."""
        own = self.sights(scene)
        return (*own, AgentAnswers(node=scene.cast.node)) if self.agent == DIES else own


def run(where: str, *words: object, given: str = "") -> Command:
    """One command."""
    return Command(where=where, words=tuple(map(str, words)), given=given)


def nothing(_scene: Scene) -> tuple[Command, ...]:
    """No command: the agent mends it once it runs."""
    return ()


def ip(where: str, version: int, *words: object) -> Command:
    """One `ip` command for a family."""
    return run(where, "ip", f"-{version}", *words)
