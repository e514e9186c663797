"""Traffic control: how fast a link may send, and packets sent on to another link.

A *qdisc* queues what a link sends. `Bucket` is the token bucket (tbf), the
*ingress* qdisc is where filters see what a link receives, and the filter here
hands all of that to another link.

Source: linux/rtnetlink.h (tcmsg), linux/pkt_sched.h, linux/pkt_cls.h,
linux/tc_act/tc_mirred.h; net/sched/sch_tbf.c for what a bucket may be.
May import: errors, record, codec, and conversation for its type.
"""

from __future__ import annotations

from struct import Struct

from dari.netlink import constants as c
from dari.netlink.codec import (
    Request,
    attribute,
    nested,
    pack,
    parse_attributes,
    text,
    u32,
    unpack,
)
from dari.record import Record

TYPE_CHECKING = False
if TYPE_CHECKING:
    from dari.netlink.conversation import Conversation

# linux/rtnetlink.h
_NEWQDISC, _DELQDISC, _GETQDISC = 36, 37, 38
_NEWTFILTER, _GETTFILTER = 44, 46
_TCA_KIND, _TCA_OPTIONS = 1, 2
# linux/pkt_sched.h
TC_H_ROOT, TC_H_INGRESS = 0xFFFFFFFF, 0xFFFFFFF1
_TCA_TBF_PARMS, _TCA_TBF_RATE64, _TCA_TBF_BURST = 1, 4, 6
_LINKLAYER_ETHERNET = 1
# linux/pkt_cls.h
_TCA_U32_CLASSID, _TCA_U32_SEL, _TCA_U32_ACT = 1, 5, 7
_TCA_ACT_KIND, _TCA_ACT_OPTIONS = 1, 2
_TC_U32_TERMINAL, _TC_ACT_STOLEN = 1, 4
# linux/tc_act/tc_mirred.h
_TCA_MIRRED_PARMS, _TCA_EGRESS_REDIR = 2, 1

_TCMSG = Struct("=BxHiIII")
_RATESPEC = Struct("=BBHhHI")
_TBF = Struct("=12s12sIII")
_SELECTOR = Struct("=BBBxHHhhI")
_SELECTOR_KEY = Struct("=IIii")
_MIRRED = Struct("=IIiiiiI")
_RATE64, _HOST16, _NETWORK16 = Struct("=Q"), Struct("=H"), Struct(">H")

_BUCKET_HANDLE, _INGRESS_HANDLE = 0x10000, 0xFFFF0000  # 1: and ffff:
_FLOW = 0x10001  # 1:1
_ETH_P_ALL = 0x0003  # linux/if_ether.h
_NS_PER_TICK = 64  # include/net/pkt_sched.h, PSCHED_SHIFT
_NS_PER_SECOND = 1_000_000_000
_U32 = 2**32 - 1


class Bucket(Record):
    """A token bucket.

    Attributes:
        rate: bytes per second, on average.
        burst: bytes that may be sent at once.
        limit: bytes that may wait, the burst included.
    """

    rate: int
    burst: int
    limit: int

    @property
    def ticks(self) -> int:
        """The time that a burst takes at the rate, as the kernel counts it."""
        return self.burst * _NS_PER_SECOND // (self.rate * _NS_PER_TICK)


class Qdisc(Record):
    """A qdisc as the kernel describes it; `bucket_ticks` stands for the burst of a tbf."""

    index: int
    kind: str
    parent: int
    rate: int = 0
    limit: int = 0
    bucket_ticks: int = 0

    @property
    def is_ingress(self) -> bool:
        """Whether it is where filters see what the link receives."""
        return self.parent == TC_H_INGRESS

    def holds(self, bucket: Bucket) -> bool:
        """Whether it is that bucket; a burst is kept as a time, which rounds it."""
        if self.kind != "tbf" or (self.rate, self.limit) != (bucket.rate, bucket.limit):
            return False
        # The kernel tells only the lower 32 bits of the time: 275 s.
        off = (self.bucket_ticks - bucket.ticks) & _U32
        return min(off, _U32 + 1 - off) <= 1 + bucket.ticks // 1000


