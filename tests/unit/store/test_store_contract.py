"""The contract of stores, held by the local one and by the fake; tests/store has the others."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from dari.store.local import LocalStore
from tests.support.store_contract import AllottingContract, Open
from tests.unit.store.memory import Cluster, MemoryStore


class TestLocalStore(AllottingContract):
    @contextmanager
    def stores(self, folder: Path) -> Iterator[Open]:
        yield lambda: LocalStore(str(folder / "store"))


class TestMemoryStore(AllottingContract):
    @contextmanager
    def stores(self, folder: Path) -> Iterator[Open]:
        cluster = Cluster()
        yield lambda: MemoryStore(cluster)
