"""host-local's folder of leases, on disk exactly as the reference keeps it.

::

    <dataDir>/<network>/
        10.22.0.5            "<container id>\\r\\n<interface name>": a lease
        fd00:22::5           the same; IPv6 in the short lower-case form (RFC 5952)
        last_reserved_ip.0   the address last leased from range set 0
        lock                 flock(2): who writes, or reads to write, holds it

Old releases of the reference wrote the container id alone; such a lease's owner
has an empty `ifname`. A line end may also be a bare LF.

A lease appears whole or not at all: it is written without a name and then linked to
its address, which fails where the address is taken. Where the file system has no files
without a name, it has a temporary one meanwhile. A process
killed between the two leaves only the temporary file, whose name is no address.
The reference reads it, as it reads every file, finds at most the container that
it deletes anyway, and removes it then; whoever of ours takes the lock next
removes it too. Since only the lock's holder writes, one fixed name does.

The reference creates the address's file first and writes it afterwards. If it is
killed in between, an *empty* lease remains, which no DEL matches. Nobody can be
writing while we hold the lock, so an empty lease seen under it is nobody's.

May import: errors, flock, model, record.
"""

from __future__ import annotations

import os
from _blake2 import blake2b
from contextlib import contextmanager, suppress
from errno import ENOSPC
from ipaddress import ip_address
from stat import S_ISREG

from dari.errors import IOFailure
from dari.files import NO_NAMELESS_FILES, give_name, read_bounded
from dari.flock import exclusively
from dari.model import ContainerId, InterfaceName, Owner
from dari.record import Record

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from dari.model import IPAddress

_TEMPORARY = ".dari-new"
_LAST = "last_reserved_ip."
_LONGEST = 4096  # bytes; a longer lease is not one
_FIRST_OF_ADDRESS = frozenset("0123456789abcdef:")
# Regular expressions would take longer to import than to lease an address.
_OF_ID = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_.-"
_NOT_OF_IFNAME = bytes(range(33)) + b"/:\x7f"


class Lease(Record):
    """What a lease file says.

    Attributes:
        name: the file's name, an address.
        owner: who holds it; None where that cannot be told from its content.
        empty: the file holds nothing: a writer was killed.
    """

    name: str
    owner: Owner | None = None
    empty: bool = False


def format_owner(owner: Owner) -> bytes:
    """The content of a lease, byte for byte as the reference writes it."""
    return f"{owner.container_id}\r\n{owner.ifname}".encode(errors="surrogateescape")


def parse_owner(content: bytes) -> Owner | None:
    """Whose lease has this content; None where it names nobody."""
    container_id, *rest = content.strip().split(b"\n")
    container_id = container_id.removesuffix(b"\r")
    ifname = rest[0] if rest else b""
    if len(content) > _LONGEST or len(rest) > 1:
        return None
    if not container_id[:1].isalnum() or container_id.translate(None, _OF_ID):
        return None
    if len(ifname) > 15 or ifname != ifname.translate(None, _NOT_OF_IFNAME):
        return None
    return Owner(
        container_id=ContainerId(container_id.decode()),
        ifname=InterfaceName(ifname.decode(errors="surrogateescape")),
    )


def as_address(name: str) -> IPAddress | None:
    """The address that a file is named by; None where the name is another's."""
    try:
        address = ip_address(name)
    except ValueError:
        return None
    return address if str(address) == name else None


