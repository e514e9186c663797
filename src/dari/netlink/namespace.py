"""Network namespaces, held by descriptor and entered only in threads that do nothing else.

A thread that has entered a namespace is never used for anything else: getting
it back could fail, and then whatever it did next would happen in the wrong
network. So one is started for each visit and thrown away; or, where a process lives
on, a `Visitor` is kept, which only ever visits, and is thrown away where it cannot get
back. A netlink socket stays in the namespace where it was opened, so that most work
needs a thread only for opening one.

May import: errors, sock, constants.
"""

from __future__ import annotations

import fcntl
import os
import sys
from _thread import allocate_lock, start_new_thread
from functools import cache
from stat import S_ISREG

from dari.errors import BadNamespace, TryAgain
from dari.netlink.constants import CLONE_NEWNET, NETLINK_ROUTE, NS_GET_NSTYPE
from dari.netlink.sock import NetlinkSocket

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Self, TypeVar

    T = TypeVar("T")

_OWN = "/proc/thread-self/ns/net"


class Namespace:
    """A network namespace; it lives at least as long as this is open.

    Args:
        fd: a descriptor of it, which this closes.
        path: how it is called in errors.
        visitor: who enters it; None: a thread made for each visit.
        inside: a descriptor of a route netlink socket that was opened inside, if there
            is one; the first that is asked for, and closed with this if none is.
    """

    def __init__(
        self, fd: int, path: str, visitor: Visitor | None = None, inside: int | None = None
    ) -> None:
        self.fd = fd
        self.path = path
        self._visitor = visitor
        self._inside = inside
        found = os.fstat(fd)
        self.identity = (found.st_dev, found.st_ino)

    @classmethod
    def open(cls, path: str, visitor: Visitor | None = None) -> Self:
        """Open the namespace that a file such as ``/run/netns/pod`` stands for.

        Raises:
            BadNamespace: it is none; `missing` is true if nothing is there.
        """
        try:
            fd = _open_regular(path)
        except ValueError as error:  # NUL in the path
            raise BadNamespace(f"network namespace {path!r}: {error}") from None
        except OSError as error:
            failure = BadNamespace(f"network namespace {path!r}: {error.strerror}")
            failure.missing = isinstance(error, FileNotFoundError)
            raise failure from None
        if not _is_network(fd):
            os.close(fd)
            raise BadNamespace(f"{path!r} is not a network namespace")
        return cls(fd, path, visitor)

    @classmethod
    def borrow(
        cls, fd: int, path: str, visitor: Visitor | None = None, inside: int | None = None
    ) -> Self:
        """A namespace whose descriptor somebody else opened, and keeps.

        Args:
            fd: stays open when this is closed.
            path: how its owner calls it.
            visitor: who enters it.
            inside: as for the class.

        Raises:
            BadNamespace: it is none.
        """
        try:
            own = os.dup(fd)
        except OSError as error:
            raise BadNamespace(f"network namespace {path!r}: {error.strerror}") from None
        if not _is_network(own):
            os.close(own)
            raise BadNamespace(f"{path!r} is not a network namespace")
        return cls(own, path, visitor, inside)

    def run(self, work: Callable[[], T]) -> T:
        """Run `work` inside, in another thread, and give back its result.

        What `work` raises is raised here.

        Raises:
            BadNamespace: it may not be entered.
            TryAgain: no thread can be started.
        """
        results: list[T] = []
        failures: list[BaseException] = []

        def visit() -> None:
            try:
                _enter(self.fd, self.path)
                results.append(work())
            except BaseException as failure:
                failures.append(failure)

        try:
            (self._visitor.send if self._visitor is not None else _send_a_new_thread)(visit)
        except RuntimeError as error:
            raise TryAgain(f"enter network namespace {self.path!r}: {error}") from None
        if failures:
            # Popped, since the failure's traceback refers to this list.
            raise failures.pop()
        return results[0]

    def socket(self, protocol: int = NETLINK_ROUTE) -> NetlinkSocket:
        """A netlink socket that works inside, from any thread.

        Raises:
            BadNamespace: it may not be entered.
        """
        if protocol == NETLINK_ROUTE and self._inside is not None:
            opened, self._inside = self._inside, None
            return NetlinkSocket(protocol, opened=opened)
        return self.run(lambda: NetlinkSocket(protocol))

    def close(self) -> None:
        """Let go of it; again is harmless."""
        if self.fd >= 0:
            os.close(self.fd)
            self.fd = -1
        if self._inside is not None:
            os.close(self._inside)
            self._inside = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_failure: object) -> None:
        self.close()


