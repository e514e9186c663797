"""The kernel's network settings, of the namespace that a process is in.

May import: nothing of dari.
"""

from __future__ import annotations

from contextlib import suppress


def forward() -> None:
    """Pass packets on, of both families."""
    _set("ipv4/ip_forward", "1")
    _set("ipv6/conf/all/forwarding", "1")


def use_addresses_at_once(interface: str) -> None:
    """Skip duplicate address detection, also for the link-local address (RFC 4862).

    It takes a second or two, in which a machine can ask for no neighbour. A real
    machine has been up for longer than that.
    """
    for scope in ("all", interface):
        _set(f"ipv6/conf/{scope}/accept_dad", "0")


def be_no_host() -> None:
    """Give links that are made from now on no link-local address: a switch has none."""
    _set("ipv6/conf/default/addr_gen_mode", "1")


def _set(name: str, value: str) -> None:
    """A kernel without IPv6 lacks some."""
    with (
        suppress(FileNotFoundError),
        open(f"/proc/sys/net/{name}", "w", encoding="ascii") as stream,
    ):
        stream.write(value)
