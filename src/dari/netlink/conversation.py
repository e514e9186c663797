"""What is asked of the kernel and how its answers are matched; no socket here.

`Conversation` numbers requests and reads answers until none is due: the ack of a
batch's last request, one reply, or a dump's parts. `sock.NetlinkSocket` carries it over a
real socket; tests carry it over a script.

Source: linux/netlink.h; Documentation/userspace-api/netlink/intro.rst.
May import: errors, codec, constants.
"""

from __future__ import annotations

from struct import Struct

from dari.errors import TryAgain, Undecodable, kernel_error
from dari.netlink.codec import HEADER_SIZE, encode, parse_attributes, split_messages, unpack
from dari.netlink.constants import (
    NLM_F_ACK,
    NLM_F_ACK_TLVS,
    NLM_F_CAPPED,
    NLM_F_DUMP,
    NLM_F_DUMP_INTR,
    NLMSG_DONE,
    NLMSG_ERROR,
    NLMSGERR_ATTR_MSG,
)

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from typing import Protocol

    from dari.errors import KernelRefused
    from dari.netlink.codec import Fields, Request

    class Carrier(Protocol):
        """Takes datagrams to the kernel and brings back its own."""

        def send(self, datagram: bytes) -> None: ...

        def receive(self) -> bytes:
            """The next datagram, waited for. Raises: TryAgain where none comes."""

    Answered = tuple[KernelRefused | None, int, bytes]
    """The first refusal of a batch, and the kind and body of the answer to its last."""

# The kernel queues an answer for each request that it refuses before the first can be
# read, and a socket's default buffer (net.core.rmem_default) holds some 250 of them.
BATCH_REQUESTS = 128
# Half of the smallest send buffer met (net.core.wmem_default).
BATCH_BYTES = 65536
# A dump is cut up by any change meanwhile; a busy node calms down within a few.
DUMP_ATTEMPTS = 10
UNSETTLED_ATTEMPTS = 3
_LAST_SEQUENCE = 0x7FFFFFFF
_MAX_ERRNO = 4095  # linux/err.h

_ERRNO = Struct("=i")
_ERROR = Struct("=iI")


