"""Reads a `resolv.conf` into what a result says of DNS.

Source: resolv.conf(5), as far as the reference host-local reads it.
May import: errors, model.
"""

from __future__ import annotations

import os

from dari.errors import IOFailure
from dari.model import DNS

_ENOUGH = 1 << 20  # bytes; a device or a log named by mistake must not fill the memory


def read_resolv_conf(path: str) -> DNS:
    """Read the file that `ipam.resolvConf` names.

    Args:
        path: of the file.

    Raises:
        IOFailure: it cannot be read.
    """
    try:
        # Without O_NONBLOCK, a pipe named by mistake would hold the call for ever.
        descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
        try:
            content = os.read(descriptor, _ENOUGH)
        finally:
            os.close(descriptor)
    except (OSError, ValueError) as error:  # ValueError: the path has a NUL byte
        reason = getattr(error, "strerror", None) or str(error)
        raise IOFailure(f"read ipam.resolvConf {path}: {reason}") from None
    return parse_resolv_conf(content.decode(errors="replace"))


def parse_resolv_conf(text: str) -> DNS:
    """Read the lines `nameserver`, `domain`, `search` and `options`.

    As in the reference, lines of one kind add up, but the last `domain` wins.
    """
    nameservers: list[str] = []
    search: list[str] = []
    options: list[str] = []
    domain = ""
    for line in text.split("\n"):
        keyword, *values = line.split() or [""]
        if not values or keyword.startswith(("#", ";")):
            continue
        if keyword == "nameserver":
            nameservers.append(values[0])
        elif keyword == "domain":
            domain = values[0]
        elif keyword == "search":
            search.extend(values)
        elif keyword == "options":
            options.extend(values)
    return DNS(
        nameservers=tuple(nameservers),
        domain=domain,
        search=tuple(search),
        options=tuple(options),
    )
