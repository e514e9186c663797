"""etcd's calls, over the JSON gateway that every server has (``/v3/…``).

JSON over HTTP because it needs nothing but the standard library, where gRPC needs a
compiled library and generated code. Keys and values are base64, 64-bit numbers
are strings, and what is zero is left out.

Source: etcd v3.4 ``rpc.proto`` (KV, Watch, Lease, Auth) and its documentation of
"gRPC gateway"; gRPC's ``codes.proto`` for the codes.
May import: errors, model, record, store.base, store.remote.
"""

from __future__ import annotations

import asyncio
import json
from base64 import b64decode, b64encode
from collections.abc import AsyncGenerator, Sequence
from typing import TYPE_CHECKING

from dari.errors import BadConfig, IOFailure, Undecodable
from dari.record import Record
from dari.store.base import Unreachable
from dari.store.remote.client import Answer, Client, Refused
from dari.store.remote.connection import Request, Target
from dari.store.remote.mirror import Expired
from dari.store.remote.pauses import Timing
from dari.store.remote.tls import Tls

if TYPE_CHECKING:
    from dari.model import Json

_INVALID, _DENIED, _PRECONDITION, _OUT_OF_RANGE, _UNAUTHENTICATED = 3, 7, 9, 11, 16
_ELSEWHERE = frozenset({4, 8, 13, 14})  # deadline, exhausted, internal, unavailable
_SILENCE = 900.0  # seconds; an idle watch tells how far it is every ten minutes


class EtcdSettings(Record):
    """How etcd is reached.

    Attributes:
        endpoints: members of one cluster; any will do.
        prefix: before all keys; begins with a slash and does not end in one.
        password_file: read whenever a token is needed, so that it may change.
        sign_seconds: after which an agent that gives no sign of life counts as dead.
    """

    endpoints: tuple[Target, ...]
    prefix: str = "/dari"
    tls: Tls = Tls()
    user: str = ""
    password_file: str = ""
    timing: Timing = Timing()
    sign_seconds: float = 30.0


class CallFailed(IOFailure):
    """etcd answered, with an error; `status` is its gRPC code."""

    status = 0


class Etcd:
    """Calls whichever member answers, and stays with it.

    Args:
        settings: how it is reached.
    """

    def __init__(self, settings: EtcdSettings) -> None:
        self._settings = settings
        self._clients = [Client(each, settings.tls, settings.timing) for each in settings.endpoints]
        self._current = 0
        self._token: str | None = None
        self._login = asyncio.Lock()

    async def call(self, path: str, body: Json) -> Json:
        """Make one call.

        Args:
            path: of the call, such as ``/v3/kv/range``.
            body: its arguments.

        Raises:
            Unreachable: no member answers, or the login is refused.
            CallFailed: etcd answered with an error.
        """
        await self._login_if_needed()
        used = self._token
        try:
            return await self._anywhere(path, body)
        except CallFailed as error:
            # Tokens end, and any change of users or roles ends them all.
            if used is None or error.status not in (_UNAUTHENTICATED, _INVALID):
                raise
        if self._token == used:  # else another call has found that out already
            self._token = None
        await self._login_if_needed()
        return await self._anywhere(path, body)

    async def stream(self, path: str, body: Json) -> AsyncGenerator[Json, None]:
        """Make a call that is answered by many messages; begin it anew where it breaks.

        Raises:
            Unreachable: it broke off.
            CallFailed: etcd answered with an error.
        """
        await self._login_if_needed()
        chosen = self._current
        client = self._clients[chosen]
        lines = client.lines(self._request(path, body), _SILENCE)
        try:
            async for line in lines:
                message = _object(line, str(client.target))
                if isinstance(message.get("error"), dict):
                    raise _failure(message["error"], str(client.target))
                yield section(message, "result")
        except Refused as error:
            self._token = None
            raise _failed(error.answer, str(client.target)) from None
        except Unreachable:
            self._move_on(chosen)
            raise
        finally:
            await lines.aclose()

    async def close(self) -> None:
        """Close connections."""
        for client in self._clients:
            await client.close()

    async def _anywhere(self, path: str, body: Json) -> Json:
        """Ask the member that answered last, then the others."""
        told: list[str] = []
        count = len(self._clients)
        first = self._current
        for chosen in [(first + each) % count for each in range(count)]:
            client = self._clients[chosen]
            try:
                answer = await client.ask(self._request(path, body))
                if answer.status == 200:
                    return _object(answer.body, str(client.target))
                raise _failed(answer, str(client.target))
            except (Unreachable, Undecodable) as error:
                told.append(error.message)
                self._move_on(chosen)
        raise Unreachable(f"etcd: {'; '.join(told)}")

    def _move_on(self, failed: int) -> None:
        """Try the next one from now on, unless another call has found that out already."""
        if self._current == failed:
            self._current = (failed + 1) % len(self._clients)

    def _request(self, path: str, body: Json) -> Request:
        headers = [("Content-Type", "application/json")]
        if self._token:
            headers.append(("Authorization", self._token))
        content = json.dumps(body).encode()
        return Request(method="POST", path=path, headers=tuple(headers), body=content)

    async def _login_if_needed(self) -> None:
        if not self._settings.user:
            return
        async with self._login:  # one for all calls that need it
            if self._token is None:
                self._token = await self._new_token()

    async def _new_token(self) -> str:
        body = {"name": self._settings.user, "password": self._password()}
        try:
            answer = await self._anywhere("/v3/auth/authenticate", body)
        except CallFailed as error:
            if error.status == _PRECONDITION:  # users are not asked for
                return ""
            raise Unreachable(
                f"etcd: login as {self._settings.user} refused",
                "look at --etcd-user and --etcd-password-file",
            ) from None
        token = answer.get("token")
        return token if isinstance(token, str) else ""

    def _password(self) -> str:
        path = self._settings.password_file
        try:
            with open(path, encoding="utf-8") as stream:
                return stream.readline(4096).rstrip("\r\n")
        except (OSError, ValueError) as error:
            reason = getattr(error, "strerror", None) or "not text"
            raise BadConfig(f"--etcd-password-file: {path}: {reason}") from None


