"""The image that all runtimes are given, made once per run."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.support.image import write_image


@pytest.fixture(scope="session")
def image(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The test image as a docker-archive."""
    return write_image(tmp_path_factory.mktemp("image") / "box.tar")