class LeaseFolder:
    """The files of one network's leases.

    Only `locked` makes the folder. All that writes asks for the lock.

    Args:
        path: of the folder, ``<dataDir>/<network>``.
    """

    def __init__(self, path: str) -> None:
        self.path = os.path.abspath(path)

    @property
    def digest(self) -> str:
        """A short name of this folder for files about it that are kept elsewhere."""
        return blake2b(os.fsencode(self.path), digest_size=10).hexdigest()

    @contextmanager
    def locked(self) -> Iterator[None]:
        """Hold the folder's lock, which is made with the folder if it is not there.

        Raises:
            TryAgain: others held the lock too long.
            IOFailure: the folder cannot be made or written.
        """
        try:
            if not self.exists():
                os.makedirs(self.path, mode=0o755, exist_ok=True)
        except OSError as error:
            raise self._failure("make folder", self.path, error) from None
        with exclusively(self._at("lock")):
            self._remove(_TEMPORARY)
            yield

    def exists(self) -> bool:
        """Whether there is anything to read."""
        return os.path.isdir(self.path)

    def names(self) -> set[str]:
        """The names of all files that can be leases.

        Raises:
            IOFailure: the folder cannot be read.
        """
        try:
            found = os.listdir(self.path)
        except OSError as error:
            raise self._failure("list", self.path, error) from None
        return {name for name in found if name[0] in _FIRST_OF_ADDRESS}

    def read(self, name: str) -> Lease | None:
        """The lease of the address `name`; None where there is none.

        What cannot be read or understood is somebody's, though nobody knows whose.
        """
        try:
            # Neither a pipe, nor a link to one, may hold the call for ever.
            flags = os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK | os.O_NOFOLLOW
            descriptor = os.open(self._at(name), flags)
            try:
                content = os.read(descriptor, _LONGEST + 1)
            finally:
                os.close(descriptor)
        except FileNotFoundError:
            return None
        except OSError:
            return Lease(name=name)
        # After a power cut some file systems show zeros where nothing was written.
        return Lease(name=name, owner=parse_owner(content), empty=not content.strip(b"\0 \t\r\n"))

    def leases(self) -> Iterator[Lease]:
        """Every lease there is; reads each file.

        Raises:
            IOFailure: the folder cannot be read.
        """
        for name in self.names():
            lease = self.read(name)
            if lease is not None and as_address(name) is not None:
                yield lease

    def claim(self, names: Iterable[str], owner: Owner) -> str | None:
        """Lease the first address that is free; the lock must be held.

        Args:
            names: addresses, as their files are named, in the order to try.
            owner: who will hold it.

        Returns:
            Which one it was; None where all are taken.

        Raises:
            IOFailure: it cannot be written.
        """
        try:
            with self._written(format_owner(owner)) as link:
                return next((name for name in names if link(name)), None)
        except OSError as error:
            raise self._failure("write a lease in", self.path, error) from None

    def drop(self, name: str) -> None:
        """Take a lease away, if it is there; the lock must be held.

        Raises:
            IOFailure: it cannot be removed.
        """
        self._remove(name)

    def last_reserved(self, index: int) -> IPAddress | None:
        """The address last leased from a range set; None where that is not known."""
        try:
            found = read_bounded(self._at(f"{_LAST}{index}"), _LONGEST) or b""
            return ip_address(found.decode("ascii").strip())
        except (IOFailure, ValueError):
            return None

    def note_last_reserved(self, index: int, name: str) -> None:
        """Remember the address last leased from a range set.

        Written in place, as the reference does: what half of it says only moves
        the place where the next search begins.

        Raises:
            IOFailure: it cannot be written.
        """
        path = self._at(f"{_LAST}{index}")
        try:
            self._write(path, name.encode(), 0)
        except OSError as error:
            raise self._failure("write", path, error) from None

    def try_writing(self) -> None:
        """See whether a lease could be written; the lock must be held.

        Raises:
            IOFailure: it could not.
        """
        try:
            self._write(self._at(_TEMPORARY), b"", os.O_EXCL)
        except OSError as error:
            raise self._failure("write in", self.path, error) from None
        finally:
            self._sweep()

    def written_before(self, moment: int) -> list[str]:
        """The names of the leases that are older than a moment.

        Args:
            moment: nanoseconds of the wall clock.

        Raises:
            IOFailure: the folder cannot be read.
        """
        return [
            name
            for name in self.names()
            if as_address(name) is not None and self._is_older(name, moment)
        ]

    def stamp(self) -> int:
        """The folder's time of change, in nanoseconds; 0 where it cannot be told.

        Whoever makes, removes or renames a file in the folder changes it.
        """
        try:
            return os.stat(self.path).st_mtime_ns
        except OSError:
            return 0

    def put_stamp(self, moment: int) -> None:
        """Set the folder's time of change, in nanoseconds.

        Raises:
            OSError: it is not ours to set.
        """
        os.utime(self.path, ns=(moment, moment))

    def _is_older(self, name: str, moment: int) -> bool:
        try:
            status = os.lstat(self._at(name))
        except OSError:
            return False
        return S_ISREG(status.st_mode) and status.st_mtime_ns < moment

    def _at(self, name: str) -> str:
        return f"{self.path}/{name}"

    @contextmanager
    def _written(self, content: bytes) -> Iterator[Callable[[str], bool]]:
        """A file that is whole and has no address yet; what is given links it to one.

        It has no name at all, and a kill leaves nothing, where the file system can do that.
        """
        try:
            flags = os.O_TMPFILE | os.O_WRONLY | os.O_CLOEXEC
            descriptor = os.open(self.path, flags, 0o600)
        except OSError as error:
            if error.errno not in NO_NAMELESS_FILES:
                raise
            with self._written_under_a_name(content) as link:
                yield link
            return
        try:
            _put(descriptor, content)
            yield lambda name: _free(lambda: give_name(descriptor, self._at(name)))
        finally:
            os.close(descriptor)

    @contextmanager
    def _written_under_a_name(self, content: bytes) -> Iterator[Callable[[str], bool]]:
        temporary = self._at(_TEMPORARY)
        try:
            self._write(temporary, content, os.O_EXCL)
            yield lambda name: _free(lambda: os.link(temporary, self._at(name)))
        finally:
            self._sweep()

    def _write(self, path: str, content: bytes, how: int) -> None:
        # A pipe in the file's place would be waited on for ever without O_NONBLOCK.
        flags = os.O_WRONLY | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW | os.O_NONBLOCK | how
        descriptor = os.open(path, flags, 0o600)
        try:
            _put(descriptor, content)
            # Cut off afterwards: ext4 flushes a file that was emptied first when it is closed.
            os.ftruncate(descriptor, len(content))
        finally:
            os.close(descriptor)

    def _sweep(self) -> None:
        # Where it fails, a lease that was made still counts; the next lock tries again.
        with suppress(OSError):
            os.unlink(self._at(_TEMPORARY))

    def _remove(self, name: str) -> None:
        try:
            os.unlink(self._at(name))
        except FileNotFoundError:
            pass
        except OSError as error:
            raise self._failure("remove", self._at(name), error) from None

    def _failure(self, doing: str, path: str, error: OSError) -> IOFailure:
        return IOFailure(
            f"{doing} {path}: {error.strerror}", "is the disk full, read-only, or not ours?"
        )


def _put(descriptor: int, content: bytes) -> None:
    if os.write(descriptor, content) < len(content):
        raise OSError(ENOSPC, os.strerror(ENOSPC))


def _free(link: Callable[[], None]) -> bool:
    """Link a file to an address; False where that is taken."""
    try:
        link()
    except FileExistsError:
        return False
    return True
