"""allocate, release, collect and a reboot, in any order, against a dictionary."""

from __future__ import annotations

import shutil
import tempfile
from pathlib import Path

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from dari.errors import CheckFailed, NoFreeAddress, NotAvailable
from dari.model import Owner
from tests.unit.ipam.node import Node, addresses, given, owner

IPAM: dict[str, object] = {
    "ranges": [
        [{"subnet": "10.1.0.0/29"}, {"subnet": "10.2.0.0/30"}],
        [{"subnet": "fd00::/125"}],
    ]
}
POOLS = (
    [*(f"10.1.0.{n}/29" for n in range(2, 7)), "10.2.0.2/30"],
    [f"fd00::{n}/125" for n in range(2, 8)],
)
OWNERS = st.builds(owner, st.sampled_from("abcdefgh"), st.sampled_from(["eth0", "net1"]))
ADDRESSES = st.sampled_from([one.split("/")[0] for pool in POOLS for one in pool])


class Leases(RuleBasedStateMachine):
    """The model: who holds which address of which pool."""

    def __init__(self) -> None:
        super().__init__()
        self.root = Path(tempfile.mkdtemp())
        self.node = Node(self.root)
        self.model: dict[Owner, list[str]] = {}

    def teardown(self) -> None:
        shutil.rmtree(self.root)

    def taken(self, pool: int) -> set[str]:
        return {held[pool] for held in self.model.values()}

    @rule(who=OWNERS)
    def allocate(self, who: Owner) -> None:
        full = len(self.taken(0)) == len(POOLS[0])
        if who not in self.model and full:
            with pytest.raises(NoFreeAddress):
                self.node.leases(IPAM).allocate(who)
            with pytest.raises(NotAvailable):
                self.node.leases(IPAM).status()
            return
        found = given(self.node.leases(IPAM).allocate(who))
        if who in self.model:
            assert found == self.model[who]
        for pool in (0, 1):
            assert found[pool] in POOLS[pool]
            assert who in self.model or found[pool] not in self.taken(pool)
        self.model[who] = found

    @rule(who=OWNERS, address=ADDRESSES)
    def allocate_by_name(self, who: Owner, address: str) -> None:
        pool = 0 if "." in address else 1
        wanted = next(one for one in POOLS[pool] if one.split("/")[0] == address)
        others = {held[pool] for one, held in self.model.items() if one != who}
        no_room = who not in self.model and len(self.taken(0)) == len(POOLS[0])
        if wanted in others or no_room:
            with pytest.raises(NoFreeAddress):
                self.node.leases(IPAM).allocate(who, addresses(address))
            return
        found = given(self.node.leases(IPAM).allocate(who, addresses(address)))
        assert found[pool] == wanted
        self.model[who] = found

    @rule(who=OWNERS)
    def release(self, who: Owner) -> None:
        self.node.leases(IPAM).release(who)
        self.model.pop(who, None)

    @rule(valid=st.frozensets(OWNERS))
    def collect(self, valid: frozenset[Owner]) -> None:
        gone = self.node.leases(IPAM).collect(valid)
        assert set(gone) == set(self.model) - valid
        assert len(gone) == len(set(gone))
        self.model = {one: held for one, held in self.model.items() if one in valid}

    @rule()
    def forget_the_run_folder(self) -> None:
        shutil.rmtree(self.node.run / "dari", ignore_errors=True)

    @rule(who=OWNERS)
    def check(self, who: Owner) -> None:
        held = addresses(*(one.split("/")[0] for one in self.model.get(who, [])))
        if held:
            self.node.leases(IPAM).check(who, held)
        else:
            with pytest.raises(CheckFailed):
                self.node.leases(IPAM).check(who, ())

    @invariant()
    def files_are_the_model(self) -> None:
        if not self.node.folder.exists():
            assert not self.model
            return
        expected = {
            address.split("/")[0]: f"{who.container_id}\r\n{who.ifname}".encode()
            for who, held in self.model.items()
            for address in held
        }
        assert self.node.held() == expected


Leases.TestCase.settings = settings(deadline=None, max_examples=40, stateful_step_count=40)
TestLeases = Leases.TestCase
