"""The keys of type `bandwidth`, read and checked before anything is touched: pure.

Rates and bursts come in bits (per second), as the reference has them, and go to
the kernel in bytes.

Source: the reference plugin's documentation (plugins/meta/bandwidth).
May import: errors, fields, netlink's data, record.
"""

from __future__ import annotations

from dari.errors import BadConfig, UnsupportedField
from dari.fields import number, section
from dari.netlink.traffic import Bucket
from dari.record import Record

TYPE_CHECKING = False
if TYPE_CHECKING:
    from dari.model import Json, Request

_KEYS = ("ingressRate", "ingressBurst", "egressRate", "egressBurst")
_NOT_YET = ("shapedSubnets", "unshapedSubnets")
_HIGHEST = 2**64 - 1
_U32 = 2**32 - 1
_LATENCY_MS = 25  # how long a packet may wait, as in the reference


class Limits(Record):
    """How fast a pod may receive (`ingress`) and send (`egress`); None for no limit."""

    ingress: Bucket | None = None
    egress: Bucket | None = None

    @property
    def none(self) -> bool:
        """Whether nothing is limited."""
        return self.ingress is None and self.egress is None


def parse_limits(request: Request) -> Limits:
    """Read the limits: the configuration's own, or where it has none, the runtime's.

    Raises:
        BadConfig: a key has a wrong value, or a rate comes without a burst.
        UnsupportedField: only some of the traffic is to be limited.
    """
    raw = request.conf.raw
    asked = section(request.conf.runtime_config, "bandwidth")
    chosen = raw if any(raw.get(key) is not None for key in _KEYS) else asked
    for key in _NOT_YET:
        if raw.get(key) or asked.get(key):
            raise UnsupportedField(f"{key}: not supported by dari", f"remove {key}")
    return Limits(ingress=_bucket(chosen, "ingress"), egress=_bucket(chosen, "egress"))


def _bucket(source: Json, direction: str) -> Bucket | None:
    rate = number(source, f"{direction}Rate", high=_HIGHEST)
    burst = number(source, f"{direction}Burst", high=_HIGHEST)
    if not rate and not burst:
        return None
    if not rate or not burst:
        raise BadConfig(f"{direction}Rate and {direction}Burst go together: set both, or neither")
    if burst // 8 >= _U32:
        raise BadConfig(f"{direction}Burst: {burst} bits are more than 4 GB")
    if rate < 8 or burst < 8:
        raise BadConfig(f"{direction}Rate and {direction}Burst: less than a byte")
    per_second, at_once = rate // 8, burst // 8
    waiting = per_second * _LATENCY_MS // 1000 + at_once
    return Bucket(rate=per_second, burst=at_once, limit=min(waiting, _U32))
