"""Command lines that mend, as they are printed: each a whole line for a root shell.

Whatever goes into one was read from somewhere, so that it is quoted.

May import: model, netlink, snapshot.
"""

from __future__ import annotations

import shlex

from dari.netlink.constants import RTN_UNICAST
from dari.netlink.route import KernelRoute
from dari.snapshot.model import Place, Pod

_KINDS = {6: "blackhole", 7: "unreachable", 8: "prohibit"}


def line(*words: object) -> str:
    """One command, its words quoted where a shell needs it."""
    return shlex.join(map(str, words))


def inside(pod: Pod, *words: object) -> str:
    """A command in a pod's network namespace."""
    return line("nsenter", f"--net={pod.netns}", *words)


def route(verb: str, place: Place, one: KernelRoute) -> str:
    """``ip route`` for one route.

    Args:
        verb: ``replace`` or ``del``.
        place: gives the names of links.
    """
    names = {each.index: each.name for each in place.links}
    kind = () if one.kind == RTN_UNICAST else (_KINDS.get(one.kind, ""),)
    words: list[object] = ["ip", f"-{one.dst.version}", "route", verb, *kind, one.dst]
    for hop in one.hops[:1] or (one,):
        words += ["via", hop.gateway] if hop.gateway else []
        words += ["dev", names[hop.device]] if hop.device in names and not kind else []
    words += ["proto", one.protocol, "metric", one.metric]
    return line(*words, *(["onlink"] if one.onlink and verb != "del" else []))
