"""Answers are matched to requests, over a script instead of a socket."""

from __future__ import annotations

import errno
from collections.abc import Callable
from contextlib import suppress
from struct import pack

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dari.errors import AlreadyExists, DariError, KernelRefused, NotFound, TryAgain, Undecodable
from dari.netlink import constants as c
from dari.netlink.codec import Message, Request, attribute, parse_messages, text
from dari.netlink.conversation import (
    BATCH_BYTES,
    BATCH_REQUESTS,
    DUMP_ATTEMPTS,
    UNSETTLED_ATTEMPTS,
    Conversation,
)
from tests.unit.netlink.witness import moderate

Answer = Callable[[list[Message]], bytes]


class Scripted(Conversation):
    """Each receive gives the next answer, made from what was sent last."""

    def __init__(self, *answers: Answer) -> None:
        super().__init__(self)
        self.answers = list(answers)
        self.sent: list[list[Message]] = []

    def send(self, datagram: bytes) -> None:
        self.sent.append(parse_messages(datagram))

    def receive(self) -> bytes:
        if not self.answers:
            raise TryAgain("the script is at its end")
        return self.answers.pop(0)(self.sent[-1])


def message(kind: int, sequence: int, body: bytes = b"", flags: int = 0) -> bytes:
    raw = pack("=IHHII", 16 + len(body), kind, flags, sequence, 0) + body
    return raw + bytes(-len(raw) % 4)


def acked(sent: Message, error: int = 0, said: str = "", capped: bool = True) -> bytes:
    """An ack as the kernel writes it: errno, the request (or its header), explanation."""
    header = pack("=IHHII", 16 + len(sent.body), sent.kind, sent.flags, sent.sequence, 0)
    body = pack("=i", -error) + header + (b"" if capped else sent.body)
    body += bytes(-len(body) % 4)
    flags = c.NLM_F_CAPPED if capped else 0
    if said:
        body += text(c.NLMSGERR_ATTR_MSG, said)
        flags |= c.NLM_F_ACK_TLVS
    return message(c.NLMSG_ERROR, sent.sequence, body, flags)


def all_acked(sent: list[Message]) -> bytes:
    return b"".join(acked(each) for each in sent)


def request(doing: str = "try", body: bytes = b"") -> Request:
    return Request(kind=c.RTM_NEWLINK, flags=0, body=body, doing=doing)


def part(index: int, flags: int = c.NLM_F_MULTI) -> Answer:
    return lambda sent: message(c.RTM_NEWLINK, sent[0].sequence, bytes([index]), flags)


def done(error: int = 0, flags: int = c.NLM_F_MULTI, more: bytes = b"") -> Answer:
    return lambda sent: message(c.NLMSG_DONE, sent[0].sequence, pack("=i", -error) + more, flags)


def test_a_batch_is_one_datagram_whose_last_request_wants_an_ack() -> None:
    script = Scripted(lambda sent: acked(sent[-1]))
    script.transact([request(), request(), request()])
    assert [len(sent) for sent in script.sent] == [3]
    assert [each.flags & c.NLM_F_ACK for each in script.sent[0]] == [0, 0, c.NLM_F_ACK]
    assert len({each.sequence for each in script.sent[0]}) == 3


def test_no_requests_are_no_datagram() -> None:
    script = Scripted()
    script.transact([])
    assert script.sent == []


def test_the_first_refused_is_raised_after_all_acks_are_read() -> None:
    script = Scripted(
        lambda sent: acked(sent[2], errno.EEXIST, "it is there"),
        lambda sent: acked(sent[3], errno.ENOENT),
    )
    with pytest.raises(AlreadyExists) as caught:
        script.transact([request(f"add {n}") for n in range(4)])
    assert (caught.value.index, caught.value.operation) == (2, "add 2")
    assert caught.value.extack == "it is there"
    assert script.answers == []


def test_a_question_goes_behind_changes_in_their_datagram() -> None:
    script = Scripted(lambda sent: message(c.RTM_NEWLINK, sent[2].sequence, b"answer"))
    assert script.ask(request("ask"), after=[request(), request()]) == b"answer"
    assert [each.flags & c.NLM_F_ACK for each in script.sent[0]] == [0, 0, 0]


