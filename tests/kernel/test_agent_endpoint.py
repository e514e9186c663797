"""The HTTP endpoint listens without asking anybody for names."""

from __future__ import annotations

import socket
import urllib.request

import pytest

from dari.agent.endpoint import Endpoint
from tests.support.waiting import PATIENCE


def refuse(*_: object) -> str:
    raise AssertionError("a name was asked for")


@pytest.mark.parametrize("host", ["127.0.0.1", "0.0.0.0", "::1"])
def test_no_name_is_resolved_since_a_node_may_have_no_dns_until_its_pods_run(
    host: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(socket, "getfqdn", refuse)
    monkeypatch.setattr(socket, "gethostbyaddr", refuse)
    endpoint = Endpoint((host, 0), lambda: b"", tuple)
    _, port = endpoint.start()
    try:
        local = "[::1]" if ":" in host else "127.0.0.1"
        with urllib.request.urlopen(f"http://{local}:{port}/healthz", timeout=PATIENCE) as answer:
            assert answer.read() == b"ok\n"
    finally:
        endpoint.stop()
