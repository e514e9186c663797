"""All faults, by name.

A new fault is a new entry in one of the modules; it is found here by itself.

May import: errors, language, and the modules of faults.
"""

from __future__ import annotations

from collections.abc import Mapping

from dari.errors import BadConfig
from dari.lab.faults import (
    filters,
    inpods,
    kernel,
    links,
    neighbours,
    nodes,
    ranges,
    routes,
    runtime,
    tunnels,
    underlay,
)
from dari.lab.faults.fault import Fault
from dari.lab.topology import Topology
from dari.language import Messages

_ = Messages("lab")
_MODULES = (
    routes,
    neighbours,
    tunnels,
    links,
    inpods,
    underlay,
    kernel,
    filters,
    ranges,
    runtime,
    nodes,
)

FAULTS: Mapping[str, Fault] = {each.name: each for module in _MODULES for each in module.FAULTS}


def find(name: str) -> Fault:
    """A fault by its name.

    Raises:
        BadConfig: there is none of that name.
    """
    if name not in FAULTS:
        raise BadConfig(
            _("there is no fault {fault}").format(fault=name),
            _("`dari lab break --list` has them all"),
        )
    return FAULTS[name]


def possible(topology: Topology) -> list[Fault]:
    """The faults that can happen in a lab."""
    return [each for each in FAULTS.values() if each.needs.met_by(topology)]