def _failed(answer: Answer, source: str) -> IOFailure | Unreachable | Expired:
    try:
        document = _object(answer.body, source)
    except Undecodable:
        return Unreachable(f"{source}: status {answer.status}, and no answer of etcd's")
    return _failure(document, source)


def _failure(error: object, source: str) -> IOFailure | Unreachable | Expired:
    """An error of etcd's as one of ours: by gRPC code, since words change."""
    document = error if isinstance(error, dict) else {}
    code = document.get("code", document.get("grpc_code"))
    said = str(document.get("message") or document.get("error") or "no reason given")[:200]
    if code == _OUT_OF_RANGE:
        return Expired(f"{source}: {said}")
    if code == _DENIED:
        return Unreachable(
            f"{source}: {said}", "its user needs a role that may read and write below the prefix"
        )
    if code in _ELSEWHERE or not isinstance(code, int):
        return Unreachable(f"{source}: {said}")
    failed = CallFailed(f"{source}: {said}")
    failed.status = code
    return failed


def _object(content: bytes, source: str) -> Json:
    try:
        document = json.loads(content)
    except (ValueError, RecursionError):
        raise Undecodable(f"{source}: what it answered is no JSON") from None
    if not isinstance(document, dict):
        raise Undecodable(f"{source}: what it answered is no object")
    return document


def section(document: Json, key: str) -> Json:
    """A nested object; empty where there is none."""
    value = document.get(key)
    return value if isinstance(value, dict) else {}


def items(document: Json, key: str) -> Sequence[Json]:
    """A list of objects; empty where there is none."""
    value = document.get(key)
    return [each for each in value if isinstance(each, dict)] if isinstance(value, list) else []


def number(document: Json, key: str) -> int:
    """A 64-bit number, which JSON has as a string; 0 where it is left out."""
    value = document.get(key, 0)
    try:
        return int(value) if isinstance(value, (str, int)) else 0
    except ValueError:
        return 0


def wrap(content: bytes) -> str:
    """Bytes as the gateway has them."""
    return b64encode(content).decode()


def unwrap(value: object) -> bytes:
    """Bytes from what the gateway has; empty where it is none."""
    try:
        return b64decode(value, validate=True) if isinstance(value, str) else b""
    except ValueError:
        return b""
