"""Whether a link leaves checksums of what it sends to the hardware.

A tunnel's packets pass two senders, the tunnel and the link below it. Kernels
before 5.7 spoil the checksum of a tunnel's packets that are also masqueraded, and
some network cards cannot work out a checksum inside of a tunnel. Either way large
packets vanish, and connections hang for a minute (flannel PR 1282, calico 3145).
What switches that off is one flag of the tunnel's device.

Source: linux/ethtool.h, linux/sockios.h, linux/if.h (struct ifreq).
May import: errors.
"""

from __future__ import annotations

import fcntl
from array import array
from struct import Struct

from dari.errors import kernel_error

_SIOCETHTOOL = 0x8946
_GET_TX_CHECKSUM, _SET_TX_CHECKSUM = 0x16, 0x17  # ETHTOOL_GTXCSUM, ETHTOOL_STXCSUM
_IFREQ = Struct("@16sP16x")  # a name, and a pointer to what the command is about


def offloads_checksums(fd: int, name: str) -> bool:
    """Does the link leave checksums to the hardware?

    Equivalent to: ``ethtool --show-offload NAME``, line tx-checksumming.

    Args:
        fd: any socket of the link's network namespace.

    Raises:
        NotFound: there is no such link.
        KernelRefused: it cannot say.
    """
    return bool(_ethtool(fd, name, _GET_TX_CHECKSUM, 0, f"get offloads of link {name}"))


def offload_checksums(fd: int, name: str, on: bool) -> None:
    """Let the link leave checksums to the hardware, or have the kernel work them out.

    Equivalent to: ``ethtool --offload NAME tx on|off``.

    Args:
        fd: any socket of the link's network namespace.

    Raises:
        NotFound: there is no such link.
        KernelRefused: it cannot.
    """
    _ethtool(fd, name, _SET_TX_CHECKSUM, int(on), f"change offloads of link {name}")


def _ethtool(fd: int, name: str, command: int, value: int, doing: str) -> int:
    """Have the kernel read, or fill in, a struct ethtool_value."""
    message = array("I", [command, value])
    address, _ = message.buffer_info()
    request = bytearray(_IFREQ.pack(name.encode(), address))
    try:
        fcntl.ioctl(fd, _SIOCETHTOOL, request)
    except OSError as error:
        raise kernel_error(doing, error.errno or 0) from None
    return message[1]
