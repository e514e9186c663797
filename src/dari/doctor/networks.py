"""The network configuration that a runtime will really use, and whether that works.

Who reads how: containerd fails as a whole where one of the files that it loads is
broken; CRI-O, Podman and the older kubelet pass broken ones by.

May import: agent.conflist, causes, language, snapshot, doctor.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Sequence
from difflib import get_close_matches
from typing import TYPE_CHECKING

from dari.agent.conflist import FILE, NETWORK
from dari.causes import configuration
from dari.causes.finding import WARNING, Finding
from dari.doctor.commands import line
from dari.doctor.node import Node
from dari.doctor.report import Note
from dari.errors import BadConfig
from dari.explain.mend import have_agent
from dari.fields import flag, section, text
from dari.language import Messages
from dari.snapshot.health import (
    CONTAINERD,
    DARI,
    KUBELET,
    PODMAN,
    Executable,
    NetworkFile,
    Runtime,
)
from dari.snapshot.runtimeconf import KUBELET_FLAGS
from dari.snapshot.runtimes import named_types

if TYPE_CHECKING:
    from dari.model import Json

_ = Messages("doctor")
_STRICT = (CONTAINERD, DARI)
_LAST_WITH_FLAGS = (1, 23)
_ASIDE = ".not-used"


def used(runtime: Runtime) -> tuple[NetworkFile, ...]:
    """The files whose networks a runtime uses; empty where it uses none.

    Of those a broken one is the first where the runtime fails because of it.
    """
    loaded = runtime.files[: runtime.most] if runtime.most else runtime.files
    if runtime.name in _STRICT:
        return tuple(sorted(loaded, key=lambda each: not each.problem)[:1]) or ()
    sound = [each for each in runtime.files if not each.problem]
    if runtime.default:
        named = [each for each in sound if each.network == runtime.default]
        return tuple(named[:1])
    return tuple(sound[:1])


def _minding(node: Node) -> Iterator[Runtime]:
    """The runtimes whose troubles are the node's: those that run, and dari's own folders."""
    for each in node.health.runtimes:
        counts = node.ours if each.name == DARI else each.running
        if counts and each.cni and each.name != PODMAN:
            yield each


def broken(node: Node) -> Iterator[Finding]:
    """Every file that the runtime loads can be read."""
    for runtime in _minding(node):
        for trouble in runtime.problems:
            yield Finding(
                code=configuration.CONF_BROKEN.code,
                where=node.name,
                what=trouble,
                subject=f"{runtime.name} {trouble[:40]}",
            )
        for each in runtime.files:
            if each.problem:
                fatal = runtime.name in _STRICT and each in used(runtime)
                yield Finding(
                    code=configuration.CONF_BROKEN.code,
                    where=node.name,
                    what=each.problem,
                    mend=_aside(node, each),
                    severity="error" if fatal else WARNING,
                    subject=each.path,
                )


def _aside(node: Node, one: NetworkFile) -> tuple[str, ...]:
    """A file of somebody else's is put aside; dari's own is written anew."""
    if os.path.basename(one.path) == FILE:
        return (line("rm", "-f", one.path), have_agent(node.machine))
    return (line("mv", one.path, f"{one.path}{_ASIDE}"),)


def shadowed(node: Node) -> Iterator[Finding]:
    """Dari's configuration is the one that is used, on a node that has it."""
    for runtime in _minding(node):
        own = [each for each in runtime.files if os.path.basename(each.path) == FILE]
        chosen = used(runtime)
        if not own or not chosen or chosen[0] in own or chosen[0].problem:
            continue
        other = chosen[0]
        yield Finding(
            code=configuration.CONF_SHADOWED.code,
            where=node.name,
            what=_("{runtime} uses {file} (network {network}), not {own}").format(
                runtime=runtime.name, file=other.path, network=other.network, own=own[0].path
            ),
            mend=(line("mv", other.path, f"{other.path}{_ASIDE}"),),
            subject=other.path,
        )


