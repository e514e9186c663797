"""Policy rules as we set and read them, beside what `ip -json rule` says."""

from __future__ import annotations

from ipaddress import ip_network

import pytest

from dari.errors import AlreadyExists, NotFound
from dari.netlink.rule import Rule, add_rule, delete_rule, list_rules
from dari.netlink.sock import NetlinkSocket
from tests.support.kernel import ip

PREFIXES = {4: ip_network("10.22.0.0/16"), 6: ip_network("fd00::/64")}
OTHERS = {4: ip_network("10.23.0.0/16"), 6: ip_network("fd01::/64")}


@pytest.mark.parametrize("version", [4, 6])
def test_a_rule_with_everything(version: int) -> None:
    rule = Rule(
        version=version,
        priority=100,
        table=1000,
        src=PREFIXES[version],
        dst=OTHERS[version],
        incoming="lo",
        mark=1,
        mask=3,
        protocol=79,
        inverted=True,
        suppress_prefixlen=0,
    )
    with NetlinkSocket() as sock:
        sock.transact([add_rule(rule)])
        [row] = ip(f"-{version}", "-N", "rule", "show", "priority", "100")
        source, length = str(rule.src).split("/")
        assert (row["src"], str(row["srclen"])) == (source, length)
        assert f"{row['dst']}/{row['dstlen']}" == str(rule.dst)
        assert (row["table"], row["iif"], row["protocol"]) == ("1000", "lo", "79")
        assert (row["fwmark"], row["fwmask"]) == ("0x1", "0x3")
        assert "not" in row
        assert row["suppress_prefixlen"] == 0
        assert rule in list_rules(sock, version=version)
        with pytest.raises(AlreadyExists):
            sock.transact([add_rule(rule)])
        sock.transact([delete_rule(rule)])
        assert ip(f"-{version}", "rule", "show", "priority", "100") == []
        with pytest.raises(NotFound):
            sock.transact([delete_rule(rule)])


def test_rules_are_listed_as_ip_lists_them() -> None:
    with NetlinkSocket() as sock:
        sock.transact(
            [
                add_rule(Rule(version=version, priority=100 + number, table=number + 300))
                for version in (4, 6)
                for number in range(3)
            ]
        )
        for version in (4, 6):
            rows = ip(f"-{version}", "-N", "rule", "show")
            found = list_rules(sock, version=version)
            assert [each.priority for each in found] == [row["priority"] for row in rows]
            assert [str(each.table) for each in found] == [row["table"] for row in rows]
        assert len(list_rules(sock)) == len(list_rules(sock, version=4)) + len(
            list_rules(sock, version=6)
        )