class Conversation:
    """Requests and their answers, one exchange at a time.

    Not for use by two threads at once. After `Undecodable` or `TryAgain` from a
    dump, open another: parts of the unread dump may still be due.

    Args:
        carrier: of the datagrams.
    """

    def __init__(self, carrier: Carrier) -> None:
        self._sequence = 0
        self._carrier = carrier

    def transact(self, requests: Sequence[Request]) -> None:
        """Send all requests together and wait until the kernel is done with them.

        The kernel tries each, also after one that it refused, and so does this
        where there are too many for one datagram.

        Raises:
            KernelRefused: for the first that was refused; its `index` says
                which. By then all answers are read.
        """
        refused: KernelRefused | None = None
        for start, batch in _batches(requests):
            failure, _, _ = self._exchange(batch, start, NLM_F_ACK)
            refused = refused or failure
        if refused is not None:
            raise refused

    def ask(self, request: Request, *, after: Sequence[Request] = ()) -> bytes:
        """Send one request and return the body of its one reply.

        Args:
            request: the question.
            after: requests that go before it in the same datagram, few and small; it is
                asked even where one of them is refused.

        Raises:
            NotFound: there is no such object.
            KernelRefused: the kernel said no to the question, or to what went before it.
        """
        refused, kind, body = self._exchange([*after, request], 0, 0)
        if refused is not None:
            raise refused
        if kind == NLMSG_ERROR:
            raise Undecodable(f"{request.doing}: an ack where a reply was due")
        return body

    def dump(self, request: Request, *, settled: bool = True) -> list[bytes]:
        """Ask for all objects of a kind and return the bodies.

        A dump that a change cut up is asked for anew.

        Args:
            request: the question.
            settled: it has to be whole. Otherwise one that is cut up every time will do:
                each object is told of as it was, and one that was there all along is
                missed only by chance.

        Raises:
            TryAgain: it has to be whole, and was cut up every time.
            KernelRefused: the kernel said no.
        """
        attempts = DUMP_ATTEMPTS if settled else UNSETTLED_ATTEMPTS
        for _ in range(attempts):
            bodies, whole = self._dump_once(request)
            if whole:
                return bodies
        if settled:
            raise TryAgain(f"{request.doing}: changed meanwhile, {attempts} times in a row")
        return bodies

    def sample(self, request: Request, most: int = 0) -> list[bytes]:
        """Ask for all objects of a kind that never rests, and take them as they come.

        Args:
            request: the question.
            most: stop after so many bodies; 0: at the end. The rest stays due, so that
                this conversation is then of no more use.

        Raises:
            KernelRefused: the kernel said no.
        """
        return self._dump_once(request, most)[0]

    def _dump_once(self, request: Request, most: int = 0) -> tuple[list[bytes], bool]:
        number = self._number(1)
        self._carrier.send(encode(request, number, NLM_F_DUMP))
        bodies: list[bytes] = []
        whole = True
        while True:
            for kind, flags, _, _, body in self._answers(number, number):
                if most and len(bodies) == most:
                    return bodies, False
                whole = whole and not flags & NLM_F_DUMP_INTR
                if kind not in (NLMSG_DONE, NLMSG_ERROR):
                    bodies.append(body)
                    continue
                if refused := _refusal(request, kind, flags, body):
                    raise refused
                return bodies, whole

    def _exchange(self, batch: Sequence[Request], start: int, flags: int) -> Answered:
        """Send a batch, its last request with `flags`, and read up to the answer to that.

        The kernel works through a datagram in order, and answers what it refuses unasked:
        so nothing about the others can come later, and their acks would tell nothing more.
        """
        first = self._number(len(batch))
        last = first + len(batch) - 1
        ahead = [encode(each, number, 0) for number, each in enumerate(batch[:-1], first)]
        self._carrier.send(b"".join([*ahead, encode(batch[-1], last, flags)]))
        refused: KernelRefused | None = None
        while True:
            for kind, said, sequence, _, body in self._answers(first, last):
                failure = None
                if kind == NLMSG_ERROR:
                    index = sequence - first
                    failure = _refusal(batch[index], kind, said, body, start + index)
                    if failure and (refused is None or failure.index < refused.index):
                        refused = failure
                if sequence == last:
                    return refused, kind, body

    def _number(self, count: int) -> int:
        """Take `count` sequence numbers and return the first."""
        if self._sequence > _LAST_SEQUENCE - count:
            self._sequence = 0
        first = self._sequence + 1
        self._sequence += count
        return first

    def _answers(self, first: int, last: int) -> Iterator[Fields]:
        """Of the next datagram, what answers the requests first to last.

        Lower numbers are late answers to an exchange that was given up.
        """
        for message in split_messages(self._carrier.receive()):
            sequence = message[2]
            if sequence > last:
                raise Undecodable(f"netlink: an answer to {sequence}, never asked")
            if sequence >= first:
                yield message


def _batches(requests: Sequence[Request]) -> Iterator[tuple[int, list[Request]]]:
    batch: list[Request] = []
    start = size = 0
    for index, request in enumerate(requests):
        length = HEADER_SIZE + len(request.body) + 3
        if batch and (len(batch) == BATCH_REQUESTS or size + length > BATCH_BYTES):
            yield start, batch
            start, batch, size = index, [], 0
        batch.append(request)
        size += length
    if batch:
        yield start, batch


def _refusal(
    request: Request, kind: int, flags: int, body: bytes, index: int = 0
) -> KernelRefused | None:
    """What an error or an end of dump says; None where it says success."""
    (code,) = unpack(_ERRNO, body, "end of an answer")
    if code >= 0:
        return None
    if code < -_MAX_ERRNO:
        raise Undecodable(f"{request.doing}: error {code}, which is none")
    return kernel_error(request.doing, -code, _extack(kind, flags, body), index)


def _extack(kind: int, flags: int, body: bytes) -> str:
    """The kernel's explanation, behind the request's header (or all of it)."""
    if not flags & NLM_F_ACK_TLVS:
        return ""
    skip = _ERRNO.size
    if kind == NLMSG_ERROR:
        _, size = unpack(_ERROR, body, "error")
        skip += HEADER_SIZE if flags & NLM_F_CAPPED else (size + 3) & ~3
    return parse_attributes(body[skip:]).text(NLMSGERR_ATTR_MSG)
