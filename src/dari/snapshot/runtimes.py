"""Reads which network configurations the runtimes of this node use, and asks the plugins.

Runtimes are found by their processes, by their configuration, or (Podman) by being
installed. Each plugin that a configuration in use names is asked for its VERSION,
which changes nothing.

May import: cni, delegate, errors, fields, files, snapshot.
"""

from __future__ import annotations

import glob
import os
import shutil
import subprocess
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress

from dari import delegate
from dari.cni.runtime.confdir import SUFFIXES, list_files, load
from dari.errors import BadConfig, DariError, IOFailure
from dari.fields import items, section, text
from dari.files import read_bounded
from dari.jsontext import decode
from dari.snapshot import runtimeconf
from dari.snapshot.health import DARI, Executable, NetworkFile, Program, Runtime

LARGEST = 1 << 20
_SECONDS = 20.0  # that a plugin may take for its VERSION, on a machine that is busy
_CONTAINERD = "/etc/containerd/config.toml"
_CRIO = ("/etc/crio/crio.conf", "/etc/crio/crio.conf.d/*")
_PODMAN = (
    "/usr/share/containers/containers.conf",
    "/etc/containers/containers.conf",
    "/etc/containers/containers.conf.d/*.conf",
)
_PODMAN_BACKEND = "/var/lib/containers/storage/defaultNetworkBackend"
_NETAVARK = tuple(
    f"{folder}/podman/netavark" for folder in ("/usr/local/libexec", "/usr/libexec", "/usr/lib")
)
_KUBELET = (
    *(f"{folder}/kubelet.service" for folder in ("/lib/systemd/system", "/etc/systemd/system")),
    *(
        f"{folder}/kubelet.service.d/*.conf"
        for folder in ("/lib/systemd/system", "/etc/systemd/system")
    ),
    *("/var/lib/kubelet/kubeadm-flags.env", "/etc/default/kubelet", "/etc/sysconfig/kubelet"),
)


def read_runtimes(programs: Sequence[Program], conf_dir: str) -> tuple[Runtime, ...]:
    """All that read network configurations here; dari's own folders where nothing else does.

    Args:
        programs: that run.
        conf_dir: where the agent writes its configuration.
    """
    arguments = {each.name: each.arguments for each in programs}
    found = [
        *_containerd(arguments.get("containerd")),
        *_crio(arguments.get("crio")),
        *_podman(),
        *_kubelet(arguments.get("kubelet")),
    ]
    own = Runtime(name=DARI, running=True, conf_dir=conf_dir, bin_dirs=runtimeconf.BIN_DIRS)
    if not any(each.running and each.cni and each.conf_dir == conf_dir for each in found):
        found.append(own)
    asked: dict[tuple[str, tuple[str, ...]], Executable] = {}
    return tuple(_with_files(each, asked) if each.cni else each for each in found)


def _containerd(arguments: Sequence[str] | None) -> Iterable[Runtime]:
    main = _option(arguments or (), ("--config", "-c")) or _CONTAINERD
    files = _read([main])
    if arguments is None and not files:
        return
    for path, content in files[:1]:
        with suppress(BadConfig):
            patterns = runtimeconf.imports(runtimeconf.parse(path, content))
            folder = os.path.dirname(path)
            files += _read(os.path.join(folder, pattern) for pattern in patterns)
    yield runtimeconf.containerd(files).replace(running=arguments is not None)


def _crio(arguments: Sequence[str] | None) -> Iterable[Runtime]:
    files = _read(_CRIO)
    if files or arguments is not None:
        yield runtimeconf.crio(files).replace(running=arguments is not None)


def _podman() -> Iterable[Runtime]:
    if not shutil.which("podman"):
        return
    told = "".join(content for _, content in _read([_PODMAN_BACKEND])).strip()
    backend = told or ("netavark" if any(map(os.path.exists, _NETAVARK)) else "cni")
    yield runtimeconf.podman(_read(_PODMAN), backend)


