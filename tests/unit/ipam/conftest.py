"""A node of its own for each test of leases."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.unit.ipam.node import Node


@pytest.fixture
def node(tmp_path: Path) -> Node:
    return Node(tmp_path)
