"""The native entry and `dari.agent.protocol` speak of the same bytes."""

from __future__ import annotations

from dari.agent.protocol import Answer, Call, CallReader, encode_answer
from tests.shim.bindir import CONFIG, BinDir, environment
from tests.support.fake_agent import Conversation, FakeAgent, leaving


def test_the_agent_reads_what_the_entry_sends_and_is_read(bin_dir: BinDir) -> None:
    heard: list[Call] = []

    def agent(conversation: Conversation) -> None:
        reader, call = CallReader(), None
        while call is None:
            call = reader.feed(conversation.connection.recv(7))
        heard.append(call)
        conversation.send(encode_answer(Answer(status=3, stdout=b"said\n")))

    with FakeAgent(bin_dir.socket, leaving(), agent):
        done = bin_dir.call()
    assert (done.status, done.stdout) == (3, b"said\n")
    runtime = {k: v for k, v in environment().items() if k.startswith("CNI_")}
    wanted = {"DARI_RETRY": "1", "DARI_PLUGIN": "bridge", **runtime}
    assert heard == [Call(environ=wanted, stdin=CONFIG)]