def set_bucket(index: int, bucket: Bucket) -> Request:
    """Let a link send no faster than a bucket allows, in place of what it had.

    Equivalent to: `tc qdisc replace dev LINK root handle 1: tbf rate RATE burst BURST
    limit LIMIT`.
    """
    rate = _RATESPEC.pack(0, _LINKLAYER_ETHERNET, 0, 0, 0, min(bucket.rate, _U32))
    parameters = pack(_TBF, rate, bytes(_RATESPEC.size), bucket.limit, min(bucket.ticks, _U32), 0)
    options = attribute(_TCA_TBF_PARMS, parameters) + u32(_TCA_TBF_BURST, bucket.burst)
    if bucket.rate > _U32:
        options += attribute(_TCA_TBF_RATE64, pack(_RATE64, bucket.rate))
    return Request(
        kind=_NEWQDISC,
        flags=c.NLM_F_CREATE | c.NLM_F_REPLACE,
        body=_header(index, handle=_BUCKET_HANDLE, parent=TC_H_ROOT)
        + text(_TCA_KIND, "tbf")
        + nested(_TCA_OPTIONS, options),
        doing=f"limit the rate of link {index}",
    )


def clear_bucket(index: int) -> Request:
    """Let a link send as it did before there was a bucket.

    Equivalent to: `tc qdisc delete dev LINK root`.
    """
    return Request(
        kind=_DELQDISC,
        flags=0,
        body=_header(index, handle=_BUCKET_HANDLE, parent=TC_H_ROOT),
        doing=f"take the limit of link {index} away",
    )


def add_ingress(index: int) -> Request:
    """Let filters see what a link receives.

    Equivalent to: `tc qdisc add dev LINK ingress`.
    """
    return Request(
        kind=_NEWQDISC,
        flags=c.NLM_F_CREATE | c.NLM_F_EXCL,
        body=_header(index, handle=_INGRESS_HANDLE, parent=TC_H_INGRESS)
        + text(_TCA_KIND, "ingress"),
        doing=f"add ingress of link {index}",
    )


def delete_ingress(index: int) -> Request:
    """Take the ingress qdisc and all its filters away.

    Equivalent to: `tc qdisc delete dev LINK ingress`.
    """
    return Request(
        kind=_DELQDISC,
        flags=0,
        body=_header(index, handle=_INGRESS_HANDLE, parent=TC_H_INGRESS),
        doing=f"delete ingress of link {index}",
    )


def redirect_all(index: int, target: int) -> Request:
    """Have all that a link receives sent by another one instead.

    Equivalent to: `tc filter add dev LINK parent ffff: protocol all prio 1 u32
    match u32 0 0 flowid 1:1 action mirred egress redirect dev TARGET`.

    Args:
        index: the link, which has an ingress qdisc.
        target: index of the other one.
    """
    action = pack(_MIRRED, 0, 0, _TC_ACT_STOLEN, 0, 0, _TCA_EGRESS_REDIR, target)
    mirred = text(_TCA_ACT_KIND, "mirred") + nested(
        _TCA_ACT_OPTIONS, attribute(_TCA_MIRRED_PARMS, action)
    )
    everything = pack(_SELECTOR, _TC_U32_TERMINAL, 0, 1, 0, 0, 0, 0, 0) + bytes(_SELECTOR_KEY.size)
    options = (
        u32(_TCA_U32_CLASSID, _FLOW)
        + attribute(_TCA_U32_SEL, everything)
        + nested(_TCA_U32_ACT, nested(1, mirred))
    )
    return Request(
        kind=_NEWTFILTER,
        flags=c.NLM_F_CREATE | c.NLM_F_EXCL,
        body=_header(index, parent=_INGRESS_HANDLE, info=_filter_info())
        + text(_TCA_KIND, "u32")
        + nested(_TCA_OPTIONS, options),
        doing=f"redirect what link {index} receives to link {target}",
    )