def test_a_change_refused_before_a_question_is_raised_in_its_place() -> None:
    script = Scripted(
        lambda sent: acked(sent[1], errno.EEXIST),
        lambda sent: message(c.RTM_NEWLINK, sent[2].sequence, b"answer"),
    )
    with pytest.raises(AlreadyExists) as caught:
        script.ask(request("ask"), after=[request("one"), request("two")])
    assert (caught.value.index, caught.value.operation) == (1, "two")
    assert script.answers == []


@pytest.mark.parametrize("capped", [True, False])
def test_the_explanation_is_found_behind_the_request(capped: bool) -> None:
    script = Scripted(lambda sent: acked(sent[0], errno.EINVAL, "mtu too large", capped))
    with pytest.raises(KernelRefused, match=r"try: Invalid argument \(EINVAL\): mtu too large"):
        script.transact([request(body=b"12345")])


def test_a_refusal_without_explanation_is_one_too() -> None:
    script = Scripted(lambda sent: acked(sent[0], errno.EPERM))
    with pytest.raises(KernelRefused) as caught:
        script.transact([request()])
    assert (caught.value.errno, caught.value.extack) == (errno.EPERM, "")


def test_events_and_echoes_between_acks_do_not_count() -> None:
    script = Scripted(
        lambda sent: message(c.RTM_NEWLINK, sent[0].sequence) + acked(sent[0]),
        lambda sent: acked(sent[0]) + acked(sent[1]),
    )
    script.transact([request(), request()])
    assert script.answers == []


def test_late_answers_to_an_earlier_exchange_are_passed_over() -> None:
    script = Scripted(lambda _sent: b"\0", lambda sent: acked(sent[0]))
    with pytest.raises(Undecodable):
        script.transact([request()])
    script.answers = [lambda _sent: acked(script.sent[0][0], errno.EPERM), all_acked]
    script.transact([request()])
    assert script.answers == []


@pytest.mark.parametrize("use", ["transact", "ask", "dump"])
def test_an_answer_to_what_was_never_asked_is_undecodable(use: str) -> None:
    script = Scripted(lambda sent: message(c.NLMSG_ERROR, sent[0].sequence + 1, pack("=i", 0)))
    with pytest.raises(Undecodable):
        getattr(script, use)([request()] if use == "transact" else request())


@moderate
@given(st.lists(st.integers(0, 9000), max_size=400), st.data())
def test_large_batches_are_split_and_numbered_through(
    sizes: list[int], data: st.DataObject
) -> None:
    wrong = data.draw(st.sets(st.integers(0, max(len(sizes) - 1, 0)), max_size=3))
    wrong &= set(range(len(sizes)))
    script = Scripted()

    def answer(sent: list[Message]) -> bytes:
        return b"".join(
            acked(each, errno.ENOENT if int(each.body[:4]) in wrong else 0) for each in sent
        )

    script.answers = [answer] * len(sizes)
    asked = [request(f"do {n}", b"%04d" % n + bytes(size)) for n, size in enumerate(sizes)]
    if wrong:
        with pytest.raises(NotFound) as caught:
            script.transact(asked)
        assert (caught.value.index, caught.value.operation) == (min(wrong), f"do {min(wrong)}")
    else:
        script.transact(asked)
    assert [each.body for sent in script.sent for each in sent] == [each.body for each in asked]
    for sent in script.sent:
        assert len(sent) <= BATCH_REQUESTS
        assert len(sent) == 1 or sum(16 + len(each.body) for each in sent) <= BATCH_BYTES


def test_sequence_numbers_start_again_before_they_overflow() -> None:
    script = Scripted(all_acked, all_acked)
    script._sequence = 0x7FFFFFFF - 1
    script.transact([request(), request()])
    assert [each.sequence for each in script.sent[0]] == [1, 2]


def test_one_question_has_one_reply() -> None:
    script = Scripted(lambda sent: message(c.RTM_NEWLINK, sent[0].sequence, b"body"))
    assert script.ask(request()) == b"body"
    assert not script.sent[0][0].flags & c.NLM_F_ACK


def test_a_refused_question_is_raised() -> None:
    with pytest.raises(NotFound, match=r"get link x: No such device \(ENODEV\)"):
        Scripted(lambda sent: acked(sent[0], errno.ENODEV)).ask(request("get link x"))


