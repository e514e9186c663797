"""The Containerfile names what there is."""

from __future__ import annotations

import json
import shlex

from dari import __version__
from dari.cli.main import COMMANDS
from tests.support.manifests import CHECKOUT, DEPLOY
from tools.needs import NEEDS

TEXT = (DEPLOY / "Containerfile").read_text()


def instructions() -> list[tuple[str, str]]:
    """Each with its words, lines that go on joined."""
    lines = [line for line in TEXT.splitlines() if not line.startswith("#")]
    joined = "\n".join(lines).replace("\\\n", " ").splitlines()
    pairs = [line.partition(" ") for line in joined if line.strip()]
    return [(name, rest.strip()) for name, _, rest in pairs]


def stages() -> list[list[tuple[str, str]]]:
    found: list[list[tuple[str, str]]] = []
    for instruction in instructions():
        if instruction[0] == "FROM":
            found.append([])
        found[-1].append(instruction)
    return found


def packages(stage: list[tuple[str, str]]) -> set[str]:
    """Debian packages that a stage installs."""
    runs = " ".join(rest for name, rest in stage if name == "RUN")
    after = runs.partition("--no-install-recommends")[2].partition("&&")[0]
    return set(after.split())


def test_both_stages_are_of_one_small_debian() -> None:
    bases = [stage[0][1].split()[0] for stage in stages()]
    assert bases == ["docker.io/library/debian:12-slim"] * 2


def test_what_is_copied_is_there() -> None:
    for stage in stages():
        for name, rest in stage:
            words = shlex.split(rest)
            if name == "COPY" and not words[0].startswith("--from"):
                for source in words[:-1]:
                    assert (CHECKOUT / source).exists(), source


def test_what_the_build_and_the_agent_need_of_debian_is_installed() -> None:
    by_name = {need.name: need.package for need in NEEDS}
    build, last = map(packages, stages())
    needed = {by_name[name] for name in ("gcc", "/usr/include/stdio.h", "musl-gcc", "ensurepip")}
    assert needed <= build
    assert last == {by_name["libnftables.so.1"], "python3"}


def test_the_last_stage_has_the_program_on_its_path_and_runs_the_agent() -> None:
    _, last = stages()
    found = dict(last)
    assert found["COPY"] == "--from=build /opt/dari /opt/dari"
    assert "PATH=/opt/dari/bin:" in found["ENV"]
    program, verb = json.loads(found["CMD"])
    assert (program, verb) == ("dari", "agent") and verb in COMMANDS


def test_the_image_has_the_name_that_the_manifests_have() -> None:
    assert f"--tag localhost/dari:{__version__} " in TEXT
