"""The socket itself: batches, dumps under change, events, and who may speak to it."""

from __future__ import annotations

import errno
import os
import select
import socket
from collections.abc import Callable
from contextlib import suppress
from ipaddress import ip_interface
from struct import pack
from threading import Event, Thread
from typing import TYPE_CHECKING

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dari.errors import (
    AlreadyExists,
    DariError,
    KernelRefused,
    NotFound,
    TryAgain,
    Undecodable,
)
from dari.netlink import constants as c
from dari.netlink.address import add_address
from dari.netlink.codec import Message, Request, parse_attributes
from dari.netlink.conversation import BATCH_REQUESTS, DUMP_ATTEMPTS
from dari.netlink.deaf import deaf_to
from dari.netlink.link import get_link, list_links, parse_link
from dari.netlink.linkchange import add_bridge, change_link, delete_link
from dari.netlink.route import parse_route
from dari.netlink.sock import NetlinkSocket, Overrun

if TYPE_CHECKING:
    from dari.netlink.conversation import Carrier

STABLE = {f"stable{number}" for number in range(100)}


def option(sock: NetlinkSocket, name: int, value: int | bytes) -> None:
    with socket.socket(fileno=os.dup(sock.fileno())) as same:
        same.setsockopt(socket.SOL_SOCKET, name, value)


def names(sock: NetlinkSocket) -> list[str]:
    return [link.name for link in list_links(sock, kind="bridge")]


@pytest.mark.parametrize("count", [5, 3 * BATCH_REQUESTS])
def test_one_refused_in_the_middle_of_a_batch(count: int) -> None:
    middle = count // 2
    with NetlinkSocket() as sock:
        requests = [change_link(name="lo", group=number) for number in range(count)]
        requests[middle] = add_bridge("a-name-of-more-than-15")
        requests[-1] = delete_link(name="nope")
        with pytest.raises(KernelRefused, match="add bridge a-name") as caught:
            sock.transact(requests)
        assert caught.value.index == middle
        assert caught.value.errno == errno.ERANGE
        assert "policy validation" in caught.value.extack
        [lo] = [link for link in list_links(sock) if link.name == "lo"]
        assert lo.group == count - 2
        assert not select.select([sock], [], [], 0)[0]
        sock.transact([add_bridge("cni0")])
        assert names(sock) == ["cni0"]


def test_acks_of_long_refusals_all_fit() -> None:
    with NetlinkSocket() as sock:
        wrong = [add_bridge("a-name-of-more-than-15") for _ in range(5 * BATCH_REQUESTS)]
        with pytest.raises(KernelRefused) as caught:
            sock.transact(wrong)
        assert caught.value.index == 0
        assert not select.select([sock], [], [], 0)[0]


def test_requests_longer_than_a_datagram_are_refused_by_name() -> None:
    with NetlinkSocket() as sock:
        long = Request(kind=c.RTM_GETLINK, flags=0, body=bytes(1 << 20), doing="say too much")
        with pytest.raises(KernelRefused):
            sock.transact([long])
        assert names(sock) == []


class Disturbed(NetlinkSocket):
    """Does something before each of the first receives."""

    def __init__(self, disturb: Callable[[], None], times: int) -> None:
        super().__init__()
        self._carrier = self.disturbing = Disturbing(self._carrier, disturb, times)


class Disturbing:
    """A carrier before each of whose first receives something is done."""

    def __init__(self, carrier: Carrier, disturb: Callable[[], None], times: int) -> None:
        self.carrier = carrier
        self.disturb = disturb
        self.times = times

    def send(self, datagram: bytes) -> None:
        self.carrier.send(datagram)

    def receive(self) -> bytes:
        if self.times:
            self.times -= 1
            self.disturb()
        return self.carrier.receive()


def toggle(sock: NetlinkSocket) -> Callable[[], None]:
    """Make a link, take it away, and so on: each cuts up a dump of links."""
    there: list[bool] = []

    def work() -> None:
        if there:
            sock.transact([delete_link(name="coming")])
            there.clear()
        else:
            sock.transact([add_bridge("coming")])
            there.append(True)

    return work


