"""Changes a pod's interface and kernel settings, and puts them back: type `tuning`.

What is there before is on disk before anything is changed. The kernel's network
settings belong to the namespace of the thread that opens their files, so they
are read and written in a thread that has entered the pod's.

May import: errors, files, model, netlink, wiring.
"""

from __future__ import annotations

import errno
from contextlib import ExitStack, suppress

from dari import files
from dari.errors import BadConfig, BadNamespace, IOFailure, NotFound, Undecodable
from dari.netlink.link import get_link
from dari.netlink.linkchange import change_link
from dari.wiring import backup, records
from dari.wiring.backup import Saved
from dari.wiring.cable import find_link
from dari.wiring.failures import noting, quietly, report

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from dari.errors import DariError
    from dari.model import Request
    from dari.netlink import codec
    from dari.netlink.link import Link
    from dari.netlink.namespace import Namespace
    from dari.wiring.host import Host
    from dari.wiring.settings import Setting, TuningConf

PART = "tuning"
_UNREADABLE = (errno.EACCES, errno.EPERM)
_NO_MAC = "00:00:00:00:00:00"


def tune(request: Request, host: Host, conf: TuningConf, folder: str) -> None:
    """Make the changes; what was done is undone when a later one fails.

    Args:
        request: ADD.
        host: the node.
        conf: what to change.
        folder: where what was there before is kept.

    Raises:
        BadConfig: a MAC for an interface that has none.
        BadNamespace: CNI_NETNS is no network namespace.
        NotFound: the pod has no such interface.
        IOFailure: a setting is not there, or does not take the value.
        KernelRefused: the kernel says no.
    """
    with host.namespace(request.netns) as namespace:
        link = _link_state(namespace, request, conf)
        earlier = _earlier(request, host, namespace, folder)
        with ExitStack() as undo:
            if earlier is None:
                undo.callback(quietly, lambda: records.forget(host.paths, request.owner, PART))
                undo.callback(quietly, lambda: backup.discard(folder, request.owner))
            records.remember(host.paths, request, namespace.identity[1], PART)

            def change_settings() -> None:
                before = link.replace(settings=_read_settings(host, conf.settings))
                kept = before if earlier is None else before.under(earlier)
                backup.save(folder, request.owner, kept)
                undo.callback(quietly, lambda: _put_back(host, namespace, request, before))
                for setting in conf.settings:
                    _set(host, setting.path, setting.value)

            namespace.run(change_settings) if conf.settings else change_settings()
            if conf.changes_link:
                with namespace.socket() as pod:
                    pod.transact([_change(get_link(pod, name=request.ifname), conf)])
            undo.pop_all()


def restore(request: Request, host: Host, folder: str) -> None:
    """Put back what was there before, as far as there is anything to put it back to.

    Raises:
        DariError: something could not be put back; it is forgotten all the same.
    """
    failures: list[DariError] = []
    with noting(failures):
        _restore_in_pod(request, host, folder)
    with noting(failures):
        backup.discard(folder, request.owner)
    with noting(failures):
        records.forget(host.paths, request.owner, PART)
    report(f"DEL {request.container_id} {request.ifname}", failures)


def tuning_damage(request: Request, host: Host, conf: TuningConf) -> Iterator[str]:
    """What is not as it was changed to.

    Args:
        request: CHECK.
        host: the node.
        conf: what it should be.
    """
    with host.namespace(request.netns) as namespace, namespace.socket() as pod:
        for setting in conf.settings:
            yield from _setting_damage(host, namespace, setting)
        if conf.changes_link:
            yield from _link_damage(find_link(pod, request.ifname), request, conf)


def _link_state(namespace: Namespace, request: Request, conf: TuningConf) -> Saved:
    """How the interface is in what will be changed of it."""
    if not conf.changes_link:
        return Saved()
    with namespace.socket() as pod:
        link = get_link(pod, name=request.ifname)
    if conf.mac and link.mac == _NO_MAC:
        raise BadConfig(
            f"mac: {link.name} has none, and the kernel would not let it go back to none",
            "leave mac out for this interface",
        )
    return Saved(
        mac=link.mac if conf.mac else "",
        mtu=link.mtu if conf.mtu else 0,
        promisc=None if conf.promisc is None else link.promisc,
        allmulti=None if conf.allmulti is None else link.allmulti,
        txqlen=None if conf.txqlen is None else link.txqlen,
    )


