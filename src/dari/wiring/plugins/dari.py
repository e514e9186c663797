"""Type `dari`: what a cluster's pod needs, in one call, with defaults that suit it.

The node is the pods' default gateway unless told otherwise, and leases die with
the boot. What a list would have further plugins for, this does itself where the
configuration or the runtime asks for it: it calls them one after the other, each
with its own keys alone and with the result so far, as a runtime would.

May import: errors, model, wiring.
"""

from __future__ import annotations

from contextlib import ExitStack

from dari.errors import CheckFailed
from dari.record import Record
from dari.wiring.addresses import address_source
from dari.wiring.conf import parse_bridge
from dari.wiring.failures import noting, quietly, report
from dari.wiring.plugins.bridge import BridgePlugin
from dari.wiring.registry import plugin
from dari.wiring.remains import has_record

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from dari.errors import DariError
    from dari.model import Request, Result
    from dari.wiring.addresses import AddressSource
    from dari.wiring.conf import BridgeConf
    from dari.wiring.host import Host
    from dari.wiring.registry import Plugin

_SHARED = ("cniVersion", "name")


class Part(Record):
    """A chained plugin, and which keys of the configuration and the runtime are its own.

    One that bears `calls` asks for it; the others only say how.
    """

    name: str
    keys: tuple[str, ...] = ()
    asked: str = ""
    calls: str = ""


ON_LINK = (
    Part(name="tuning", keys=("sysctl",), calls="sysctl"),
    Part(name="bandwidth", asked="bandwidth"),
)
IN_TABLE = (
    Part(name="firewall", keys=("ingressPolicy",), calls="ingressPolicy"),
    Part(
        name="portmap",
        keys=("snat", "masqAll", "markMasqBit", "conditionsV4", "conditionsV6"),
        asked="portMappings",
    ),
)
"""What changes dari's table, in one transaction."""
PARTS = (*ON_LINK, *IN_TABLE)
"""In the order of ADD; DEL goes the other way. Ports are opened to a pod that is ready."""


class DariPlugin(BridgePlugin):
    """Type `bridge` with other defaults, and the chained plugins in the same call."""

    def settle(self, request: Request, host: Host) -> tuple[BridgeConf, AddressSource]:
        """Read the configuration, before anything is changed.

        Raises:
            BadConfig: it is wrong.
        """
        conf = parse_bridge(request, gateway_by_default=True)
        return conf, address_source(request, host, default_dir=host.paths.leases)

    def add(self, request: Request, host: Host) -> Result:
        result = super().add(request, host)
        if not any(_is_asked_for(part, request) for part in PARTS):
            return result
        with ExitStack() as undo:
            undo.callback(quietly, lambda: super(DariPlugin, self).delete(request, host))
            result = _add(ON_LINK, request, host, result, undo)
            if any(_is_asked_for(part, request) for part in IN_TABLE):
                with host.changing_table():
                    result = _add(IN_TABLE, request, host, result, undo)
            undo.pop_all()
        return result

    def delete(self, request: Request, host: Host) -> None:
        failures: list[DariError] = []
        in_table = _parts_to_delete(IN_TABLE, request, host)
        if in_table:
            with noting(failures), host.changing_table():
                _delete(in_table, request, host, failures)
        _delete(_parts_to_delete(ON_LINK, request, host), request, host, failures)
        with noting(failures):
            super().delete(request, host)
        report(f"DEL {request.container_id} {request.ifname}", failures)

    def check(self, request: Request, host: Host) -> None:
        failures: list[DariError] = []
        with noting(failures):
            super().check(request, host)
        for each, view in _asked(request):
            with noting(failures):
                each.check(view, host)
        if len(failures) > 1 and all(isinstance(each, CheckFailed) for each in failures):
            damage = dict.fromkeys(each.details or each.message for each in failures)
            raise CheckFailed(failures[0].message, "; ".join(damage))
        report(f"CHECK {request.container_id} {request.ifname}", failures)

    def collect(self, request: Request, host: Host) -> None:
        failures: list[DariError] = []
        for part in reversed(PARTS):
            with noting(failures):
                plugin(part.name).collect(_view(part, request), host)
        with noting(failures):
            super().collect(request, host)
        report(f"GC of network {request.conf.name}", failures)

    def status(self, request: Request, host: Host) -> None:
        super().status(request, host)
        for each, view in _asked(request):
            each.status(view, host)


def _add(
    parts: Sequence[Part], request: Request, host: Host, result: Result, undo: ExitStack
) -> Result:
    """Call those of the parts that are asked for, each with the result so far."""
    for part in parts:
        if _is_asked_for(part, request):
            view = _view(part, request, result)
            result = plugin(part.name).add(view, host)
            undo.callback(quietly, _deletion(plugin(part.name), view, host))
    return result


def _parts_to_delete(parts: Sequence[Part], request: Request, host: Host) -> list[Part]:
    return [
        part
        for part in reversed(parts)
        if has_record(host.paths, request.owner, part.name) or _is_asked_for(part, request)
    ]


def _delete(parts: Sequence[Part], request: Request, host: Host, failures: list[DariError]) -> None:
    for part in parts:
        with noting(failures):
            plugin(part.name).delete(_view(part, request), host)


def _is_asked_for(part: Part, request: Request) -> bool:
    asked = part.asked and request.conf.runtime_config.get(part.asked)
    return bool(asked) or bool(part.calls and request.conf.raw.get(part.calls) is not None)


def _asked(request: Request) -> Iterator[tuple[Plugin, Request]]:
    for part in PARTS:
        if _is_asked_for(part, request):
            yield plugin(part.name), _view(part, request, request.conf.prev_result)


def _view(part: Part, request: Request, result: Result | None = None) -> Request:
    """The request as the plugin would get it in a list: its own keys, and no others."""
    conf = request.conf
    asked = {part.asked: conf.runtime_config[part.asked]} if _has(part, request) else {}
    own = {key: conf.raw[key] for key in (*_SHARED, *part.keys) if key in conf.raw}
    raw = {**own, "type": part.name, "runtimeConfig": asked}
    return request.replace(
        args={},
        conf=conf.replace(
            type=part.name,
            raw=raw,
            ipam={},
            runtime_config=asked,
            args={},
            prev_result=result,
        ),
    )


def _has(part: Part, request: Request) -> bool:
    return bool(part.asked) and part.asked in request.conf.runtime_config


def _deletion(each: Plugin, view: Request, host: Host) -> Callable[[], None]:
    return lambda: each.delete(view, host)


PLUGIN = DariPlugin()