def missing(node: Node) -> Iterator[Finding]:
    """There is a configuration where the runtime looks, and dari's is there."""
    for runtime in _minding(node):
        own = [each for each in runtime.files if os.path.basename(each.path) == FILE]
        folder = node.config.conf_dir if node.config else ""
        if node.ours and folder and folder != runtime.conf_dir and not own:
            yield Finding(
                code=configuration.OTHER_FOLDER.code,
                where=node.name,
                what=_("{runtime} reads {folder}; the agent writes to {other}").format(
                    runtime=runtime.name, folder=runtime.conf_dir, other=folder
                ),
                subject=runtime.name,
            )
        elif (not own and node.ours) or not runtime.files:
            yield Finding(
                code=configuration.NO_CONF.code,
                where=node.name,
                what=_("there is no {file} in {folder}").format(file=FILE, folder=runtime.conf_dir)
                if runtime.files
                else _("there is no configuration in {folder}").format(folder=runtime.conf_dir),
                mend=(have_agent(node.machine),) if node.ours else (),
                subject=runtime.conf_dir,
            )


def executables(node: Node) -> Iterator[Finding]:
    """Each plugin that is named is there, answers, and supports the configuration's version."""
    for runtime in _minding(node):
        for file in used(runtime):
            for name in dict.fromkeys(named_types(file)):
                found = next((each for each in runtime.executables if each.type == name), None)
                if found and not _is_built_in(file, found):
                    yield from _executable(node, runtime, file, found)


def _is_built_in(file: NetworkFile, one: Executable) -> bool:
    """Dari leases addresses by itself where a network of its own names host-local."""
    main = {text(each, "type") for each in file.plugins}
    return NETWORK in main and one.type == "host-local" and one.type not in main


def _executable(
    node: Node, runtime: Runtime, file: NetworkFile, one: Executable
) -> Iterator[Finding]:
    folders = ":".join(runtime.bin_dirs)
    if not one.path:
        yield Finding(
            code=configuration.EXECUTABLE_MISSING.code,
            where=node.name,
            what=_("{file} names {type}, which is not in {folders}").format(
                file=file.path, type=one.type, folders=folders
            ),
            mend=_install(runtime, one),
            subject=one.type,
        )
    elif not one.versions:
        yield Finding(
            code=configuration.EXECUTABLE_BROKEN.code,
            where=node.name,
            what=_("{path} does not answer VERSION: {problem}").format(
                path=one.path, problem=one.problem
            ),
            mend=(line("rm", "-f", one.path), *_install(runtime, one)),
            subject=one.type,
        )
    elif file.cni_version not in one.versions:
        yield Finding(
            code=configuration.VERSION_UNSUPPORTED.code,
            where=node.name,
            what=_("{file} is of CNI {version}; {path} supports {versions}").format(
                file=file.path,
                version=file.cni_version,
                path=one.path,
                versions=", ".join(one.versions),
            ),
            severity=WARNING,
            subject=one.type,
        )


def _install(runtime: Runtime, one: Executable) -> tuple[str, ...]:
    """Dari has an executable for each of the types that it knows."""
    folder = runtime.bin_dirs[0] if runtime.bin_dirs else "/opt/cni/bin"
    names = () if one.type == NETWORK else ("--as", one.type)
    usual = () if folder == "/opt/cni/bin" else ("--bin-dir", folder)
    return (line("dari", "install", *usual, *names),)


def flags(node: Node) -> Iterator[Finding]:
    """kubelet has no flags about CNI that it does not know."""
    for runtime in node.health.runtimes:
        if runtime.name != KUBELET:
            continue
        version = _version(runtime.version)
        for each in runtime.flags:
            name = each.lstrip("-").partition("=")[0]
            known = name in KUBELET_FLAGS
            if known and (version is None or version <= _LAST_WITH_FLAGS):
                continue
            yield Finding(
                code=configuration.KUBELET_FLAGS.code,
                where=node.name,
                what=_wrong_flag(each, runtime, known),
                subject=name,
            )


