"""Asks the agent of this node, without asyncio.

May import: errors, paths, agent.protocol.
"""

from __future__ import annotations

import json
import socket
from typing import TYPE_CHECKING

from dari.agent.messages import _
from dari.agent.protocol import Answer, AnswerReader, Call, encode_call
from dari.errors import NotAvailable, TryAgain, Undecodable

if TYPE_CHECKING:
    from dari.model import Json

_CHUNK = 65536
STATUS = Call(environ={"DARI_COMMAND": "status"})


class AgentAbsent(NotAvailable):
    """No agent listens on this node."""


def ask(path: str, call: Call, *, seconds: float = 5.0) -> Answer:
    """Send one call and wait for its answer.

    Args:
        path: the agent's socket.
        seconds: how long to wait for each step.

    Raises:
        AgentAbsent: nobody listens there.
        NotAvailable: this user may not ask.
        TryAgain: the agent does not answer in time.
        Undecodable: whoever listens does not speak the protocol.
    """
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as connection:
        connection.settimeout(seconds)
        try:
            connection.connect(path)
            connection.sendall(encode_call(call))
            return _read_answer(connection)
        except (FileNotFoundError, ConnectionRefusedError):
            raise AgentAbsent(
                _("no agent listens on {path}").format(path=path),
                _("start it with: dari agent (as root)"),
            ) from None
        except PermissionError:
            raise NotAvailable(
                _("may not ask the agent on {path}").format(path=path), _("try as root")
            ) from None
        except TimeoutError:
            raise TryAgain(
                _("the agent on {path} did not answer within {seconds:g} s").format(
                    path=path, seconds=seconds
                )
            ) from None
        except OSError as error:
            raise TryAgain(
                _("ask the agent on {path}: {reason}").format(
                    path=path, reason=error.strerror or error
                )
            ) from None


def ask_status(path: str, *, seconds: float = 5.0) -> Json:
    """The agent's state, as `agent.state` writes it.

    Raises:
        DariError: as `ask`; Undecodable also where the state is no JSON object.
    """
    answer = ask(path, STATUS, seconds=seconds)
    try:
        state = json.loads(answer.stdout)
    except ValueError:
        state = None
    if not isinstance(state, dict):
        raise Undecodable(
            _("the agent on {path} told its state in a form not understood").format(path=path)
        )
    return state


def _read_answer(connection: socket.socket) -> Answer:
    reader = AnswerReader()
    while True:
        data = connection.recv(_CHUNK)
        if not data:
            raise TryAgain(_("the agent closed the connection without an answer"))
        answer = reader.feed(data)
        if answer is not None:
            return answer
