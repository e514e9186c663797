"""What a runtime's own configuration says of CNI: texts in, a `Runtime` out. Pure.

Source: containerd's docs/cri/config.md and `LoadConfig` (a plugin's section in a file
that comes later replaces the whole section); crio.conf(5); containers.conf(5);
kubelet's flags before 1.24 (cmd/kubelet/app/options/container_runtime.go).
May import: errors, fields, snapshot.health.
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import TypeVar

from dari.errors import BadConfig
from dari.fields import items, number, section, text
from dari.snapshot.health import CONTAINERD, CRIO, KUBELET, PODMAN, Runtime

T = TypeVar("T")

CONF_DIR, BIN_DIRS = "/etc/cni/net.d", ("/opt/cni/bin",)
PODMAN_DIRS = (
    *("/usr/local/libexec/cni", "/usr/libexec/cni"),
    *("/usr/local/lib/cni", "/usr/lib/cni", "/opt/cni/bin"),
)
_CRI = ("io.containerd.cri.v1.runtime", "io.containerd.grpc.v1.cri", "cri")
_FLAG = re.compile(r"--(network-plugin|cni-[a-z/-]+)(?:[= ]+(\S+))?")
KUBELET_FLAGS = ("network-plugin", "cni-conf-dir", "cni-bin-dir", "cni-cache-dir")

Files = Sequence[tuple[str, str]]
"""Paths and texts of files, in the order in which a runtime reads them."""
Document = Mapping[str, object]


def containerd(files: Files) -> Runtime:
    """containerd 1.x and 2.x: the section of its CRI plugin, whatever it is called.

    Args:
        files: config.toml, and then what it imports.
    """
    cni: Document = {}
    documents, problems = _parsed(files)
    for document in documents:
        found = _attempt(_cri_section, document, problems)
        cni = found if found is not None else cni
    runtime = _named(CONTAINERD, files, problems)
    return _filled(runtime, lambda: _containerd(runtime, cni), problems)


def _cri_section(document: Document) -> Document | None:
    plugins = section(document, "plugins")
    for name in _CRI:
        if name in plugins:
            return section(section(plugins, name), "cni")
    return None


def _containerd(runtime: Runtime, cni: Document) -> Runtime:
    several = _texts(cni, "bin_dirs")
    one = text(cni, "bin_dir")
    return runtime.replace(
        conf_dir=text(cni, "conf_dir") or CONF_DIR,
        bin_dirs=several or ((one,) if one else BIN_DIRS),
        most=number(cni, "max_conf_num", 1),
    )


def imports(document: Document) -> tuple[str, ...]:
    """The patterns of files that containerd's configuration asks for in addition.

    Raises:
        BadConfig: they are no list of texts.
    """
    return _texts(document, "imports")


def crio(files: Files) -> Runtime:
    """CRI-O: crio.conf, and then those of crio.conf.d by name; each key counts by itself."""
    documents, problems = _parsed(files)
    runtime = _named(CRIO, files, problems)
    return _filled(runtime, lambda: _crio(runtime, documents), problems)


def _crio(runtime: Runtime, documents: Iterable[Document]) -> Runtime:
    network = _merged(section(section(each, "crio"), "network") for each in documents)
    older = text(network, "plugin_dir")
    dirs = (*_texts(network, "plugin_dirs"), *((older,) if older else ()))
    return runtime.replace(
        conf_dir=text(network, "network_dir").rstrip("/") or CONF_DIR,
        bin_dirs=tuple(each.rstrip("/") for each in dirs) or BIN_DIRS,
        most=0,
        default=text(network, "cni_default_network"),
    )


def podman(files: Files, backend: str) -> Runtime:
    """Podman: each key counts as the last of its files has it.

    Args:
        backend: ``cni`` or ``netavark``, for where no file names one.
    """
    documents, problems = _parsed(files)
    runtime = _named(PODMAN, files, problems)
    return _filled(runtime, lambda: _podman(runtime, documents, backend), problems)


def _podman(runtime: Runtime, documents: Iterable[Document], backend: str) -> Runtime:
    network = _merged(section(each, "network") for each in documents)
    return runtime.replace(
        conf_dir=text(network, "network_config_dir").rstrip("/") or CONF_DIR,
        bin_dirs=_texts(network, "cni_plugin_dirs") or PODMAN_DIRS,
        most=0,
        default=text(network, "default_network") or "podman",
        cni=(text(network, "network_backend") or backend) == "cni",
    )


def kubelet(words: Iterable[str], sources: Sequence[str]) -> Runtime:
    """kubelet before 1.24, by its flags.

    Args:
        words: texts in which flags may stand: arguments, or lines of unit files, of
            which the last that names a flag counts.
        sources: where they are from.
    """
    found: dict[str, str] = {}
    for word in words:
        if not word.lstrip().startswith("#"):
            found.update((name, value or "") for name, value in _FLAG.findall(word))
    values = {name: value.strip("\"'") for name, value in found.items()}
    return Runtime(
        name=KUBELET,
        sources=tuple(sources),
        conf_dir=values.get("cni-conf-dir") or CONF_DIR,
        bin_dirs=tuple(filter(None, values.get("cni-bin-dir", "").split(","))) or BIN_DIRS,
        cni=values.get("network-plugin") == "cni",
        flags=tuple(
            f"--{name}={value}" if value else f"--{name}" for name, value in values.items()
        ),
    )


def parse(path: str, content: str) -> Document:
    """Read TOML.

    Raises:
        BadConfig: it is none; the message names file, line and column.
    """
    try:
        return tomllib.loads(content)
    except tomllib.TOMLDecodeError as error:
        raise BadConfig(f"{path}: {error}") from None


def _parsed(files: Files) -> tuple[list[Document], list[str]]:
    problems: list[str] = []
    found = [_attempt(lambda one: parse(*one), each, problems) for each in files]
    return [each for each in found if each is not None], problems


def _attempt(
    read: Callable[[T], Document | None], source: T, problems: list[str]
) -> Document | None:
    try:
        return read(source)
    except BadConfig as error:
        problems.append(error.message)
        return None


def _named(name: str, files: Files, problems: Sequence[str]) -> Runtime:
    return Runtime(name=name, sources=tuple(path for path, _ in files), problems=tuple(problems))


def _filled(runtime: Runtime, fill: Callable[[], Runtime], problems: Sequence[str]) -> Runtime:
    try:
        return fill()
    except BadConfig as error:
        return runtime.replace(problems=(*problems, error.message))


def _merged(sections: Iterable[Document]) -> Document:
    found: dict[str, object] = {}
    for each in sections:
        found.update(each)
    return found


def _texts(source: Document, key: str) -> tuple[str, ...]:
    found = items(source, key)
    for each in found:
        if not isinstance(each, str):
            raise BadConfig(f"{key}: {each!r} is not a string")
    return tuple(map(str, found))
