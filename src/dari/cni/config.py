"""A plugin's network configuration: bytes of stdin to `NetConf`.

What every plugin shares is checked here; a plugin reads its own keys from `raw`.

Source: CNI SPEC.md 1.1.0, "Network configuration format"; CONVENTIONS.md.
May import: errors, fields, model, result, cni.environment.
"""

from __future__ import annotations

from dari.cni.environment import is_plain_name
from dari.errors import BadConfig, IncompatibleVersion, Undecodable
from dari.fields import section, text
from dari.model import ContainerId, InterfaceName, NetConf, NetworkName, Owner
from dari.result import OLDEST, SUPPORTED, at_least, decode_dns, decode_result

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping

    from dari.model import Json, Result

SINCE: Mapping[str, str] = {"CHECK": "0.4.0", "GC": "1.1.0", "STATUS": "1.1.0"}
ATTACHMENTS = ("cni.dev/valid-attachments", "cni.dev/attachments")


def read_version(raw: Json) -> str:
    """The configuration's version; 0.1.0 where it names none.

    Raises:
        BadConfig: it is not a string.
        IncompatibleVersion: dari does not speak it.
    """
    version = text(raw, "cniVersion") or OLDEST
    if version not in SUPPORTED:
        raise IncompatibleVersion(
            f"cniVersion: {version!r} is not supported", f"supported: {', '.join(SUPPORTED)}"
        )
    return version


def require_verb(command: str, version: str) -> None:
    """Refuse a verb that the configuration's version does not have.

    Raises:
        IncompatibleVersion: it came with a later version.
    """
    since = SINCE.get(command, OLDEST)
    if not at_least(version, since):
        raise IncompatibleVersion(
            f"cniVersion: {version} has no {command}", f"set cniVersion to {since} or later"
        )


def read_config(raw: Json, command: str) -> NetConf:
    """Read what every plugin shares, as far as the verb needs it.

    A DEL is answered even where prevResult cannot be read, since a container
    that cannot be removed is worse; GC and STATUS have none.

    Raises:
        BadConfig: a key has a wrong type or value; the message names it.
        IncompatibleVersion: of the configuration, or of prevResult.
        Undecodable: prevResult is no result.
    """
    version = read_version(raw)
    return NetConf(
        cni_version=version,
        name=network_name(text(raw, "name")),
        type=text(raw, "type"),
        raw=raw,
        ipam=section(raw, "ipam"),
        runtime_config=section(raw, "runtimeConfig"),
        args=section(raw, "args"),
        dns=decode_dns(raw),
        prev_result=_previous(raw, version, command),
        valid_attachments=_valid_attachments(raw) if command == "GC" else None,
    )


def network_name(name: str) -> NetworkName:
    """Check a network's name.

    Raises:
        BadConfig: it is empty or breaks the rule of `is_plain_name`.
    """
    if not name:
        raise BadConfig("name: missing", "give the network a name")
    if not is_plain_name(name):
        raise BadConfig(
            f"name: {name!r} is not allowed",
            "it begins with a letter or digit and has letters, digits, '_', '.' and '-'",
        )
    return NetworkName(name)


def _previous(raw: Json, version: str, command: str) -> Result | None:
    if raw.get("prevResult") is None or command not in ("ADD", "CHECK", "DEL"):
        return None
    try:
        return decode_result(section(raw, "prevResult"), version)
    except (IncompatibleVersion, Undecodable, BadConfig) as error:
        if command == "DEL":
            return None
        if isinstance(error, BadConfig):
            raise
        raise type(error)(f"prevResult.{error.message}") from None


def _valid_attachments(raw: Json) -> tuple[Owner, ...]:
    """The attachments that GC must keep.

    An empty list, or null as Go writes it, means that none is valid. A list
    that is not there at all is an error: to take it for an empty one would take
    every pod off the network.
    """
    key = next((key for key in ATTACHMENTS if key in raw), None)
    if key is None:
        raise BadConfig(f"{ATTACHMENTS[0]}: missing, and GC needs it")
    listed = [] if raw[key] is None else raw[key]
    if not isinstance(listed, list):
        raise BadConfig(f"{key}: {listed!r} is not a list")
    return tuple(_attachment(entry, f"{key}[{index}]") for index, entry in enumerate(listed))


def _attachment(entry: object, where: str) -> Owner:
    if not isinstance(entry, dict):
        raise BadConfig(f"{where}: {entry!r} is not an object")
    container, ifname = text(entry, "containerID"), text(entry, "ifname")
    if not container or not ifname:
        raise BadConfig(f"{where}: containerID and ifname belong there")
    return Owner(container_id=ContainerId(container), ifname=InterfaceName(ifname))