def _earlier(request: Request, host: Host, namespace: Namespace, folder: str) -> Saved | None:
    """What an ADD of this attachment saved that was killed, or that this one repeats."""
    try:
        record = records.find(host.paths, request.owner, PART)
        if record is None or record.inode != namespace.identity[1]:
            return None
        return backup.load(folder, request.owner)
    except Undecodable:
        return None


def _restore_in_pod(request: Request, host: Host, folder: str) -> None:
    try:
        saved = backup.load(folder, request.owner)
        record = records.find(host.paths, request.owner, PART)
    except Undecodable:
        return  # half a file tells nothing
    if saved is None or not request.netns:
        return
    try:
        namespace = host.namespace(request.netns)
    except BadNamespace:
        return  # gone, with all that was changed in it
    with namespace:
        if record is None or record.inode == namespace.identity[1]:
            _put_back(host, namespace, request, saved)


def _put_back(host: Host, namespace: Namespace, request: Request, saved: Saved) -> None:
    failures: list[DariError] = []
    if saved.has_link:
        with noting(failures), suppress(NotFound), namespace.socket() as pod:
            # A DEL that comes again may find the cable, and an agent deletes it just then.
            pod.transact([_change(get_link(pod, name=request.ifname), saved)])

    def put_back_settings() -> None:
        for path, value in reversed([*saved.settings.items()]):
            with noting(failures):
                _set(host, path, str(value), or_gone=True)

    if saved.settings:
        with noting(failures):
            namespace.run(put_back_settings)
    report(f"put back what was there before in {request.netns}", failures)


def _change(link: Link, wanted: TuningConf | Saved) -> codec.Request:
    return change_link(
        index=link.index,
        mac=wanted.mac,
        mtu=wanted.mtu,
        promisc=wanted.promisc,
        allmulti=wanted.allmulti,
        txqlen=wanted.txqlen,
    )


def _read_settings(host: Host, settings: Iterable[Setting]) -> dict[str, str]:
    """Values by path, read in the pod; one that may only be written is left out."""
    found = {setting.path: _peek(host, setting.path) for setting in settings}
    return {path: value for path, value in found.items() if value is not None}


def _peek(host: Host, path: str) -> str | None:
    full = f"{host.paths.proc_sys}/{path}"
    try:
        return files.read_setting(full)
    except OSError as error:
        if error.errno in _UNREADABLE:
            return None
        raise IOFailure(f"read {full}: {error.strerror}", "does the kernel have it?") from None


def _set(host: Host, path: str, value: str, *, or_gone: bool = False) -> None:
    """Set one, in the pod; `or_gone` passes by that of an interface that is not there any more."""
    full = f"{host.paths.proc_sys}/{path}"
    try:
        files.write_setting(full, value)
    except FileNotFoundError:
        if not or_gone:
            raise IOFailure(f"set {full}: the kernel has no such setting") from None
    except OSError as error:
        raise IOFailure(f"set {full} to {value!r}: {error.strerror}") from None


def _setting_damage(host: Host, namespace: Namespace, setting: Setting) -> Iterator[str]:
    try:
        found = namespace.run(lambda: _peek(host, setting.path))
    except IOFailure as error:
        yield error.message
        return
    if found is not None and found.split() != setting.value.split():
        yield f"{setting.path.replace('/', '.')} is {found!r}, not {setting.value!r}"


def _link_damage(link: Link | None, request: Request, conf: TuningConf) -> Iterator[str]:
    if link is None:
        yield f"{request.ifname} is missing in the pod"
        return
    compared = (
        ("MAC", link.mac, conf.mac or link.mac),
        ("MTU", link.mtu, conf.mtu or link.mtu),
        ("promiscuous mode", link.promisc, _or(conf.promisc, link.promisc)),
        ("all-multicast mode", link.allmulti, _or(conf.allmulti, link.allmulti)),
        ("txqlen", link.txqlen, link.txqlen if conf.txqlen is None else conf.txqlen),
    )
    for what, found, wanted in compared:
        if found != wanted:
            yield f"{what} of {link.name} in the pod is {_shown(found)}, not {_shown(wanted)}"


def _or(wanted: bool | None, found: bool) -> bool:
    return found if wanted is None else wanted


def _shown(value: object) -> object:
    return ("off", "on")[value] if isinstance(value, bool) else value
