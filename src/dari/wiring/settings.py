"""The keys of type `tuning`, read and checked before anything is touched: pure.

Source: the reference plugin's documentation (plugins/meta/tuning); sysctl.conf(5)
for the two ways to write a setting's name.
May import: errors, fields, model, record, wiring.conf.
"""

from __future__ import annotations

from dari.errors import BadConfig
from dari.fields import flag, number, section, text
from dari.record import Record
from dari.wiring.conf import parse_mac, parse_mtu, requested_mac

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence

    from dari.model import Json, Request

_PLACEHOLDER = "IFNAME"
_U32 = 2**32 - 1
_LONGEST = 255  # NAME_MAX: no part of a path is longer


class Setting(Record):
    """A kernel setting to change: its key as it is written, its path below /proc/sys."""

    key: str
    path: str
    value: str


class TuningConf(Record):
    """A `tuning` configuration; empty, 0 or None leaves a thing as it is.

    `mtu` is in bytes, `txqlen` in packets.
    """

    settings: tuple[Setting, ...] = ()
    mac: str = ""
    mtu: int = 0
    promisc: bool | None = None
    allmulti: bool | None = None
    txqlen: int | None = None

    @property
    def changes_link(self) -> bool:
        """Whether the interface itself is to be changed, not its settings alone."""
        given = (self.promisc, self.allmulti, self.txqlen)
        return bool(self.mac or self.mtu) or any(each is not None for each in given)


def parse_tuning(request: Request) -> TuningConf:
    """Read the configuration of type `tuning`; what `args.cni` names goes before it.

    Raises:
        BadConfig: a key has a wrong value, or a setting is none of the network's.
        BadEnvironment: the MAC in CNI_ARGS is wrong.
    """
    asked = section(request.conf.args, "cni")
    raw = {**request.conf.raw, **{key: value for key, value in asked.items() if value is not None}}
    settings = {**section(request.conf.raw, "sysctl"), **section(asked, "sysctl")}
    return TuningConf(
        settings=_settings(settings, request.ifname),
        mac=_mac(request, asked),
        mtu=parse_mtu(raw),
        promisc=True if flag(raw, "promisc") else None,
        allmulti=None if raw.get("allmulti") is None else flag(raw, "allmulti"),
        txqlen=None if raw.get("txQLen") is None else number(raw, "txQLen", high=_U32),
    )


def data_dir(raw: Json, default: str) -> str:
    """The folder where what was there before is kept.

    Raises:
        BadConfig: it is no absolute path.
    """
    folder = text(raw, "dataDir") or default
    if not folder.startswith("/") or not folder.isprintable():
        raise BadConfig(f"dataDir: {folder!r} is no absolute path")
    return folder


def refuse_unlisted(settings: Sequence[Setting], patterns: Sequence[str], where: str) -> None:
    """Hold settings to an allow-list: regular expressions, one of which a key must match.

    Args:
        settings: what is to be changed.
        patterns: the list's lines; empty ones are passed by.
        where: its path, for the message.

    Raises:
        BadConfig: a setting matches none, or a line is no regular expression.
    """
    import re  # only where there is a list

    try:
        allowed = [re.compile(line.strip()) for line in patterns if line.strip()]
    except re.error as error:
        raise BadConfig(f"{where}: {error.pattern!r}: {error}", "it takes one per line") from None
    for setting in settings:
        if not any(each.search(setting.key) for each in allowed):
            raise BadConfig(f"sysctl: {setting.key!r} is not allowed here", f"see {where}")


def setting_path(key: str, ifname: str) -> str:
    """A setting's path below /proc/sys, without leaving the network's part of it.

    Parts are separated by '.' or '/', as sysctl takes them; in a key whose first
    separator is '/', a '.' belongs to a name, such as ``net/ipv4/conf/eth0.5/rp_filter``.

    Args:
        key: such as ``net.ipv4.conf.IFNAME.rp_filter``.
        ifname: takes the place of a part IFNAME.

    Raises:
        BadConfig: it is no setting below net.
    """
    slashes_alone = "/" in key and "." not in key.split("/")[0]
    parts = key.split("/") if slashes_alone else key.replace("/", ".").split(".")
    if parts[0] != "net" or len(parts) < 3:
        raise BadConfig(f"sysctl: {key!r} is no setting of the network, such as net.core.somaxconn")
    if not all(map(_is_plain, parts)):
        raise BadConfig(f"sysctl: {key!r} has a part that is none")
    return "/".join(ifname if part == _PLACEHOLDER else part for part in parts)


def _settings(given: Json, ifname: str) -> tuple[Setting, ...]:
    found: dict[str, Setting] = {}
    for key in given:
        path = setting_path(key, ifname)
        if path in found:
            raise BadConfig(f"sysctl: {found[path].key!r} and {key!r} are the same setting")
        found[path] = Setting(key=key, path=path, value=_value(given, key))
    return tuple(found.values())


def _value(given: Json, key: str) -> str:
    value = given[key]
    if not isinstance(value, str):
        raise BadConfig(f"sysctl: the value of {key!r} is {value!r}, not a string")
    if not value.isascii() or not value.replace("\t", " ").isprintable():
        raise BadConfig(f"sysctl: the value of {key!r} is {value!r}, which no setting takes")
    return value


def _is_plain(part: str) -> bool:
    printable = part.isascii() and part.isprintable() and " " not in part
    return printable and 0 < len(part) <= _LONGEST and part not in (".", "..")


def _mac(request: Request, asked: Json) -> str:
    """`args.cni.mac`, above `runtimeConfig.mac`, above CNI_ARGS, above the configuration's."""
    own = parse_mac(request.conf.raw, "mac")
    return parse_mac(asked, "mac") or requested_mac(request) or own