def test_an_ack_is_no_reply() -> None:
    with pytest.raises(Undecodable):
        Scripted(all_acked).ask(request())


def test_a_dump_gives_all_parts() -> None:
    script = Scripted(lambda sent: part(1)(sent) + part(2)(sent), part(3), done())
    assert script.dump(request()) == [b"\1", b"\2", b"\3"]
    assert script.sent[0][0].flags & c.NLM_F_DUMP == c.NLM_F_DUMP


@pytest.mark.parametrize("where", ["first part", "last part", "end"])
def test_an_interrupted_dump_is_read_to_its_end_and_asked_for_anew(where: str) -> None:
    cut = c.NLM_F_MULTI | c.NLM_F_DUMP_INTR
    script = Scripted(
        part(1, cut if where == "first part" else c.NLM_F_MULTI),
        part(1, cut if where == "last part" else c.NLM_F_MULTI),
        done(flags=cut if where == "end" else c.NLM_F_MULTI),
        part(7),
        done(),
    )
    assert script.dump(request()) == [b"\7"]
    assert len(script.sent) == 2
    assert script.answers == []


def test_a_dump_interrupted_every_time_is_given_up() -> None:
    script = Scripted(*[part(1, c.NLM_F_DUMP_INTR), done()] * DUMP_ATTEMPTS, part(1), done())
    with pytest.raises(TryAgain, match="list links"):
        script.dump(request("list links"))
    assert len(script.sent) == DUMP_ATTEMPTS


def test_a_dump_that_need_not_be_whole_is_what_the_last_attempt_told() -> None:
    cut = [each for number in (1, 2, 3) for each in (part(number, c.NLM_F_DUMP_INTR), done())]
    script = Scripted(*cut, part(4), done())
    assert script.dump(request(), settled=False) == [b"\3"]
    assert len(script.sent) == UNSETTLED_ATTEMPTS == 3
    assert Scripted(part(1, c.NLM_F_DUMP_INTR), done(), part(2), done()).dump(
        request(), settled=False
    ) == [b"\2"]


def test_a_dump_that_fails_says_why() -> None:
    with pytest.raises(NotFound):
        Scripted(lambda sent: acked(sent[0], errno.ENOENT)).dump(request())
    more = text(c.NLMSGERR_ATTR_MSG, "no such table")
    with pytest.raises(NotFound, match="no such table"):
        Scripted(part(1), done(errno.ENOENT, c.NLM_F_ACK_TLVS, more)).dump(request())


@moderate
@given(st.lists(st.binary(max_size=120), max_size=4), st.sampled_from(["transact", "ask", "dump"]))
def test_random_answers_end_in_a_value_or_an_error_of_ours(noise: list[bytes], use: str) -> None:
    script = Scripted(*[lambda _sent, each=each: each for each in noise])
    with suppress(DariError):
        getattr(script, use)([request()] if use == "transact" else request())


@moderate
@given(
    st.sampled_from([c.NLMSG_ERROR, c.NLMSG_DONE, c.RTM_NEWLINK]),
    st.integers(0, 65535),
    st.binary(max_size=80),
    st.sampled_from(["transact", "ask", "dump"]),
)
def test_well_framed_nonsense_ends_so_too(kind: int, flags: int, body: bytes, use: str) -> None:
    script = Scripted(lambda sent: message(kind, sent[0].sequence, body, flags))
    with suppress(DariError):
        getattr(script, use)([request()] if use == "transact" else request())


def test_an_explanation_that_is_cut_short_is_undecodable() -> None:
    body = pack("=i", -errno.EINVAL) + bytes(16) + attribute(1, b"long")[:-2]
    flags = c.NLM_F_CAPPED | c.NLM_F_ACK_TLVS
    script = Scripted(lambda sent: message(c.NLMSG_ERROR, sent[0].sequence, body, flags))
    with pytest.raises(Undecodable):
        script.transact([request()])


def test_an_errno_that_cannot_be_is_undecodable() -> None:
    script = Scripted(lambda sent: message(c.NLMSG_ERROR, sent[0].sequence, pack("=i", -(2**31))))
    with pytest.raises(Undecodable):
        script.transact([request()])
