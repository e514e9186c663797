"""Which kernels need care: pure.

May import: nothing of dari.
"""

from __future__ import annotations

import re

# "netfilter: nat: fix udp checksum corruption", in Linux 5.7
_FIXED = (5, 7)
_RELEASE = re.compile(r"(\d+)\.(\d+)")


def spoils_checksums(release: str) -> bool:
    """Does this kernel spoil checksums of a tunnel's packets that are masqueraded too?

    Args:
        release: as `uname -r` says it; of one that cannot be read, nothing bad is thought.
    """
    found = _RELEASE.match(release)
    return found is not None and tuple(map(int, found.groups())) < _FIXED