def test_a_dump_cut_up_by_a_change_is_whole_in_the_end() -> None:
    with NetlinkSocket() as other:
        other.transact([add_bridge(name) for name in sorted(STABLE)])
        with Disturbed(toggle(other), times=7) as sock:
            found = names(sock)
        assert len(found) == len(set(found))
        assert set(found) - {"coming"} == STABLE


def test_a_dump_that_is_cut_up_every_time_is_given_up() -> None:
    with NetlinkSocket() as other:
        other.transact([add_bridge(name) for name in sorted(STABLE)])
        with Disturbed(toggle(other), times=1 << 30) as sock:
            with pytest.raises(TryAgain, match=f"{DUMP_ATTEMPTS} times"):
                names(sock)
            sock.disturbing.times = 0
            assert set(names(sock)) - {"coming"} == STABLE


def test_dumps_amid_heavy_change_are_whole_or_refused() -> None:
    finished = Event()

    def churn() -> None:
        with NetlinkSocket() as sock:
            work = toggle(sock)
            while not finished.is_set():
                work()

    with NetlinkSocket() as sock:
        sock.transact([add_bridge(name) for name in sorted(STABLE)])
        thread = Thread(target=churn)
        thread.start()
        whole = 0
        try:
            for _ in range(100):
                try:
                    found = names(sock)
                except TryAgain:
                    continue
                assert sorted(set(found) - {"coming"}) == sorted(STABLE)
                assert len(found) == len(set(found))
                whole += 1
        finally:
            finished.set()
            thread.join()
        assert whole > 0


def test_events_are_heard_in_order() -> None:
    with NetlinkSocket(groups=[c.RTNLGRP_LINK]) as listener, NetlinkSocket() as sock:
        assert listener.receive(wait=False) == []
        sock.transact([add_bridge("cni0")])
        sock.transact([delete_link(name="cni0")])
        seen: list[Message] = []
        while not any(message.kind == c.RTM_DELLINK for message in seen):
            seen += listener.receive()
        links = [(message.kind, parse_link(message.body).name) for message in seen]
        assert links[0] == (c.RTM_NEWLINK, "cni0")
        assert links[-1] == (c.RTM_DELLINK, "cni0")


def test_a_socket_is_deaf_to_cables_and_local_routes_and_hears_all_else() -> None:
    groups = (c.RTNLGRP_LINK, c.RTNLGRP_IPV4_IFADDR, c.RTNLGRP_IPV4_ROUTE)
    program = deaf_to([(b"dari", 15), (b"daris", 14)])
    heard: list[Message] = []
    with NetlinkSocket() as sock, NetlinkSocket(groups=groups, deaf=program) as listener:
        for name in ("dariabcdefghijk", "darisbcdefghij", "dariabcdefghij", "cablabcdefghijk"):
            sock.transact([add_bridge(name, up=True)])
        index = get_link(sock, name="dariabcdefghij").index
        sock.transact([add_address(index, ip_interface("192.0.2.1/24"))])
        for name in ("dariabcdefghijk", "darisbcdefghij", "cablabcdefghijk"):
            sock.transact([delete_link(name=name)])
        while messages := listener.receive(wait=False):
            heard += messages
    about = [parse_link(each.body).name for each in heard if each.kind == c.RTM_NEWLINK]
    assert set(about) == {"dariabcdefghij", "cablabcdefghijk"}
    gone = [parse_link(each.body).name for each in heard if each.kind == c.RTM_DELLINK]
    assert gone == ["cablabcdefghijk"]
    assert c.RTM_NEWADDR in {each.kind for each in heard}
    routes = [parse_route(each.body) for each in heard if each.kind == c.RTM_NEWROUTE]
    assert [str(route.dst) for route in routes] == ["192.0.2.0/24"]


def test_a_listener_can_be_waited_for() -> None:
    with NetlinkSocket(groups=[c.RTNLGRP_LINK]) as listener, NetlinkSocket() as sock:
        assert select.select([listener], [], [], 0)[0] == []
        sock.transact([add_bridge("cni0")])
        assert select.select([listener], [], [], 10)[0] == [listener]


