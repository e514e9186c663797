"""The API servers that a kubeconfig names."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dari.snapshot.apiservers import _file, _servers


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("    server: https://10.0.0.1:6443", [("10.0.0.1", 6443)]),
        ('    server: "https://[fd00::1]:6443"', [("fd00::1", 6443)]),
        ("- server: https://10.0.0.1", [("10.0.0.1", 443)]),
        ("    server: https://cp.lan:6443", [("192.0.2.9", 6443)]),
        ("    server: https://nobody.example:6443", []),
        ("    server: https://10.0.0.1:notaport", []),
        ("    name: kubernetes", []),
    ],
)
def test_addresses_are_read_and_names_that_hosts_files_know(
    line: str, expected: list[tuple[str, int]]
) -> None:
    found = [(str(address), port) for address, port in _servers([line], {"cp.lan": "192.0.2.9"})]
    assert found == expected


@given(st.lists(st.text(max_size=40).map(lambda text: f"server: {text}"), max_size=3))
def test_any_file_at_all_is_taken(lines: list[str]) -> None:
    list(_servers(lines, {}))


def test_kubelets_own_option_says_where_the_file_is() -> None:
    assert _file(("kubelet", "--kubeconfig", "/a")) == _file(("kubelet", "--kubeconfig=/a")) == "/a"
    assert _file(()) == "/etc/kubernetes/kubelet.conf"
