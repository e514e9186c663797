"""How much is measured: enough for figures to quote, or just enough to see that all works.

May import: record.
"""

from __future__ import annotations

from collections.abc import Callable

from dari.record import Record


class Sizes(Record):
    """Numbers of everything.

    Attributes:
        pairs: single calls of each contestant.
        burst: pods that start, and end, at about the same time.
        callers: how many calls are under way at once, in one burst after the other.
        pods: on one node, at most.
        window: calls whose median stands for the call in their middle.
        rounds: calls whose phases are told apart, and turns of the kernel floor.
        chains: runs of a whole chain of plugins.
        transfers: runs of iperf3, and of the request loop, on each side.
        seconds: one run of iperf3 takes.
        questions: in one run of the request loop.
        peers: nodes of a cluster, of which only one runs.
        changes: of single peers, each by itself.
        churn: seconds of changes without a pause, and of rest before.
    """

    pairs: int
    burst: int
    callers: tuple[int, ...]
    pods: int
    window: int
    rounds: int
    chains: int
    transfers: int
    seconds: float
    questions: int
    peers: int
    changes: int
    churn: float


FULL = Sizes(
    pairs=60,
    burst=200,
    callers=(1, 4, 16),
    pods=1000,
    window=9,
    rounds=100,
    chains=20,
    transfers=9,
    seconds=2.0,
    questions=4000,
    peers=5000,
    changes=20,
    churn=60.0,
)
QUICK = Sizes(
    pairs=2,
    burst=6,
    callers=(4,),
    pods=20,
    window=3,
    rounds=4,
    chains=2,
    transfers=2,
    seconds=0.2,
    questions=100,
    peers=40,
    changes=2,
    churn=0.5,
)


class Setup(Record):
    """What every measurement is given.

    Attributes:
        reference: folder of the plugins to compare with.
        sizes: how much to measure.
        say: shows a line of progress; called often, with how far it is.
    """

    reference: str
    sizes: Sizes
    say: Callable[[str, int, int], None]
