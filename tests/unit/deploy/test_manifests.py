"""What is below deploy/kubernetes is what Kubernetes takes, and what dari knows."""

from __future__ import annotations

import json
from argparse import ArgumentParser, Namespace
from collections import Counter
from pathlib import Path

import kubernetes_validate
import pytest

from dari import __version__
from dari.agent.config import METRICS, AgentConfig, read_config
from dari.agent.endpoint import Endpoint
from dari.agent.install import BIN_DIR
from dari.agent.options import DEFAULT_FILE, gather, parse_file
from dari.cli.main import load
from dari.lab.pod import SANDBOXES
from dari.paths import Paths
from tests.support.manifests import AGENT, CHECKOUT, REMOVAL, Json, containers, one, render, words

BOTH = pytest.mark.parametrize("folder", [AGENT, REMOVAL], ids=["agent", "removal"])
SETTINGS = AGENT / "agent.toml"
NODE = {"NODE_NAME": "node1"}


def parsed(container: Json) -> Namespace:
    """A command line as dari itself reads it; unknown flags end the test."""
    program, verb, *rest = words(container, NODE)
    assert program == "dari"
    parser = ArgumentParser(allow_abbrev=False)
    load(verb).configure(parser)
    return parser.parse_args(rest)


def config(tmp_path: Path) -> AgentConfig:
    """What the agent of the DaemonSet goes by."""
    agent = parsed(containers(render(AGENT))[1])
    agent.config = str(SETTINGS)
    return read_config(gather(agent), Paths(), "a-host-name")


@BOTH
@pytest.mark.parametrize("version", ["1.28", "1.32", "1.36", "1.37"])
def test_each_object_is_of_its_schema_which_knows_every_key(folder: Path, version: str) -> None:
    objects = render(folder)
    for each in objects:
        kubernetes_validate.validate(each, version, strict=True)
    assert Counter(each["kind"] for each in objects) == {
        "Namespace": 1,
        "ServiceAccount": 1,
        "ClusterRole": 1,
        "ClusterRoleBinding": 1,
        "ConfigMap": 1,
        "DaemonSet": 1,
    }


@BOTH
def test_objects_name_each_other_rightly(folder: Path) -> None:
    objects = render(folder)
    account, binding = one(objects, "ServiceAccount"), one(objects, "ClusterRoleBinding")
    spec = one(objects, "DaemonSet")["spec"]
    pod = spec["template"]["spec"]
    assert binding["subjects"] == [{"kind": "ServiceAccount", **identity(account)}]
    assert binding["roleRef"]["name"] == one(objects, "ClusterRole")["metadata"]["name"]
    assert pod["serviceAccountName"] == account["metadata"]["name"]
    assert spec["selector"]["matchLabels"] == spec["template"]["metadata"]["labels"]
    config_map = next(each["configMap"] for each in pod["volumes"] if "configMap" in each)
    assert config_map["name"] == one(objects, "ConfigMap")["metadata"]["name"]
    namespace = one(objects, "Namespace")["metadata"]["name"]
    placed = [each["metadata"].get("namespace", namespace) for each in objects]
    assert set(placed) == {namespace}


def identity(thing: Json) -> dict[str, str]:
    return {key: thing["metadata"][key] for key in ("name", "namespace")}


@BOTH
def test_it_runs_on_every_node_before_anything_else_and_outside_of_the_pods_network(
    folder: Path,
) -> None:
    pod = one(render(folder), "DaemonSet")["spec"]["template"]["spec"]
    assert pod["hostNetwork"] is True
    assert pod["priorityClassName"] == "system-node-critical"
    assert pod["tolerations"] == [{"operator": "Exists"}]


def test_the_executable_is_installed_before_the_agent_starts_and_needs_no_python() -> None:
    install, agent = containers(render(AGENT))
    given = parsed(install)
    assert words(install, NODE)[1] == "install" and words(agent, NODE)[1] == "agent"
    assert (given.bin_dir, given.no_fallback) == (BIN_DIR, True)
    assert install["volumeMounts"] == [{"name": "executables", "mountPath": BIN_DIR}]


