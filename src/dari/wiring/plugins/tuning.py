"""Type `tuning`: changes a pod's interface and kernel settings, behind another plugin.

May import: errors, model, wiring.
"""

from __future__ import annotations

from dari.errors import BadConfig
from dari.files import read_bounded
from dari.wiring import readiness, records, tuning
from dari.wiring.chained import previous_result
from dari.wiring.failures import noting, report
from dari.wiring.settings import data_dir, parse_tuning, refuse_unlisted

_LIMIT = 1 << 20  # bytes of the allow-list

TYPE_CHECKING = False
if TYPE_CHECKING:
    from dari.errors import DariError
    from dari.model import Interface, Request, Result
    from dari.wiring.host import Host
    from dari.wiring.settings import TuningConf


class TuningPlugin:
    """Changes what the configuration names, and puts it back on DEL."""

    def add(self, request: Request, host: Host) -> Result:
        conf = _settle(request, host)
        folder = data_dir(request.conf.raw, host.paths.tuning)
        previous = previous_result(request)
        if conf.settings or conf.changes_link:
            tuning.tune(request, host, conf, folder)
        interfaces = tuple(_changed(each, request, conf) for each in previous.interfaces)
        return previous.replace(interfaces=interfaces)

    def delete(self, request: Request, host: Host) -> None:
        try:
            folder = data_dir(request.conf.raw, host.paths.tuning)
        except BadConfig:
            folder = host.paths.tuning  # its ADD failed too, and nothing was kept anywhere
        tuning.restore(request, host, folder)

    def check(self, request: Request, host: Host) -> None:
        from dari.wiring.inspect import report_damage  # only CHECK needs it

        conf = _settle(request, host)
        previous_result(request)
        report_damage(request, [*tuning.tuning_damage(request, host, conf)])

    def collect(self, request: Request, host: Host) -> None:
        failures: list[DariError] = []
        for lost in records.lost_attachments(host.paths, request.conf, tuning.PART):
            with noting(failures):
                self.delete(records.as_delete(lost), host)
        report(f"GC of network {request.conf.name}", failures)

    def status(self, request: Request, host: Host) -> None:
        _settle(request, host)
        readiness.require_permission()


def _settle(request: Request, host: Host) -> TuningConf:
    conf = parse_tuning(request)
    path = host.paths.tuning_allowlist
    content = read_bounded(path, _LIMIT)
    if content is None:
        return conf
    refuse_unlisted(conf.settings, content.decode(errors="replace").splitlines(), path)
    return conf


def _changed(interface: Interface, request: Request, conf: TuningConf) -> Interface:
    if interface.name != request.ifname or not interface.sandbox:
        return interface
    return interface.replace(mac=conf.mac or interface.mac, mtu=conf.mtu or interface.mtu)


PLUGIN = TuningPlugin()
