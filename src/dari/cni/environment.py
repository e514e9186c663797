"""The CNI_* variables of one call, checked before anything is done.

Source: CNI SPEC.md 1.1.0, "Parameters" and the list of each operation's
variables; libcni's `pkg/utils` for the rules of names.
May import: errors, model, record, cni.args.
"""

from __future__ import annotations

from dari.cni.args import parse_args
from dari.errors import BadEnvironment
from dari.model import ContainerId, InterfaceName, can_name_link
from dari.record import Record

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping

_ATTACHMENT = ("CNI_CONTAINERID", "CNI_IFNAME")

REQUIRED: Mapping[str, tuple[str, ...]] = {
    "ADD": (*_ATTACHMENT, "CNI_NETNS"),
    "DEL": _ATTACHMENT,
    "CHECK": (*_ATTACHMENT, "CNI_NETNS"),
    "GC": ("CNI_PATH",),
    "STATUS": (),
    "VERSION": (),
}

_LETTERS_AND_DIGITS = frozenset("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789")
_INNER = _LETTERS_AND_DIGITS | frozenset("_.-")
_NO_ARGS: Mapping[str, str] = {}


class Environment(Record):
    """One call's variables; those of the attachment are empty for GC, STATUS and VERSION.

    `own_namespace_allowed` is CNI_NETNS_OVERRIDE.
    """

    command: str
    container_id: ContainerId = ContainerId("")
    ifname: InterfaceName = InterfaceName("")
    netns: str = ""
    args: Mapping[str, str] = _NO_ARGS
    path: tuple[str, ...] = ()
    own_namespace_allowed: bool = False


def read_environment(environ: Mapping[str, str]) -> Environment:
    """Check the variables that the verb needs, and read them.

    Raises:
        BadEnvironment: one is missing or wrong; the message names it.
    """
    command = environ.get("CNI_COMMAND", "")
    if command not in REQUIRED:
        raise BadEnvironment(
            f"CNI_COMMAND: {command!r} is no operation" if command else "CNI_COMMAND: missing",
            f"a container runtime sets it to one of {', '.join(REQUIRED)}",
        )
    missing = [name for name in REQUIRED[command] if not environ.get(name)]
    if missing:
        raise BadEnvironment(f"{', '.join(missing)}: missing, and {command} needs it")
    if command == "ADD":
        _require_text(environ)
    path = tuple(folder for folder in environ.get("CNI_PATH", "").split(":") if folder)
    if "CNI_IFNAME" not in REQUIRED[command]:
        return Environment(command=command, path=path)
    return Environment(
        command=command,
        container_id=container_id(environ["CNI_CONTAINERID"]),
        ifname=interface_name(environ["CNI_IFNAME"]),
        netns=environ.get("CNI_NETNS", ""),
        args=parse_args(environ.get("CNI_ARGS", "")),
        path=path,
        own_namespace_allowed=environ.get("CNI_NETNS_OVERRIDE", "").upper() in ("1", "TRUE"),
    )


def _require_text(environ: Mapping[str, str]) -> None:
    """Refuse paths that the attachment's record, from which it is deleted, could not hold."""
    for name in ("CNI_NETNS", "CNI_PATH"):
        try:
            environ.get(name, "").encode()
        except UnicodeEncodeError:
            raise BadEnvironment(f"{name}: {environ[name]!r} is not UTF-8") from None


def is_plain_name(text: str) -> bool:
    """The rule of container ids and network names: ``[a-zA-Z0-9][a-zA-Z0-9_.-]*``."""
    return text[:1] in _LETTERS_AND_DIGITS and _INNER.issuperset(text)


def container_id(text: str) -> ContainerId:
    """Check a container's id.

    Raises:
        BadEnvironment: it breaks the rule of `is_plain_name`.
    """
    if not is_plain_name(text):
        raise BadEnvironment(
            f"CNI_CONTAINERID: {text!r} is not allowed",
            "it begins with a letter or digit and has letters, digits, '_', '.' and '-'",
        )
    return ContainerId(text)


_TAKEN = frozenset({".", "..", "all", "default"})  # the last two name the kernel's settings


def interface_name(text: str) -> InterfaceName:
    """Check the name of an interface to be made.

    The kernel refuses the same names, save that it takes ``%`` for a pattern to
    number links by (`dev_alloc_name`) and would make another one than asked for.

    Raises:
        BadEnvironment: no link can have it.
    """
    if text in _TAKEN or not all(map(_may_be_in_name, text)) or not can_name_link(text):
        raise BadEnvironment(
            f"CNI_IFNAME: {text!r} is no name for an interface",
            "1 to 15 bytes of UTF-8, without '/', ':', '%', white space and the byte 0xA0,"
            " and neither all nor default",
        )
    return InterfaceName(text)


def _may_be_in_name(character: str) -> bool:
    return character != "%" and not character.isspace()