def test_the_settings_are_those_of_the_agent(tmp_path: Path) -> None:
    found = config(tmp_path)
    assert (found.node_name, found.store) == ("node1", "kubernetes")
    assert set(parse_file(SETTINGS.read_bytes(), "agent.toml")) == {
        "store",
        "cluster-range",
        "backend",
    }


@BOTH
def test_every_variable_of_a_command_line_is_defined(folder: Path) -> None:
    for container in containers(render(folder)):
        defined = {each["name"]: each["valueFrom"]["fieldRef"] for each in container.get("env", [])}
        used = "$(NODE_NAME)" in words(container, {})
        assert defined == ({"NODE_NAME": {"fieldPath": "spec.nodeName"}} if used else {})


def test_what_of_the_node_is_mounted_is_what_dari_uses_at_the_same_path(tmp_path: Path) -> None:
    paths, found = Paths(), config(tmp_path)
    for folder in (AGENT, REMOVAL):
        objects = render(folder)
        volumes = {
            each["name"]: each.get("hostPath", {}).get("path")
            for each in one(objects, "DaemonSet")["spec"]["template"]["spec"]["volumes"]
        }
        mounted = {}
        for container in containers(objects):
            for mount in container.get("volumeMounts", []):
                assert volumes[mount["name"]] in (None, mount["mountPath"])
                mounted[mount["mountPath"]] = volumes[mount["name"]]
        assert mounted.pop(str(Path(DEFAULT_FILE).parent)) is None
        used = {paths.run, found.conf_dir, BIN_DIR, SANDBOXES, str(Path(paths.host_local).parent)}
        assert set(mounted) == used
        assert set(volumes.values()) - {None} == used
        assert paths.results.startswith(str(Path(paths.host_local).parent))


def test_probes_ask_what_the_agent_answers_where_it_listens(tmp_path: Path) -> None:
    _, agent = containers(render(AGENT))
    endpoint = Endpoint(METRICS, lambda: b"", lambda: ())
    assert config(tmp_path).metrics_listen == METRICS
    for probe in (agent["livenessProbe"], agent["readinessProbe"]):
        asked = probe["httpGet"]
        assert (asked["host"], asked["port"]) == METRICS
        assert endpoint.page(asked["path"])[0] == 200
    paths = [agent[each]["httpGet"]["path"] for each in ("livenessProbe", "readinessProbe")]
    assert paths == ["/healthz", "/readyz"]


def test_only_who_changes_the_network_is_privileged_and_nobody_writes_to_the_image() -> None:
    privileged = {
        container["name"]
        for folder in (AGENT, REMOVAL)
        for container in containers(render(folder))
        if container["securityContext"].get("privileged")
    }
    assert privileged == {"agent", "uninstall"}
    for container in [*containers(render(AGENT)), *containers(render(REMOVAL))]:
        context = container["securityContext"]
        assert context["readOnlyRootFilesystem"] is True
        assert context.get("privileged") or context["capabilities"] == {"drop": ["ALL"]}


def test_the_removal_purges_with_the_agents_settings_and_then_waits() -> None:
    uninstall, waiting = containers(render(REMOVAL))
    given = parsed(uninstall)
    assert (given.purge, given.config, given.bin_dir) == (True, DEFAULT_FILE, BIN_DIR)
    assert waiting["command"] == ["sleep", "infinity"]
    assert not {"args", "livenessProbe", "readinessProbe", "volumeMounts"} & set(waiting)


@BOTH
def test_the_image_is_of_this_version(folder: Path) -> None:
    images = {each["image"] for each in containers(render(folder))}
    assert images == {f"localhost/dari:{__version__}"}


def test_the_memory_that_is_asked_for_is_what_was_measured_with_room() -> None:
    measured = json.loads((CHECKOUT / "bench" / "results" / "latest.json").read_text())["memory"]
    asked = containers(render(AGENT))[1]["resources"]
    assert asked["requests"]["memory"] == f"{measured['budget']:.0f}Mi"
    assert measured["full"] < measured["budget"]
    assert "cpu" not in asked["limits"]  # a burst of pods may have what is free