def list_qdiscs(sock: Conversation, *, index: int) -> list[Qdisc]:
    """The qdiscs of a link.

    Equivalent to: `tc qdisc show dev LINK`.
    """
    request = Request(kind=_GETQDISC, flags=0, body=_header(index), doing="list qdiscs")
    # Checked again here: the kernel tells of all links.
    return [each for each in map(parse_qdisc, sock.dump(request)) if each.index == index]


def redirected_to(sock: Conversation, *, index: int) -> list[int]:
    """The links that filters on a link's ingress redirect to; 0 for one that is gone.

    Equivalent to: `tc filter show dev LINK ingress`.
    """
    filters = _list_filters(sock, index)
    return [target for body in filters for target in parse_redirects(body)]


def is_idle(sock: Conversation, *, index: int) -> bool:
    """Does a link's ingress do nothing: has it no filter, or only what leads to links gone?"""
    return all(map(_leads_nowhere, _list_filters(sock, index)))


def _list_filters(sock: Conversation, index: int) -> list[bytes]:
    request = Request(
        kind=_GETTFILTER,
        flags=0,
        body=_header(index, parent=_INGRESS_HANDLE),
        doing=f"list filters of link {index}",
    )
    return list(sock.dump(request))


def _leads_nowhere(body: bytes) -> bool:
    found = parse_attributes(body[_TCMSG.size :])
    if found.text(_TCA_KIND) != "u32":
        return False
    selects = _TCA_U32_SEL in found.nested(_TCA_OPTIONS)  # what does not is a table of filters
    return not selects or parse_redirects(body) == [0]


def parse_qdisc(body: bytes) -> Qdisc:
    """Read the body of RTM_NEWQDISC.

    Raises:
        Undecodable: it is none.
    """
    _, _, index, _, parent, _ = unpack(_TCMSG, body, "qdisc")
    found = parse_attributes(body[_TCMSG.size :])
    kind = found.text(_TCA_KIND)
    if kind != "tbf":
        return Qdisc(index=index, kind=kind, parent=parent)
    options = found.nested(_TCA_OPTIONS)
    spec, _, limit, ticks, _ = unpack(_TBF, options.get(_TCA_TBF_PARMS, b""), "bucket")
    *_, rate = _RATESPEC.unpack(spec)
    if _TCA_TBF_RATE64 in options:
        (rate,) = unpack(_RATE64, options[_TCA_TBF_RATE64], "rate")
    return Qdisc(index=index, kind=kind, parent=parent, rate=rate, limit=limit, bucket_ticks=ticks)


def parse_redirects(body: bytes) -> list[int]:
    """The links that one filter (the body of RTM_NEWTFILTER) redirects to.

    Raises:
        Undecodable: it is none.
    """
    unpack(_TCMSG, body, "filter")
    options = parse_attributes(body[_TCMSG.size :]).nested(_TCA_OPTIONS)
    targets = []
    for payload in options.nested(_TCA_U32_ACT).values():
        settings = parse_attributes(payload).nested(_TCA_ACT_OPTIONS)
        if _TCA_MIRRED_PARMS in settings:
            *_, target = unpack(_MIRRED, settings[_TCA_MIRRED_PARMS], "redirection")
            targets.append(int(target))
    return targets


def _header(index: int, *, handle: int = 0, parent: int = 0, info: int = 0) -> bytes:
    return pack(_TCMSG, 0, 0, index, handle, parent, info)


def _filter_info() -> int:
    """Priority 1, and the protocol in network order."""
    (protocol,) = _HOST16.unpack(_NETWORK16.pack(_ETH_P_ALL))
    return 1 << 16 | int(protocol)
