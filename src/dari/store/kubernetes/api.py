"""The API server's answers, and its errors as ours.

Source: Kubernetes API Concepts; ``meta/v1`` Status.
May import: dari, errors, model, record, store.base, store.remote, store.kubernetes.access.
"""

from __future__ import annotations

import json
from collections.abc import AsyncGenerator
from typing import TYPE_CHECKING

from dari import __version__
from dari.errors import DariError, IOFailure, TryAgain
from dari.store.base import Unreachable
from dari.store.kubernetes.access import KubeAccess
from dari.store.remote.client import Answer, Client, Refused
from dari.store.remote.connection import Request
from dari.store.remote.mirror import Expired

if TYPE_CHECKING:
    from dari.model import Json

MERGE = "application/merge-patch+json"
STRATEGIC = "application/strategic-merge-patch+json"
_RIGHTS = (
    "its service account needs nodes: get, list, watch, patch, and nodes/status: patch; see deploy/"
)


class Missing(TryAgain):
    """There is no such object, or not yet."""


class KubeApi:
    """Talks to one API server.

    Args:
        access: where it is and who we are.
    """

    def __init__(self, access: KubeAccess) -> None:
        self._access = access
        self._client = Client(access.target, access.tls, access.timing)
        self.source = f"kubernetes {access.target}"

    async def ask(
        self, method: str, path: str, body: Json | None = None, kind: str = "application/json"
    ) -> Json:
        """Make one request.

        Args:
            method: the HTTP verb.
            path: with its query.
            body: an object or a patch.
            kind: the body's media type.

        Raises:
            Unreachable: no answer, or none that may be had now.
            Missing: there is no such object.
            Expired: what was asked for is too long ago.
            IOFailure: the request was refused for good.
        """
        content = None if body is None else json.dumps(body).encode()
        answer = await self._client.ask(self._request(method, path, content, kind))
        if answer.status >= 300:
            raise self._failure(answer)
        return self.decode(answer.body)

    async def lines(self, path: str, idle: float) -> AsyncGenerator[Json, None]:
        """Ask for a stream of objects, one on each line.

        Raises:
            Unreachable: it broke off, or a line is no JSON.
            Expired: what was asked for is too long ago.
        """
        lines = self._client.lines(self._request("GET", path, None, ""), idle)
        try:
            async for line in lines:
                yield self.decode(line)
        except Refused as error:
            raise self._failure(error.answer) from None
        finally:
            await lines.aclose()

    async def close(self) -> None:
        """Close connections."""
        await self._client.close()

    def failure(self, status: Json) -> DariError:
        """A Status object as an error of ours."""
        code = status.get("code")
        said = f"{self.source}: {str(status.get('message') or status.get('reason') or code)[:200]}"
        if code == 410:
            return Expired(said)
        if code == 404:
            return Missing(said)
        if code == 401:
            return Unreachable(said, "look at the token or the client certificate")
        if code == 403:
            return Unreachable(said, _RIGHTS)
        if code in (408, 409, 429) or not isinstance(code, int) or code >= 500:
            return Unreachable(said)
        return IOFailure(said)

    def decode(self, content: bytes) -> Json:
        """Decode an object.

        Raises:
            Unreachable: it is none; something stands between us and the API server.
        """
        try:
            document = json.loads(content)
        except (ValueError, RecursionError):
            raise Unreachable(f"{self.source}: what it answered is no JSON") from None
        if not isinstance(document, dict):
            raise Unreachable(f"{self.source}: what it answered is no object")
        return document

    def _failure(self, answer: Answer) -> DariError:
        """The status line counts, and the Status object's words if there is one."""
        try:
            words = self.decode(answer.body)
        except Unreachable:
            words = {}
        message = words.get("message") or f"status {answer.status}"
        return self.failure({"code": answer.status, "message": message})

    def _request(self, method: str, path: str, body: bytes | None, kind: str) -> Request:
        headers = [("Accept", "application/json"), ("User-Agent", f"dari/{__version__}")]
        if body is not None:
            headers.append(("Content-Type", kind))
        token = self._access.bearer()
        if token:
            headers.append(("Authorization", f"Bearer {token}"))
        return Request(method=method, path=path, headers=tuple(headers), body=body)