class Visitor:
    """A thread that visits one namespace after the other, for one caller at a time.

    Between visits it is at home, where it was started, so that it holds no namespace.

    Raises:
        RuntimeError: no thread can be started.
    """

    def __init__(self) -> None:
        self._visit: Callable[[], None] | None = None
        self._sent, self._back = allocate_lock(), allocate_lock()
        self._sent.acquire()
        self._back.acquire()
        self._lives = False
        self._start()

    def send(self, visit: Callable[[], None]) -> None:
        """Have `visit`, which raises nothing, done in the thread, and wait for its return.

        Raises:
            RuntimeError: no thread can be started.
        """
        if not self._lives:
            self._start()
        self._visit = visit
        self._sent.release()
        self._back.acquire()

    def close(self) -> None:
        """End the thread; the next `send` would start another."""
        if self._lives:
            self._lives = False
            self._visit = None
            self._sent.release()

    def _start(self) -> None:
        home = os.open(_OWN, os.O_RDONLY | os.O_CLOEXEC)
        try:
            start_new_thread(self._live, (home,))
        except RuntimeError:
            os.close(home)
            raise
        self._lives = True

    def _live(self, home: int) -> None:
        while True:
            self._sent.acquire()
            if self._visit is None:
                break
            self._visit()
            self._visit = None
            stranded = not _is_entered(home)
            self._lives = not stranded
            self._back.release()
            if stranded:
                break
        os.close(home)


def current() -> tuple[int, int]:
    """Identity of the network namespace that the calling thread is in."""
    found = os.stat(_OWN)
    return found.st_dev, found.st_ino


def _open_regular(path: str) -> int:
    """Open without side effects: a pipe would block, a device might act."""
    if not S_ISREG(os.stat(path).st_mode):
        raise OSError(0, "is not a regular file")
    return os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)


def _is_network(fd: int) -> bool:
    try:
        return fcntl.ioctl(fd, NS_GET_NSTYPE) == CLONE_NEWNET
    except OSError:
        return False


def _send_a_new_thread(visit: Callable[[], None]) -> None:
    back = allocate_lock()
    back.acquire()

    def body() -> None:
        visit()
        back.release()

    start_new_thread(body, ())
    back.acquire()


def _is_entered(fd: int) -> bool:
    try:
        _setns(fd)
    except OSError:
        return False
    return True


def _enter(fd: int, path: str) -> None:
    try:
        _setns(fd)
    except OSError as error:
        raise BadNamespace(f"enter network namespace {path!r}: {error.strerror}") from None


if sys.version_info >= (3, 12):

    def _setns(fd: int) -> None:
        os.setns(fd, CLONE_NEWNET)

else:

    def _setns(fd: int) -> None:
        _system_setns()(fd)

    @cache
    def _system_setns() -> Callable[[int], None]:
        """The system call by way of `_ctypes`: 0.4 ms, where ctypes takes 2.5.

        Only Python 3.11 comes here, whose `_ctypes` will not change any more.
        """
        import _ctypes

        class Function(_ctypes.CFuncPtr):
            _flags_ = _ctypes.FUNCFLAG_CDECL | _ctypes.FUNCFLAG_USE_ERRNO

        # None: the program itself, which has its C library loaded, whichever that is.
        program = _ctypes.dlopen(None, os.RTLD_NOW)  # type: ignore[arg-type]
        setns = Function(_ctypes.dlsym(program, "setns"))

        def enter(fd: int) -> None:
            if setns(fd, CLONE_NEWNET) != 0:
                number = _ctypes.get_errno()
                raise OSError(number, os.strerror(number))

        return enter
