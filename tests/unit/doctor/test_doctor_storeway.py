"""What keeps a node from its store is found, and the printed mend takes it out of the way."""

from __future__ import annotations

from typing import Any

import pytest

from dari.doctor.node import view
from dari.doctor.storeway import store_mends
from dari.snapshot.model import Machine
from tests.support import patient

_CHAIN = {"family": "inet", "table": "site", "name": "output"}
_PORT: dict[str, Any] = {
    "match": {
        "op": "==",
        "left": {"payload": {"protocol": "tcp", "field": "dport"}},
        "right": 2379,
    }
}
_RULE = {"family": "inet", "table": "site", "chain": "output", "handle": 3}


def node(*endpoints: str, names: dict[str, str] | None = None) -> Machine:
    """A node whose firewall drops what it sends to port 2379."""
    one = patient.machine()
    assert one.orders is not None
    ruleset = (
        *one.place.ruleset,
        {"chain": {**_CHAIN, "type": "filter", "hook": "output", "prio": 0, "policy": "accept"}},
        {"rule": {**_RULE, "expr": [_PORT, {"drop": None}]}},
    )
    return one.replace(
        place=one.place.replace(ruleset=ruleset),
        orders=one.orders.replace(store="etcd", etcd_endpoints=endpoints),
        names=names or {},
    )


@pytest.mark.parametrize("endpoint", ["http://10.0.1.253:2379", "http://etcd:2379"])
def test_a_rule_that_drops_what_goes_to_the_store_is_overruled(endpoint: str) -> None:
    broken = node(endpoint, names={"10.0.1.253": "etcd"})
    assert store_mends(view(broken)) == ("nft insert rule inet site output tcp dport 2379 accept",)


def test_where_nothing_is_seen_in_the_way_nothing_is_said_to_mend_it() -> None:
    assert store_mends(view(node("http://10.0.1.253:2399", "not a URL"))) == ()
    assert store_mends(view(patient.machine())) == ()


def test_what_is_mounted_over_the_folder_of_records_is_unmounted() -> None:
    one = patient.machine()
    assert one.health is not None
    hidden = one.replace(health=one.health.replace(store_mount=True))
    assert store_mends(view(hidden)) == ("umount /var/lib/dari/store",)
