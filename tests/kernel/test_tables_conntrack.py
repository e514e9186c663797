"""`dari tables conntrack`: real connections, each told by what it is for and whose it is."""

from __future__ import annotations

import json
import os
import socket

import pytest

from dari.cli import tables as command
from dari.cli.main import run_command
from dari.netlink.constants import NETLINK_NETFILTER
from dari.netlink.flows import Tracked, list_tracked
from dari.netlink.sock import NetlinkSocket
from dari.paths import Paths
from dari.snapshot.model import SOME
from dari.snapshot.node import read_machine
from dari.tables.connections import COLUMNS, connections
from dari.tables.facts import Facts
from dari.tables.table import Row
from dari.wiring.host import Host
from dari.wiring.registry import plugin
from tests.support.calls import call
from tests.support.hostports import BRIDGE, WEB, mapping
from tests.support.isolation import add_namespace
from tests.support.kernel import run
from tests.support.talk import ask, serving

_SERVICE = """
table ip kube-proxy {
  chain services {
    type nat hook prerouting priority -100;
    ip daddr 10.96.0.1 tcp dport 443 dnat to 10.22.0.2:80
    tcp dport 30080 dnat to 10.22.0.2:80
  }
}
"""


def cluster() -> None:
    """A node with the pods web and client, a Service, and a machine outside."""
    run("sysctl", "-qw", "net.ipv4.ip_forward=1", "net.ipv6.conf.all.forwarding=1")
    add_namespace("outside")
    run("ip", "link", "add", "wire", "type", "veth", "peer", "name", "eth0", "netns", "outside")
    for link, place, number in (("wire", "", 1), ("eth0", "outside", 2)):
        run("ip", "address", "add", f"192.0.2.{number}/24", "dev", link, namespace=place)
        six = (f"2001:db8::{number}/64", "dev", link, "nodad")
        run("ip", "address", "add", *six, namespace=place)
        run("ip", "link", "set", link, "up", namespace=place)
    run("ip", "route", "add", "10.96.0.0/12", "via", "192.0.2.1", namespace="outside")
    for name in ("web", "client"):
        path = add_namespace(name)
        with Host(Paths(), os.environ) as host:
            wired = plugin("bridge").add(call("ADD", BRIDGE, name, path), host)
            if name == "web":
                request = call("ADD", mapping(WEB), name, path, previous=wired)
                plugin("portmap").add(request, host)
    run("nft", _SERVICE)


def rows(most: int = 0) -> list[dict[str, str]]:
    machine = read_machine(Paths(), connections=SOME)
    pods = tuple(each for each in machine.pods if each.attachments)  # the one outside is none
    machine = machine.replace(pods=pods)
    return [named(each) for each in connections(Facts(machine, most=most)).rows]


def named(row: Row) -> dict[str, str]:
    return {**dict(zip(COLUMNS, row.cells, strict=True)), "WHY": row.why}


def asked(target: str, port: int, place: str) -> dict[str, str]:
    """The one row of a connection that was really answered."""
    assert ask(target, port, place)
    shown = f"[{target}]:{port}" if ":" in target else f"{target}:{port}"
    (found,) = [each for each in rows() if each["TO"] == shown]
    assert found["PROTOCOL"] == "tcp" and int(found["SECONDS"]) > 0
    assert found["STATE"] in ("established", "fin-wait", "close-wait", "last-ack", "time-wait")
    return found


