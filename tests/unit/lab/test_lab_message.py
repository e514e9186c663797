"""What a lab's processes tell each other, and that the kernel vouches for who says it."""

from __future__ import annotations

import os

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dari.errors import Undecodable
from dari.lab.message import Message, decode, encode, pair

TEXT = st.text(max_size=40)
MESSAGES = st.builds(
    Message,
    kind=TEXT,
    name=TEXT,
    text=TEXT,
    details=TEXT,
    values=st.dictionaries(TEXT, st.lists(TEXT, max_size=3).map(tuple), max_size=3),
)


@given(MESSAGES)
def test_what_is_said_is_heard(message: Message) -> None:
    assert decode(encode(message)) == message


@given(
    st.one_of(
        st.binary(max_size=200),
        st.sampled_from([b"1", b"[]", b"{}", b'{"kind": 1}', b"\xff", b"[" * 5000]),
    )
)
def test_what_is_no_message_is_refused(packet: bytes) -> None:
    with pytest.raises(Undecodable):
        decode(packet)


def test_the_kernel_says_which_process_spoke() -> None:
    ours, theirs = pair()
    child = os.fork()
    if not child:
        theirs.send(Message(kind="hello"))
        os._exit(0)
    theirs.close()
    said = ours.receive()
    assert said is not None
    assert said.sender == child
    assert os.waitpid(child, 0)[1] == 0
    assert ours.receive() is None
    ours.close()


def test_messages_of_one_channel_stay_whole_and_in_order() -> None:
    ours, theirs = pair()
    for number in range(20):
        theirs.send(Message(kind=str(number), text="x" * 5000))
        heard = ours.receive()
        assert heard is not None
        assert heard.kind == str(number)
    theirs.close()
    assert ours.receive() is None
    ours.close()


def test_hanging_up_is_heard_while_the_other_direction_stays_open() -> None:
    ours, theirs = pair()
    ours.hang_up()
    assert theirs.receive() is None
    theirs.send(Message(kind="last"))
    theirs.close()
    ours.wait_for_end()
    ours.close()


def test_speaking_to_nobody_is_no_error() -> None:
    ours, theirs = pair()
    theirs.close()
    ours.send(Message(kind="hello"))
    ours.close()
