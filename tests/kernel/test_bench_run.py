"""`make bench` runs: every measurement, on nodes that it makes itself, and results are saved."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from xml.etree import ElementTree

import pytest

from bench.measurements import MEASUREMENTS

CHECKOUT = Path(__file__).parents[2]


@pytest.mark.long(21)
def test_everything_is_measured_and_saved(tmp_path: Path) -> None:
    options = ["--quick", "--results", str(tmp_path)]
    subprocess.run([sys.executable, "-m", "bench", *options], cwd=CHECKOUT, check=True)
    found = json.loads((tmp_path / "latest.json").read_text(encoding="utf-8"))
    assert found.keys() >= {"machine", *MEASUREMENTS}
    measured = {(row["scenario"], row["verb"]) for row in found["singles"]}
    assert ("ipMasq (theirs: iptables), no agent", "ADD") in measured
    assert ("ipMasq (theirs: iptables), agent", "DEL") in measured
    assert "### Single calls\n" in (tmp_path / "latest.md").read_text(encoding="utf-8")
    ElementTree.parse(tmp_path / "figures.svg")


def test_plugins_that_fail_are_told_in_their_own_words(tmp_path: Path) -> None:
    (tmp_path / "bridge").write_text("#!/bin/sh\necho no such thing >&2\nexit 1\n")
    (tmp_path / "bridge").chmod(0o755)
    command = [sys.executable, "-m", "bench", "--reference", str(tmp_path), "--quick"]
    done = subprocess.run(command, cwd=CHECKOUT, capture_output=True, text=True)
    assert done.returncode == 1
    assert done.stderr.endswith("ADD: no such thing\n")