def test_every_kind_of_connection_is_told_by_whose_it_is() -> None:
    cluster()
    with serving("web", 80), serving("outside", 7), serving("", 9):
        found = asked("192.0.2.1", 8080, "outside")
        assert (found["WHOSE"], found["REWRITTEN"]) == ("host port", "to 10.22.0.2:80")
        assert found["WHY"] == (
            "192.0.2.2 came to port 8080 of this node, and was led to eth0 of web, "
            "which has that port"
        )
        found = asked("10.96.0.1", 443, "outside")
        assert (found["WHOSE"], found["REWRITTEN"]) == ("service", "to 10.22.0.2:80")
        assert "the Service at 10.96.0.1:443" in found["WHY"]
        assert asked("192.0.2.1", 30080, "outside")["WHOSE"] == "service"
        found = asked("192.0.2.2", 7, "client")
        assert found["WHOSE"] == "masquerade"
        assert found["REWRITTEN"].startswith("from 192.0.2.1:")
        assert "eth0 of client talks to 192.0.2.2, which sees this node" in found["WHY"]
        found = asked("10.22.0.2", 80, "")
        assert (found["WHOSE"], found["REWRITTEN"]) == ("pod", "-")
        assert asked("192.0.2.1", 9, "outside")["WHOSE"] == "node"
        assert asked("2001:db8::2", 7, "client")["WHOSE"] == "masquerade"
        assert asked("fd22::2", 80, "")["WHOSE"] == "pod"


def test_what_was_never_answered_is_said_to_be_so_and_a_passer_by_is_nobody_s() -> None:
    cluster()
    run("ip", "route", "add", "default", "via", "192.0.2.1", namespace="outside")
    run("ip", "link", "add", "hole", "type", "veth", "peer", "name", "end")
    run("ip", "address", "add", "198.51.100.1/24", "dev", "hole")
    run("ip", "link", "set", "hole", "up")
    run("ip", "link", "set", "end", "up")
    run("ip", "neigh", "add", "198.51.100.9", "lladdr", "02:00:00:00:00:09", "dev", "hole")
    assert ask("198.51.100.9", 53, "outside", kind="udp") == ""
    (found,) = [each for each in rows() if each["TO"] == "198.51.100.9:53"]
    assert (found["WHOSE"], found["STATE"]) == ("other", "unanswered")
    assert found["WHY"].endswith("; no answer came yet")


def send_to_many(number: int) -> None:
    """So many connections by UDP of this node with itself, none of them answered."""
    run("ip", "link", "set", "lo", "up")
    chain = "{ type filter hook output priority 0; }"
    run("nft", f"add table ip t; add chain ip t out {chain}; add rule ip t out ct state new accept")
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sender:
        for port in range(20001, 20001 + number):
            sender.sendto(b"", ("127.0.0.1", port))


def counted() -> set[tuple[str, int]]:
    """Destinations by the kernel's own file: the independent witness."""
    with open("/proc/thread-self/net/nf_conntrack", encoding="ascii") as stream:
        words = [dict(each.split("=") for each in line.split() if "=" in each) for line in stream]
    return {(each["src"], int(each["sport"])) for each in words}


def test_all_that_the_kernel_has_is_read_and_no_more_than_was_asked_for() -> None:
    send_to_many(300)
    with NetlinkSocket(NETLINK_NETFILTER) as sock:
        everything = list_tracked(sock)
    assert len(everything) == 300
    # The file names the answers' direction last.
    assert {answerer(each) for each in everything} == counted()
    with NetlinkSocket(NETLINK_NETFILTER) as sock:
        assert set(map(answerer, list_tracked(sock, 70))) < counted()
    machine = read_machine(Paths(), connections=70)
    assert (len(machine.place.tracked), machine.place.more_tracked) == (70, True)


def answerer(one: Tracked) -> tuple[str, int]:
    return str(one.back.src), one.back.src_port


def test_a_huge_table_is_cut_short_with_a_line_that_says_so(
    capsys: pytest.CaptureFixture[str],
) -> None:
    send_to_many(300)
    assert run_command(command, ["conntrack", "-o", "json"]) == 0
    (table,) = json.loads(capsys.readouterr().out)["tables"]
    assert len(table["rows"]) == 100
    assert table["below"][0]["text"] == "200 more: `dari tables conntrack --all` shows them"
    assert "300 of at most" in table["below"][1]["text"]
    assert run_command(command, ["conntrack", "--all"]) == 0
    shown = capsys.readouterr().out
    assert shown.count(" 127.0.0.1:2") == 300 and " more: " not in shown
