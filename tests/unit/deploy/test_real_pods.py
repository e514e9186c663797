"""What the tests on a real cluster would put into it is what Kubernetes takes."""

from __future__ import annotations

import subprocess
from typing import Any

import kubernetes_validate
import pytest

from tests.support import real_pods

OBJECTS: list[dict[str, Any]] = [
    real_pods.namespace(),
    real_pods.servers(),
    real_pods.asker("asker", "node1", ["10.244.1.2", "fd00::2"]),
    real_pods.route_watcher("come", "node1", "10.244.9.0/24", there=True),
    real_pods.route_watcher("go", "node1", "10.244.9.0/24", there=False),
]


@pytest.mark.parametrize("thing", OBJECTS, ids=lambda each: each["metadata"]["name"])
def test_each_object_is_of_its_schema(thing: dict[str, Any]) -> None:
    kubernetes_validate.validate(thing, "1.36", strict=True)


@pytest.mark.parametrize(
    ("seen", "status"), [("10.0.0.5", 0), ("::ffff:10.0.0.5", 0), ("fd00::5", 0), ("10.0.0.55", 1)]
)
def test_an_asker_succeeds_only_where_it_is_seen_as_what_it_is(seen: str, status: int) -> None:
    script = real_pods.asker("asker", "node1", ["10.244.1.2"])["spec"]["containers"][0]["command"]
    fake = f"wget() {{ echo '{seen}'; }}; {script[2]}"
    done = subprocess.run(["sh", "-c", fake], env={"OWN": "10.0.0.5,fd00::5"}, capture_output=True)
    assert done.returncode == status, done.stderr


@pytest.mark.parametrize(("there", "shown", "status"), [(True, "10.244.9.0", 0), (False, "", 0)])
def test_a_watcher_of_routes_succeeds_at_what_it_waits_for(
    there: bool, shown: str, status: int
) -> None:
    pod = real_pods.route_watcher("x", "node1", "10.244.9.0/24", there=there)
    script = pod["spec"]["containers"][0]["command"][2]
    fake = f"ip() {{ echo '{shown}/24 via 10.0.0.2'; }}; sleep() {{ exit 9; }}; {script}"
    assert subprocess.run(["sh", "-c", fake]).returncode == status
    other = real_pods.route_watcher("x", "node1", "10.244.9.0/24", there=not there)
    script = other["spec"]["containers"][0]["command"][2]
    fake = f"ip() {{ echo '{shown}/24 via 10.0.0.2'; }}; sleep() {{ exit 9; }}; {script}"
    assert subprocess.run(["sh", "-c", fake]).returncode == 9