def _wrong_flag(given: str, runtime: Runtime, known: bool) -> str:
    where = ", ".join(runtime.sources)
    if known:
        return _("{flag} ({where}): kubelet {version} does not know it any more").format(
            flag=given, where=where, version=runtime.version
        )
    name = given.lstrip("-").partition("=")[0]
    near = get_close_matches(name, KUBELET_FLAGS, n=1)
    return _("{flag} ({where}): there is no such flag; meant is {near}").format(
        flag=given, where=where, near=f"--{near[0]}" if near else "?"
    )


def _version(told: str) -> tuple[int, int] | None:
    found = re.match(r"(\d+)\.(\d+)", told)
    return (int(found[1]), int(found[2])) if found else None


def seen(node: Node) -> Iterator[Note]:
    """For each runtime: what it reads, which file wins, and what that means."""
    for runtime in node.health.runtimes:
        absent = runtime.name == DARI and not node.ours
        for sentence in (_would(runtime),) if absent else _told(runtime):
            yield Note(topic="configuration", where=node.name, text=f"{runtime.name}: {sentence}")


def _would(runtime: Runtime) -> str:
    """What dari itself would do where it is not in use."""
    return _(
        "`dari agent`, or `dari install --pod-range RANGE`, would write the network "
        "configuration into {folder}, and `dari install` plugins into {folders}"
    ).format(folder=runtime.conf_dir, folders=":".join(runtime.bin_dirs))


def _told(runtime: Runtime) -> Iterator[str]:
    if runtime.sources:
        yield _("configured by {files}").format(files=", ".join(runtime.sources))
    if not runtime.cni:
        yield _("has its networks without CNI; no file of {folder} counts").format(
            folder=runtime.conf_dir
        )
        return
    if not runtime.running and runtime.name not in (DARI, PODMAN):
        yield _("does not run now; this is what it would use")
    yield _("reads {folder}, and takes plugins from {folders}").format(
        folder=runtime.conf_dir, folders=":".join(runtime.bin_dirs)
    )
    chosen = used(runtime)
    for each in chosen:
        if each.problem:
            yield _("fails to load any network: {problem}").format(problem=each.problem)
        else:
            yield _("uses {file} (network {network}, CNI {version})").format(
                file=each.path, network=each.network, version=each.cni_version
            )
            yield from _meaning(each.plugins)
    if not chosen:
        yield _("finds no network that it would use")
    for each in runtime.files:
        if each not in chosen:
            yield _passed_over(runtime, each)


def _passed_over(runtime: Runtime, one: NetworkFile) -> str:
    if one.problem:
        return _("passes over {file}: {problem}").format(file=one.path, problem=one.problem)
    if runtime.default:
        return _("does not use {file}: its network is not the default, {name}").format(
            file=one.path, name=runtime.default
        )
    return _("does not use {file}, which comes later by name").format(file=one.path)


def _meaning(plugins: Sequence[Json]) -> Iterator[str]:
    """What ``ipMasq`` and ``ipam`` say, in plain words."""
    for each in plugins:
        if "ipMasq" in each or "ipam" in each:
            try:
                yield from _explained(each)
            except BadConfig as error:
                yield error.message


def _explained(plugin: Json) -> Iterator[str]:
    name = text(plugin, "type")
    if name != NETWORK or flag(plugin, "ipMasq"):
        yield (
            _("{type}, ipMasq: what pods send to the outside leaves with the node's address")
            if flag(plugin, "ipMasq")
            else _("{type}, no ipMasq: what pods send keeps the pod's address everywhere")
        ).format(type=name)
    else:
        yield _("{type}, no ipMasq: the agent masquerades for the whole node").format(type=name)
    ipam = section(plugin, "ipam")
    if ipam:
        yield _("{type}, ipam: {manager} gives pods addresses of {ranges}").format(
            type=name, manager=text(ipam, "type") or "-", ranges=", ".join(_ranges(ipam)) or "-"
        )


def _ranges(ipam: Json) -> Iterator[str]:
    if "subnet" in ipam:
        yield str(ipam["subnet"])
    pools = ipam.get("ranges")
    for pool in pools if isinstance(pools, list) else ():
        for each in pool if isinstance(pool, list) else ():
            if isinstance(each, dict) and "subnet" in each:
                yield str(each["subnet"])
    if ipam.get("addresses"):
        yield _("fixed ones")
