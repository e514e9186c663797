"""What `kubectl kustomize` makes of a folder below deploy/kubernetes, as far as it is used there.

A key that this does not know fails, so that nothing is passed over in silence. Of a
generated ConfigMap the name stays without its hash.
"""

from __future__ import annotations

import copy
from collections.abc import Callable
from pathlib import Path
from typing import Any

import yaml

Json = dict[str, Any]
CHECKOUT = Path(__file__).parent.parent.parent
DEPLOY = CHECKOUT / "deploy"
AGENT, REMOVAL = DEPLOY / "kubernetes" / "agent", DEPLOY / "kubernetes" / "removal"


def render(folder: Path) -> list[Json]:
    """All objects, in order."""
    document = yaml.safe_load((folder / "kustomization.yaml").read_text())
    objects: list[Json] = []
    for key, value in document.items():
        _STEPS[key](folder, objects, value)
    return objects


def one(objects: list[Json], kind: str) -> Json:
    """The only object of its kind."""
    (found,) = [each for each in objects if each["kind"] == kind]
    return found


def containers(objects: list[Json]) -> list[Json]:
    """Of the DaemonSet, in the order in which they start."""
    pod = one(objects, "DaemonSet")["spec"]["template"]["spec"]
    return [*pod["initContainers"], *pod["containers"]]


def words(container: Json, values: dict[str, str]) -> list[str]:
    """The command line, with what the kubelet puts in for ``$(NAME)``."""
    found = [*container["command"], *container.get("args", [])]
    for name, value in values.items():
        found = [each.replace(f"$({name})", value) for each in found]
    return found


def _resources(folder: Path, objects: list[Json], names: list[str]) -> None:
    for name in names:
        path = folder / name
        objects += render(path) if path.is_dir() else yaml.safe_load_all(path.read_text())


def _config_maps(folder: Path, objects: list[Json], given: list[Json]) -> None:
    for each in given:
        data = {name: (folder / name).read_text() for name in each["files"]}
        metadata = {"name": each["name"], "namespace": "dari"}
        objects.append(
            {"apiVersion": "v1", "kind": "ConfigMap", "metadata": metadata, "data": data}
        )


def _images(folder: Path, objects: list[Json], given: list[Json]) -> None:
    for each in given:
        for container in containers(objects):
            if container["image"] == each["name"]:
                container["image"] = f"{each['newName']}:{each['newTag']}"


def _namespace(folder: Path, objects: list[Json], name: str) -> None:
    """It only confirms what the files say themselves."""
    assert {each["metadata"].get("namespace", name) for each in objects} <= {name}


def _patches(folder: Path, objects: list[Json], given: list[Json]) -> None:
    for each in given:
        thing = one(objects, each["target"]["kind"])
        assert thing["metadata"]["name"] == each["target"]["name"]
        for change in yaml.safe_load((folder / each["path"]).read_text()):
            _change(thing, **change)


def _change(thing: Json, op: str, path: str, value: object = None) -> None:
    """RFC 6902: what is replaced or removed has to be there."""
    *way, last = path.removeprefix("/").split("/")
    inner: Any = thing
    for step in way:
        inner = inner[int(step)] if isinstance(inner, list) else inner[step]
    assert (last in inner) == (op != "add"), path
    if op == "remove":
        del inner[last]
    else:
        inner[last] = copy.deepcopy(value)


_STEPS: dict[str, Callable[[Path, list[Json], Any], None]] = {
    "apiVersion": lambda folder, objects, value: None,
    "kind": lambda folder, objects, value: None,
    "resources": _resources,
    "namespace": lambda folder, objects, value: None,
    "configMapGenerator": _config_maps,
    "images": _images,
    "patches": _patches,
}
