"""The network between nodes, where that could be looked at: in a lab.

May import: causes, language, snapshot, doctor.
"""

from __future__ import annotations

from collections.abc import Iterator

from dari.causes import paths
from dari.causes.finding import Finding
from dari.doctor.commands import line
from dari.language import Messages
from dari.snapshot.model import Machine

_ = Messages("doctor")


def ports(machine: Machine) -> Iterator[Finding]:
    """All ports of a switch carry packets of one size."""
    links = machine.place.links
    for bridge in links:
        members = [each for each in links if each.master == bridge.index]
        widest = max((each.mtu for each in members), default=0)
        for each in members:
            if each.mtu < widest:
                yield Finding(
                    code=paths.LARGE_PACKETS_LOST.code,
                    where=machine.name,
                    what=_("port {name} has MTU {mtu}, the others of {bridge} {wanted}").format(
                        name=each.name, mtu=each.mtu, bridge=bridge.name, wanted=widest
                    ),
                    mend=(line("ip", "link", "set", each.name, "mtu", widest),),
                    subject=each.name,
                )