def _kubelet(arguments: Sequence[str] | None) -> Iterable[Runtime]:
    """kubelet's flags count only where there are some about CNI."""
    if arguments:
        found = runtimeconf.kubelet([" ".join(arguments)], ["/proc"])
    else:
        files = _read(_KUBELET)
        lines = [line for _, content in files for line in content.splitlines()]
        naming = [
            path for path, content in files if "--network-plugin" in content or "--cni-" in content
        ]
        found = runtimeconf.kubelet(lines, naming)
    if found.flags:
        yield found.replace(running=bool(arguments), version=_kubelet_version(arguments))


def _kubelet_version(arguments: Sequence[str] | None) -> str:
    """Such as ``1.23.17``; empty where it does not tell. Equivalent to: ``kubelet --version``."""
    program = shutil.which(arguments[0] if arguments else "kubelet")
    if not program:
        return ""
    try:
        done = subprocess.run(
            [program, "--version"], capture_output=True, text=True, timeout=_SECONDS, check=False
        )
    except (OSError, subprocess.TimeoutExpired):
        return ""
    return done.stdout.strip().rpartition(" v")[2]


def _option(arguments: Sequence[str], names: Sequence[str]) -> str:
    for place, word in enumerate(arguments):
        name, equals, value = word.partition("=")
        if name in names:
            return value if equals else next(iter(arguments[place + 1 : place + 2]), "")
    return ""


def _read(patterns: Iterable[str]) -> list[tuple[str, str]]:
    """Paths and texts of the files that patterns name, in their order; others are passed over."""
    found = []
    for pattern in patterns:
        for path in sorted(glob.glob(pattern)):
            with suppress(IOFailure):
                content = read_bounded(path, LARGEST)
                if content is not None:
                    found.append((path, content.decode(errors="replace")))
    return found


def _with_files(runtime: Runtime, asked: dict[tuple[str, tuple[str, ...]], Executable]) -> Runtime:
    """The runtime with what is in its folder; `asked`: the plugins that have answered already."""
    try:
        paths = list_files(runtime.conf_dir, SUFFIXES)
    except DariError as error:
        return runtime.replace(problems=(*runtime.problems, error.message))
    files = tuple(map(_file, paths))
    types = dict.fromkeys(name for each in files for name in named_types(each))
    for name in types:
        if (name, runtime.bin_dirs) not in asked:
            asked[name, runtime.bin_dirs] = _ask(name, runtime.bin_dirs)
    return runtime.replace(
        files=files, executables=tuple(asked[name, runtime.bin_dirs] for name in types)
    )


def _file(path: str) -> NetworkFile:
    try:
        found = load(path)
    except DariError as error:
        return NetworkFile(path=path, problem=error.message)
    return NetworkFile(
        path=path, network=found.name, cni_version=found.cni_version, plugins=found.plugins
    )


def named_types(file: NetworkFile) -> list[str]:
    """The plugins that a configuration names, those that manage addresses included."""
    found = []
    for plugin in file.plugins:
        found.append(text(plugin, "type"))
        with suppress(BadConfig):
            found.append(text(section(plugin, "ipam"), "type"))
    return [name for name in found if name]


def _ask(name: str, folders: Sequence[str]) -> Executable:
    """Ask for VERSION. Equivalent to: ``CNI_COMMAND=VERSION PROGRAM``."""
    try:
        path = delegate.find(name, folders)
    except BadConfig as error:
        return Executable(type=name, problem=error.message)
    environ: Mapping[str, str] = {
        "PATH": os.environ.get("PATH", ""),
        "CNI_COMMAND": "VERSION",
        "CNI_PATH": ":".join(folders),
    }
    try:
        answer = delegate.call(name, {"cniVersion": "1.0.0"}, environ, seconds=_SECONDS)
        versions = items(decode(answer, path), "supportedVersions")
    except DariError as error:
        return Executable(type=name, path=path, problem=error.message)
    if not versions:
        return Executable(type=name, path=path, problem=f"{path}: it names no version")
    return Executable(type=name, path=path, versions=tuple(map(str, versions)))
