"""A network as its configuration file describes it: a list of plugins.

Source: CNI SPEC.md 1.1.0, "Network configuration format"; libcni's `conf.go`.
May import: errors, fields, jsontext, model, record, result, cni.config.
"""

from __future__ import annotations

from dari.cni.config import network_name, read_version
from dari.cni.runtime.messages import _
from dari.errors import BadConfig
from dari.fields import items, text
from dari.jsontext import encode
from dari.record import Record
from dari.result import SUPPORTED

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence

    from dari.model import Json, NetworkName


class NetworkList(Record):
    """A network's plugins, in the order of ADD.

    `raw` is the decoded file, with the plugins of the network's own folder in
    its list; `cni_version` is the highest that the file offers and dari knows.
    """

    name: NetworkName
    cni_version: str
    plugins: tuple[Json, ...]
    disable_check: bool
    disable_gc: bool
    raw: Json

    @property
    def content(self) -> bytes:
        """The list as a file that says all of it."""
        return encode(self.raw)


def read_list(raw: Json, more: Sequence[Json] = ()) -> NetworkList:
    """Read a list of plugins.

    Args:
        raw: the decoded ``.conflist``.
        more: plugins from the network's own folder, which follow the list's.

    Raises:
        BadConfig: a key is missing or wrong; the message names it.
        IncompatibleVersion: dari knows none of its versions.
    """
    plugins = (*_inlined(raw), *more)
    if not plugins:
        raise BadConfig(_("plugins: missing"), _("a single plugin belongs in a file named .conf"))
    return NetworkList(
        name=network_name(text(raw, "name")),
        cni_version=_highest_version(raw),
        plugins=plugins,
        disable_check=switch(raw, "disableCheck"),
        disable_gc=switch(raw, "disableGC"),
        raw={**raw, "plugins": list(plugins)},
    )


def read_single(raw: Json) -> NetworkList:
    """Read a ``.conf``: a single plugin is a list of one.

    Raises:
        BadConfig: a key is missing or wrong; the message names it.
        IncompatibleVersion: dari does not know its version.
    """
    _require_type(raw, "", _("a list of plugins belongs in a file named .conflist"))
    version = {"cniVersion": raw["cniVersion"]} if "cniVersion" in raw else {}
    return read_list({"name": text(raw, "name"), **version, "plugins": [raw]})


def read_plugin(raw: Json) -> Json:
    """Check one plugin's own file in the network's folder.

    Raises:
        BadConfig: it names no type.
    """
    _require_type(raw, "", _("name the plugin"))
    return raw


def switch(raw: Json, key: str) -> bool:
    """A boolean of a list, which may be written as a string too.

    Raises:
        BadConfig: it is neither true nor false.
    """
    value = raw.get(key)
    if isinstance(value, str) and value.lower() in ("true", "false"):
        return value.lower() == "true"
    if value is None or isinstance(value, bool):
        return bool(value)
    raise BadConfig(_("{key}: {value!r} is neither true nor false").format(key=key, value=value))


def _inlined(raw: Json) -> tuple[Json, ...]:
    if "plugins" in raw and not items(raw, "plugins"):
        raise BadConfig(_("plugins: the list is empty"))
    plugins = []
    for index, plugin in enumerate(items(raw, "plugins")):
        if not isinstance(plugin, dict):
            raise BadConfig(
                _("plugins[{index}]: {plugin!r} is not an object").format(
                    index=index, plugin=plugin
                )
            )
        _require_type(plugin, f"plugins[{index}].", _("name the plugin"))
        plugins.append(plugin)
    return tuple(plugins)


def _require_type(plugin: Json, where: str, hint: str) -> None:
    if not text(plugin, "type"):
        raise BadConfig(_("{where}type: missing").format(where=where), hint)


def _highest_version(raw: Json) -> str:
    """The highest known of `cniVersions` and `cniVersion`; later ones are passed by."""
    offered = items(raw, "cniVersions")
    for version in offered:
        if not isinstance(version, str):
            raise BadConfig(_("cniVersions: {version!r} is not a string").format(version=version))
    known = [version for version in SUPPORTED if version in (*offered, text(raw, "cniVersion"))]
    return known[-1] if known else read_version({"cniVersion": raw.get("cniVersion")})
