"""Our address management as a process of its own, to be raced and killed in tests.

Run as ``python -I -S ipam_program.py <src folder> VERB [argument]`` with a
configuration on stdin, as the executable is. Verbs:

- ``ADD id`` and ``DEL id``: one call for the container's eth0; ADD prints the
  addresses as JSON, a failure prints its message and exits with 1;
- ``CHURN seed``: ADDs and DELs for ever, each container named on stdout before it
  is first touched;
- ``DIE id ADD|DEL n``: one call, ended by SIGKILL at the n-th system call that
  changes something (from 0); exits with 0 where there were fewer.

May import: nothing of the tests, since it is no part of them.
"""

import json
import os
import random
import signal
import sys
from collections.abc import Callable

if __name__ == "__main__":  # before the imports below: `-I -S` leaves only the standard library
    sys.path.insert(0, sys.argv[1])

from dari.errors import DariError
from dari.ipam.hostlocal import HostLocal
from dari.model import ContainerId, InterfaceName, NetConf, Owner
from dari.paths import Paths


def leases() -> HostLocal:
    raw = json.load(sys.stdin)
    conf = NetConf(
        cni_version=raw["cniVersion"],
        name=raw["name"],
        type=raw["type"],
        raw=raw,
        ipam=raw["ipam"],
    )
    return HostLocal(conf, Paths())


def owner(container_id: str) -> Owner:
    return Owner(container_id=ContainerId(container_id), ifname=InterfaceName("eth0"))


def call(on: HostLocal, verb: str, container_id: str) -> None:
    if verb == "ADD":
        given = [str(one.address) for one in on.allocate(owner(container_id))]
        print(json.dumps(given), flush=True)
    else:
        on.release(owner(container_id))


def churn(on: HostLocal, seed: str) -> None:
    choose = random.Random(seed)
    number = 0
    while True:
        name = f"k{seed}.{number}"
        os.write(1, f"{name}\n".encode())
        on.allocate(owner(name))
        if choose.random() < 0.6:
            on.release(owner(f"k{seed}.{choose.randrange(number + 1)}"))
        number += 1


def die_at(step: int) -> None:
    """Let the process be killed when it makes that change to the disk, before it is made."""
    done = 0

    def fatal(real: Callable[..., object]) -> Callable[..., object]:
        def changed(*arguments: object, **named: object) -> object:
            nonlocal done
            if done == step:
                os.kill(os.getpid(), signal.SIGKILL)
            done += 1
            return real(*arguments, **named)

        return changed

    for name in ("open", "link", "unlink", "rename", "utime", "write", "ftruncate", "mkdir"):
        setattr(os, name, fatal(getattr(os, name)))


def main(verb: str, *arguments: str) -> None:
    on = leases()
    if verb == "CHURN":
        churn(on, arguments[0])
    elif verb == "DIE":
        die_at(int(arguments[2]))
        call(on, arguments[1], arguments[0])
    else:
        call(on, verb, arguments[0])


if __name__ == "__main__":
    try:
        main(*sys.argv[2:])
    except DariError as error:
        print(error.message)
        sys.exit(1)
