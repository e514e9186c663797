"""All causes, by code.

A new cause is a new constant in the module of its hundred; it is found here by itself.

May import: the modules of causes.
"""

from __future__ import annotations

from collections.abc import Mapping

from dari.causes import (
    addresses,
    configuration,
    filters,
    identity,
    links,
    machine,
    paths,
    service,
    settings,
)
from dari.causes.cause import Cause

_MODULES = (identity, settings, links, paths, filters, addresses, configuration, service, machine)

CAUSES: Mapping[str, Cause] = {
    each.code: each
    for module in _MODULES
    for each in vars(module).values()
    if isinstance(each, Cause)
}
