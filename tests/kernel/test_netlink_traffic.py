"""Traffic control, macvlan and ifb on the real kernel, with `tc` and `ip` as witnesses."""

from __future__ import annotations

import json
from contextlib import suppress
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dari.errors import AlreadyExists, Undecodable
from dari.netlink.devices import MACVLAN_MODES, add_ifb, add_macvlan, get_macvlan, parse_macvlan
from dari.netlink.link import get_link
from dari.netlink.namespace import Namespace
from dari.netlink.sock import NetlinkSocket
from dari.netlink.traffic import (
    Bucket,
    add_ingress,
    clear_bucket,
    delete_ingress,
    list_qdiscs,
    parse_qdisc,
    parse_redirects,
    redirect_all,
    redirected_to,
    set_bucket,
)
from tests.support.isolation import add_namespace
from tests.support.kernel import ip, run


def tc(*words: str) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = json.loads(run("tc", "-json", *words) or "[]")
    return found


BUCKETS = [
    Bucket(rate=1_000_000, burst=200_000, limit=225_000),
    Bucket(rate=1, burst=2000, limit=2000),  # a burst of 2000 s
    Bucket(rate=6_000_000_000, burst=1_000_000, limit=151_000_000),  # 48 Gbit/s
    Bucket(rate=125_000, burst=2**32 - 1, limit=2**32 - 1),
]


@pytest.mark.parametrize("bucket", BUCKETS)
def test_a_bucket_is_what_tc_shows(bucket: Bucket) -> None:
    run("ip", "link", "add", "near", "type", "veth", "peer", "far")
    with NetlinkSocket() as sock:
        index = get_link(sock, name="near").index
        for _ in range(2):
            sock.transact([set_bucket(index, bucket)])
        [shown] = tc("qdisc", "show", "dev", "near")
        assert (shown["kind"], shown["handle"], shown["root"]) == ("tbf", "1:", True)
        assert shown["options"]["rate"] == bucket.rate
        [found] = list_qdiscs(sock, index=index)
        assert found.holds(bucket)
        assert not found.holds(bucket.replace(rate=bucket.rate + 1))
        assert not found.holds(bucket.replace(limit=bucket.limit - 1))
        assert not found.holds(bucket.replace(burst=bucket.burst // 2))
        sock.transact([clear_bucket(index)])
        assert not [each for each in list_qdiscs(sock, index=index) if each.kind == "tbf"]


def test_a_usual_burst_is_what_tc_shows() -> None:
    run("ip", "link", "add", "near", "type", "veth", "peer", "far")
    with NetlinkSocket() as sock:
        sock.transact([set_bucket(get_link(sock, name="near").index, BUCKETS[0])])
    assert "rate 8Mbit burst 200000b lat 25ms" in run("tc", "qdisc", "show", "dev", "near")


def test_what_a_link_receives_is_redirected() -> None:
    run("ip", "link", "add", "near", "type", "veth", "peer", "far")
    with NetlinkSocket() as sock:
        sock.transact([add_ifb("shaper", mtu=1400, up=True)])
        shaper, link = (get_link(sock, name=name).index for name in ("shaper", "near"))
        sock.transact([add_ingress(link), redirect_all(link, shaper)])
        assert [each for each in list_qdiscs(sock, index=link) if each.is_ingress]
        assert redirected_to(sock, index=link) == [shaper]
        assert redirected_to(sock, index=shaper) == []
        with pytest.raises(AlreadyExists):
            sock.transact([add_ingress(link)])
    [shown] = ip("link", "show", "dev", "shaper")
    assert (shown["linkinfo"]["info_kind"], shown["mtu"]) == ("ifb", 1400)
    assert "UP" in shown["flags"]
    text = run("tc", "filter", "show", "dev", "near", "ingress")
    assert "mirred (Egress Redirect to device shaper) stolen" in text
    assert "match 00000000/00000000 at 0" in text
    with NetlinkSocket() as sock:
        sock.transact([delete_ingress(link)])
    assert "ingress" not in run("tc", "qdisc", "show", "dev", "near")


@pytest.mark.parametrize("mode", MACVLAN_MODES)
def test_a_macvlan_is_what_ip_shows(mode: str) -> None:
    run("ip", "link", "add", "lower", "type", "bridge")
    with Namespace.open(add_namespace("pod")) as pod, NetlinkSocket() as sock:
        request = add_macvlan(
            "eth0",
            lower=get_link(sock, name="lower").index,
            mode=mode,
            netns=pod.fd,
            # A link of mode passthru has the lower one's MAC.
            mac="" if mode == "passthru" else "0a:00:00:00:00:01",
            mtu=1400,
            queue=77,
        )
        sock.transact([request])
        with pod.socket() as inside:
            index = get_link(inside, name="eth0").index
            found = get_macvlan(inside, index=index)
            assert found is not None and (found.mode, found.queue) == (mode, 77)
            assert get_macvlan(inside, index=1) is None
    [shown] = ip("link", "show", "dev", "eth0", namespace="pod")
    assert shown["linkinfo"]["info_data"]["mode"] == mode
    assert shown["mtu"] == 1400
    if mode != "passthru":
        assert shown["address"] == "0a:00:00:00:00:01"


@given(st.binary(max_size=120))
def test_random_bytes_are_undecodable_or_read(body: bytes) -> None:
    for parse in (parse_qdisc, parse_redirects, parse_macvlan):
        with suppress(Undecodable):
            parse(body)
