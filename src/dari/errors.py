"""Every error that dari raises, and the CNI code that each one carries.

::

    DariError                     999  internal
    ├── IncompatibleVersion         1  the config's cniVersion cannot do this
    ├── UnsupportedField            2  a field's value is not supported here
    ├── UnknownContainer            3  nothing is known of it; no DEL needed
    ├── BadEnvironment              4  a CNI_* variable is missing or wrong
    ├── IOFailure                   5  a file or stream could not be read or written
    ├── Undecodable                 6  not JSON, or not of the shape asked for
    ├── BadConfig                   7  the network configuration is wrong
    ├── BadNamespace                8  the network namespace cannot be used
    ├── TryAgain                   11  it may work later
    ├── NotAvailable               50  an ADD would fail now (STATUS)
    ├── NotAvailableLimited        51  the same, and running pods suffer too
    ├── KernelRefused             100  the kernel said no: errno, operation, extack
    │   ├── NotFound              100  ENOENT, ENODEV, ESRCH, EADDRNOTAVAIL
    │   └── AlreadyExists         100  EEXIST
    ├── NoFreeAddress             101  every address of a range is leased
    ├── CheckFailed               102  CHECK found damage
    ├── FirewallRefused           103  libnftables said no, or is missing
    └── SeveralFailures           104  GC went on past errors and reports all

Codes 0 to 99 are the CNI specification's (SPEC.md, "Error"; 8 is the Go
libraries' `ErrInvalidNetNS`), 100 and above are dari's own. Callers ask by
class, never by message.

May import: nothing of dari.
"""

from __future__ import annotations

import errno as _errno
import os

_NOT_FOUND = frozenset(
    {_errno.ENOENT, _errno.ENODEV, _errno.ESRCH, _errno.EADDRNOTAVAIL, _errno.ENXIO}
)


class DariError(Exception):
    """Base of all. `message` is one line; `details` says what to do next.

    Args:
        message: what was attempted on which object, and what went wrong.
        details: more, such as how to mend it; may be empty.
    """

    code = 999

    def __init__(self, message: str, details: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.details = details


class IncompatibleVersion(DariError):
    code = 1


class UnsupportedField(DariError):
    code = 2


class UnknownContainer(DariError):
    code = 3


class BadEnvironment(DariError):
    code = 4


class IOFailure(DariError):
    code = 5


class Undecodable(DariError):
    code = 6


class BadConfig(DariError):
    code = 7


class BadNamespace(DariError):
    """`missing` is true where there is nothing at the path, as after a pod's end."""

    code = 8
    missing = False


class TryAgain(DariError):
    code = 11


class NotAvailable(DariError):
    code = 50


class NotAvailableLimited(DariError):
    code = 51


class KernelRefused(DariError):
    """The kernel answered a request with an errno.

    Args:
        operation: verb and object, such as ``add link cni0``.
        errno: the positive error number.
        extack: the kernel's own explanation (NLMSGERR_ATTR_MSG), or empty.
        index: which request of a batch was refused, counted from 0.
    """

    code = 100

    def __init__(self, operation: str, errno: int, extack: str = "", index: int = 0) -> None:
        name = _errno.errorcode.get(errno, str(errno))
        said = f"{operation}: {os.strerror(errno)} ({name})"
        super().__init__(f"{said}: {extack}" if extack else said)
        self.operation = operation
        self.errno = errno
        self.extack = extack
        self.index = index


class NotFound(KernelRefused):
    """The link, address, route, neighbour or rule is not there."""


class AlreadyExists(KernelRefused):
    """The link, address, route, neighbour or rule is there already."""


def kernel_error(operation: str, errno: int, extack: str = "", index: int = 0) -> KernelRefused:
    """Turn an errno into the class that callers can ask for.

    Args:
        operation: verb and object, such as ``add link cni0``.
        errno: the positive error number.
        extack: the kernel's explanation, or empty.
        index: which request of a batch was refused, counted from 0.
    """
    kind: type[KernelRefused] = KernelRefused
    if errno in _NOT_FOUND:
        kind = NotFound
    elif errno == _errno.EEXIST:
        kind = AlreadyExists
    return kind(operation, errno, extack, index)


class NoFreeAddress(DariError):
    code = 101


class CheckFailed(DariError):
    code = 102


class FirewallRefused(DariError):
    code = 103


class SeveralFailures(DariError):
    """What went wrong one by one, reported together.

    Args:
        doing: what was under way, such as ``GC of network mynet``.
        failures: the errors, in the order they happened.
    """

    code = 104

    def __init__(self, doing: str, failures: list[DariError]) -> None:
        super().__init__(
            f"{doing}: {len(failures)} failed: {failures[0].message}",
            "; ".join(failure.message for failure in failures),
        )
        self.failures = failures