def test_events_lost_are_told_once_and_then_it_goes_on() -> None:
    with NetlinkSocket(groups=[c.RTNLGRP_LINK]) as listener, NetlinkSocket() as sock:
        option(listener, socket.SO_RCVBUF, 4096)
        sock.transact([add_bridge(f"b{number}") for number in range(100)])
        heard = 0
        with pytest.raises(Overrun):
            while messages := listener.receive(wait=False):
                heard += len(messages)
        while messages := listener.receive(wait=False):
            heard += len(messages)
        assert heard < 100
        sock.transact([add_bridge("after")])
        [message] = listener.receive()
        assert parse_link(message.body).name == "after"


def test_another_program_cannot_answer_for_the_kernel() -> None:
    with NetlinkSocket() as sock:
        with socket.socket(fileno=os.dup(sock.fileno())) as same:
            port = same.getsockname()[0]
        forged = pack("=IHHII", 20, c.NLMSG_ERROR, 0, 1, port) + pack("=i", 0)
        with socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, 0) as liar:
            liar.sendto(forged, (port, 0))
        with pytest.raises(Undecodable, match="not the kernel"):
            sock.transact([add_bridge("a-name-of-more-than-15")])
        sock.transact([add_bridge("cni0")])
        assert names(sock) == ["cni0"]


def test_no_answer_is_no_hang() -> None:
    with NetlinkSocket() as sock:
        option(sock, socket.SO_RCVTIMEO, pack("@ll", 0, 50_000))
        silent = Request(kind=c.NLMSG_NOOP, flags=0, body=b"", doing="say nothing")
        with pytest.raises(TryAgain, match="no answer"):
            sock.ask(silent)
        with pytest.raises(TryAgain, match="no answer"):
            sock.dump(silent)
        sock.transact([add_bridge("cni0")])


def test_another_protocol() -> None:
    """The nf_tables generation (linux/netfilter/nf_tables.h, NFT_MSG_GETGEN)."""
    header = bytes([c.AF_UNSPEC, 0, 0, 0])
    question = Request(kind=10 << 8 | 16, flags=0, body=header, doing="get nft generation")
    with NetlinkSocket(c.NETLINK_NETFILTER) as sock:
        answer = parse_attributes(sock.ask(question)[len(header) :])
        assert int.from_bytes(answer[1], "big") >= 0
        tables = Request(kind=10 << 8 | 1, flags=0, body=header, doing="list nft tables")
        assert sock.dump(tables) == []


def test_what_the_kernel_lacks_is_said() -> None:
    with pytest.raises(KernelRefused, match="open a netlink socket"):
        NetlinkSocket(31)
    with pytest.raises(KernelRefused, match="prepare a netlink socket"):
        NetlinkSocket(groups=[1 << 30])


def test_a_closed_socket_says_so() -> None:
    sock = NetlinkSocket()
    sock.close()
    sock.close()
    assert sock.fileno() == -1
    with pytest.raises(KernelRefused, match="EBADF"):
        names(sock)


questions = st.builds(
    lambda kind, body: Request(kind=kind, flags=0, body=body, doing="ask nonsense"),
    st.sampled_from([c.RTM_GETLINK, c.RTM_GETADDR, c.RTM_GETROUTE, c.RTM_GETNEIGH, c.RTM_GETRULE]),
    st.binary(max_size=64),
)


@settings(deadline=None, max_examples=100)
@given(questions)
def test_nonsense_asked_of_the_kernel_ends_in_an_answer_or_a_refusal(question: Request) -> None:
    with NetlinkSocket() as sock:
        option(sock, socket.SO_RCVTIMEO, pack("@ll", 0, 10_000))
        for use in (sock.ask, sock.dump):
            with suppress(DariError):
                use(question)
        sock.transact([change_link(name="lo", up=True)])


def test_errors_are_told_apart_by_class() -> None:
    with NetlinkSocket() as sock:
        sock.transact([add_bridge("cni0")])
        with pytest.raises(AlreadyExists):
            sock.transact([add_bridge("cni0")])
        with pytest.raises(NotFound):
            sock.transact([delete_link(name="nope")])
