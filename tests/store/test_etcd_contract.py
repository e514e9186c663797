"""The contract of stores, held by etcd: a real server for each test."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from dari.store.etcd.store import EtcdStore
from tests.support.etcd import etcd
from tests.support.store_contract import AllottingContract, Open


class TestEtcdStore(AllottingContract):
    @contextmanager
    def stores(self, folder: Path) -> Iterator[Open]:
        with etcd(folder) as server:
            yield lambda: EtcdStore(server.settings())
