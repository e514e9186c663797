"""resolv.conf, as a result's DNS."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dari.errors import IOFailure
from dari.ipam.resolver import parse_resolv_conf, read_resolv_conf
from dari.model import DNS


def test_lines_add_up_and_the_last_domain_wins(tmp_path: Path) -> None:
    path = tmp_path / "resolv.conf"
    path.write_text(
        "# made by hand\n; nameserver 1.1.1.1\nnameserver 10.0.0.2 ignored\n"
        "\tnameserver fd00::2\ndomain a.example\ndomain b.example\n"
        "search one.example two.example\nsearch three.example\noptions ndots:5 rotate\nsearch\n"
        "sortlist 10.0.0.0\n"
    )
    assert read_resolv_conf(str(path)) == DNS(
        nameservers=("10.0.0.2", "fd00::2"),
        domain="b.example",
        search=("one.example", "two.example", "three.example"),
        options=("ndots:5", "rotate"),
    )


def test_a_file_that_is_not_there_is_named() -> None:
    with pytest.raises(IOFailure, match="/no/such/file"):
        read_resolv_conf("/no/such/file")


def test_a_pipe_named_by_mistake_holds_nobody(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    assert read_resolv_conf(str(tmp_path / "pipe")) == DNS()
    assert read_resolv_conf("/dev/zero") == DNS()


@settings(deadline=None)
@given(st.text())
def test_any_text_can_be_read(text: str) -> None:
    found = parse_resolv_conf(text)
    assert all(isinstance(one, str) for one in found.nameservers + found.search + found.options)
