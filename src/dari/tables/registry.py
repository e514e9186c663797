"""All tables that there are, by the names that people type.

May import: tables.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

from dari.tables.bridges import bridges, forwarding
from dari.tables.connections import NAME as CONNTRACK
from dari.tables.connections import connections
from dari.tables.facts import Facts
from dari.tables.neighbours import neighbours
from dari.tables.routes import routes
from dari.tables.rules import rules
from dari.tables.table import Table

TABLES: Mapping[str, Callable[[Facts], Table]] = {
    "arp": neighbours,
    "route": routes,
    "bridge": bridges,
    "fdb": forwarding,
    "rules": rules,
    CONNTRACK: connections,
}
