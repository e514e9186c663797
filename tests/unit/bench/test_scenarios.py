"""What is compared is the same network on both sides."""

from __future__ import annotations

from bench.scenarios import bridge_conf


def test_the_backend_is_named_only_where_it_is_asked_for() -> None:
    plain = bridge_conf(masquerade=True)
    assert "ipMasqBackend" not in plain
    assert bridge_conf(masquerade=True, backend="nftables") == {
        **plain,
        "ipMasqBackend": "nftables",
    }


def test_masquerading_is_the_only_other_difference() -> None:
    assert {**bridge_conf(masquerade=False), "ipMasq": True} == bridge_conf(masquerade=True)
