"""A small stateful Kubernetes API server for Nodes, over real HTTP or HTTPS.

What it does as the real one: pages that stay at one moment, watches from a version
on with bookmarks and time limits, 410 for what is compacted (as an answer and as an
event), silence for a version still to come, merge and strategic merge patches, the
status subresource, Status objects for errors, bearer tokens.

What a test can do to it: compact it, restore an older state, cut connections in the
middle of a line, send garbage, be slow, refuse.

Of the emulators to be had, kmock 0.8 knows no pages, no bookmarks, no versions to
watch from and no 410, which are what has to be tested here.

Source: Kubernetes API Concepts; RFC 7386; the patchMergeKey of NodeStatus.
"""

from __future__ import annotations

import copy
import json
import socket
import ssl
import threading
import time
import uuid
from collections.abc import Callable
from contextlib import suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlsplit

Json = dict[str, Any]
_MERGE_KEYS = {"conditions": "type", "addresses": "type"}
_PATCHES = {
    "application/merge-patch+json": lambda thing, patch: merge(thing, patch),
    "application/strategic-merge-patch+json": lambda thing, patch: strategic(thing, patch),
}


class Refusal(Exception):
    def __init__(self, code: int, reason: str, message: str) -> None:
        super().__init__(message)
        self.code = code
        self.status: Json = {
            "kind": "Status",
            "apiVersion": "v1",
            "status": "Failure",
            "code": code,
            "reason": reason,
            "message": message,
        }


class Nodes:
    """The objects and their history. `changed` guards it all."""

    def __init__(self) -> None:
        self.changed = threading.Condition()
        self.version = 100
        self.compacted = 100
        self.objects: dict[str, Json] = {}
        self.history: list[tuple[int, str, Json]] = []
        self.states: dict[int, list[Json]] = {}

    def write(self, kind: str, node: Json) -> Json:
        self.version += 1
        node["metadata"]["resourceVersion"] = str(self.version)
        name = node["metadata"]["name"]
        if kind == "DELETED":
            self.objects.pop(name)
        else:
            self.objects[name] = node
        self.history.append((self.version, kind, copy.deepcopy(node)))
        self.changed.notify_all()
        return node

    def create(self, node: Json) -> Json:
        metadata = node.setdefault("metadata", {})
        if metadata.get("name") in self.objects:
            raise Refusal(409, "AlreadyExists", f"nodes {metadata['name']!r} already exists")
        metadata["uid"] = str(uuid.uuid4())
        node.setdefault("spec", {})
        node.setdefault("status", {})
        return self.write("ADDED", {"kind": "Node", "apiVersion": "v1", **node})

    def get(self, name: str) -> Json:
        if name not in self.objects:
            raise Refusal(404, "NotFound", f'nodes "{name}" not found')
        return self.objects[name]

    def patch(self, name: str, patch: Json, kind: str, status: bool) -> Json:
        if kind not in _PATCHES:
            raise Refusal(415, "UnsupportedMediaType", f"no patches of type {kind}")
        before = self.get(name)
        after: Json = _PATCHES[kind](copy.deepcopy(before), patch)
        untouched = ("spec",) if status else ("status",)
        for key in untouched:
            after[key] = copy.deepcopy(before[key])
        return before if after == before else self.write("MODIFIED", after)

    def delete(self, name: str) -> Json:
        return self.write("DELETED", copy.deepcopy(self.get(name)))

    def page(self, limit: int, token: str) -> Json:
        """A page of the state that the first page was of."""
        version, start = (int(token.split(":")[0]), int(token.split(":")[1])) if token else (0, 0)
        if token and (version < self.compacted or version not in self.states):
            raise Refusal(410, "Expired", "the provided continue parameter is too old")
        if not token:
            version = self.version
            ordered = [copy.deepcopy(self.objects[name]) for name in sorted(self.objects)]
            self.states[version] = ordered
        ordered = self.states[version]
        end = start + limit if limit else len(ordered)
        metadata = {"resourceVersion": str(version)}
        if end < len(ordered):
            metadata["continue"] = f"{version}:{end}"
        return {
            "kind": "NodeList",
            "apiVersion": "v1",
            "metadata": metadata,
            "items": ordered[start:end],
        }


def merge(thing: Any, patch: Any) -> Any:
    """RFC 7386."""
    if not isinstance(patch, dict):
        return patch
    found = dict(thing) if isinstance(thing, dict) else {}
    for key, value in patch.items():
        if value is None:
            found.pop(key, None)
        else:
            found[key] = merge(found.get(key), value)
    return found


def strategic(thing: Any, patch: Any) -> Any:
    """As `merge`, but lists of conditions and addresses are merged by their key."""
    found = dict(thing) if isinstance(thing, dict) else {}
    for key, value in patch.items():
        if key in _MERGE_KEYS and isinstance(value, list):
            found[key] = _by_key(found.get(key) or [], value, _MERGE_KEYS[key])
        elif isinstance(value, dict):
            found[key] = strategic(found.get(key), value)
        elif value is None:
            found.pop(key, None)
        else:
            found[key] = value
    return found


def _by_key(there: list[Json], new: list[Json], key: str) -> list[Json]:
    merged = {each[key]: each for each in there}
    for each in new:
        merged[each[key]] = {**merged.get(each[key], {}), **each}
    return list(merged.values())


class KubeApiServer:
    """Serves between `start` and `stop`, on a free port.

    Attributes:
        tokens: bearer tokens that are let in; None: anybody is.
        page: the most that a page holds, whatever was asked for.
        bookmark_every: seconds between bookmarks.
        before: called before each request is answered; may raise `Refusal` or wait.
        bookmarked: the version that was told last by a bookmark.
        requests: what was asked, oldest first: verb, path with query, Content-Type.
    """

    def __init__(self, context: ssl.SSLContext | None = None, host: str = "127.0.0.1") -> None:
        self.nodes = Nodes()
        self.host = host
        self.tokens: set[str] | None = None
        self.page = 2
        self.bookmark_every = 0.2
        self.gone_as_event = True
        self.before: Callable[[str, str], None] = lambda verb, path: None
        self.requests: list[tuple[str, str, str]] = []
        self.watching: set[_Handler] = set()
        self.bookmarked = 0
        self._context = context
        self._server: _Server | None = None
        self.port = 0

    @property
    def url(self) -> str:
        return f"{'https' if self._context else 'http'}://{self.host}:{self.port}"

    def start(self) -> None:
        """Listen; on the port of the last time, if there was one."""
        handler = type("Handler", (_Handler,), {"api": self})
        self._server = _Server((self.host, self.port), handler)
        self.port = self._server.server_address[1]
        if self._context is not None:
            self._server.socket = self._context.wrap_socket(
                self._server.socket, server_side=True, do_handshake_on_connect=False
            )
        serve = self._server.serve_forever
        threading.Thread(target=serve, args=(0.02,), name="kube", daemon=True).start()

    def stop(self) -> None:
        """Stop listening and cut every connection."""
        if self._server is not None:
            self._server.shutdown()
            self._server.server_close()
            self._server.cut()
            self._server = None

    def drop(self, bytes_before: bytes = b"") -> None:
        """Cut all watches, perhaps after some last bytes."""
        for handler in list(self.watching):
            handler.cut(bytes_before)

    def say(self, line: bytes) -> None:
        """Send a line to all watches as it is."""
        for handler in list(self.watching):
            handler.chunk(line + b"\n")

    def create(self, name: str, *pod_cidrs: str, **annotations: str) -> Json:
        """Make a Node as kubelet and controller do."""
        spec = {"podCIDR": pod_cidrs[0], "podCIDRs": list(pod_cidrs)} if pod_cidrs else {}
        metadata = {"name": name, "annotations": annotations}
        with self.nodes.changed:
            return self.nodes.create({"metadata": metadata, "spec": spec})

    def delete(self, name: str) -> None:
        with self.nodes.changed:
            self.nodes.delete(name)

    def annotate(self, name: str, key: str, value: str | None) -> None:
        patch = {"metadata": {"annotations": {key: value}}}
        with self.nodes.changed:
            self.nodes.patch(name, patch, "application/merge-patch+json", status=False)

    def compact(self) -> None:
        """Forget all that was before now."""
        with self.nodes.changed:
            self.nodes.version += 1
            self.nodes.compacted = self.nodes.version
            self.nodes.history.clear()
            self.nodes.states.clear()

    def backup(self) -> tuple[int, dict[str, Json]]:
        with self.nodes.changed:
            return self.nodes.version, copy.deepcopy(self.nodes.objects)

    def restore(self, backup: tuple[int, dict[str, Json]]) -> None:
        """Go back, as etcd does under an API server that is restarted."""
        with self.nodes.changed:
            self.nodes.version, self.nodes.objects = backup[0], copy.deepcopy(backup[1])
            self.nodes.history = [each for each in self.nodes.history if each[0] <= backup[0]]
        self.drop()


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 128

    def __init__(self, *arguments: Any) -> None:
        super().__init__(*arguments)
        self.open: set[socket.socket] = set()

    def process_request(self, request: Any, client_address: Any) -> None:
        self.open.add(request)
        super().process_request(request, client_address)

    def shutdown_request(self, request: Any) -> None:
        self.open.discard(request)
        super().shutdown_request(request)

    def cut(self) -> None:
        for each in list(self.open):
            _shut(each)

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Clients that go away are what is being tested."""


def _shut(connection: socket.socket) -> None:
    with suppress(OSError):
        socket.socket.shutdown(connection, socket.SHUT_RDWR)


class _Handler(BaseHTTPRequestHandler):
    api: KubeApiServer
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True

    def do_GET(self) -> None:
        self._answer(self._get)

    def do_POST(self) -> None:
        self._answer(lambda: (201, self.api.nodes.create(self._body())))

    def do_PATCH(self) -> None:
        kind = self.headers.get("Content-Type", "")
        body = self._body()
        self._answer(lambda: (200, self.api.nodes.patch(*self._name(), body, kind, self._status())))

    def do_DELETE(self) -> None:
        self._answer(lambda: (200, self.api.nodes.delete(*self._name())))

    def _name(self) -> tuple[str]:
        return (urlsplit(self.path).path.split("/")[4],)

    def _status(self) -> bool:
        return urlsplit(self.path).path.endswith("/status")

    def _body(self) -> Json:
        content: Json = json.loads(self.rfile.read(int(self.headers.get("Content-Length", 0))))
        return content

    def _answer(self, work: Callable[[], tuple[int, Json] | None]) -> None:
        self.api.requests.append((self.command, self.path, self.headers.get("Content-Type", "")))
        try:
            self._admit()
            self.api.before(self.command, self.path)
            if "watch=1" in self.path:
                self._watch()
                return
            with self.api.nodes.changed:
                code, thing = work() or (200, {})
        except Refusal as refusal:
            code, thing = refusal.code, refusal.status
        content = json.dumps(thing).encode()
        self.send_response(code)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    def _admit(self) -> None:
        tokens = self.api.tokens
        given = self.headers.get("Authorization", "").removeprefix("Bearer ")
        if tokens is not None and given not in tokens:
            raise Refusal(401, "Unauthorized", "Unauthorized")

    def _get(self) -> tuple[int, Json]:
        parts = urlsplit(self.path)
        if parts.path != "/api/v1/nodes":
            return 200, self.api.nodes.get(*self._name())
        query = parse_qs(parts.query)
        limit = min(int(query.get("limit", ["500"])[0]), self.api.page)
        return 200, self.api.nodes.page(limit, query.get("continue", [""])[0])

    def _watch(self) -> None:
        query = {key: values[0] for key, values in parse_qs(urlsplit(self.path).query).items()}
        version, nodes = int(query["resourceVersion"]), self.api.nodes
        end = time.monotonic() + float(query.get("timeoutSeconds", 1800))
        gone = Refusal(410, "Expired", f"too old resource version: {version}")
        with nodes.changed:
            expired = version < nodes.compacted
        if expired and not self.api.gone_as_event:
            raise gone
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Transfer-Encoding", "chunked")
        self.end_headers()
        if expired:
            self._event("ERROR", gone.status)
        else:
            self._stream(version, end, bool(query.get("allowWatchBookmarks")))
        self.wfile.write(b"0\r\n\r\n")

    def _stream(self, version: int, end: float, bookmarks: bool) -> None:
        """Tell what is newer than a version; one still to come is waited for in silence."""
        nodes = self.api.nodes
        self.api.watching.add(self)
        told = time.monotonic()
        try:
            while (now := time.monotonic()) < end:
                with nodes.changed:
                    if not any(each[0] > version for each in nodes.history):
                        nodes.changed.wait(min(self.api.bookmark_every, end - now))
                    events = [each for each in nodes.history if each[0] > version]
                    current = nodes.version
                for number, kind, thing in events:
                    version = number
                    self._event(kind, thing)
                if bookmarks and not events and now - told >= self.api.bookmark_every:
                    told, mark = now, str(max(version, current))
                    self._event("BOOKMARK", {"kind": "Node", "metadata": {"resourceVersion": mark}})
                    self.api.bookmarked = int(mark)
        finally:
            self.api.watching.discard(self)

    def _event(self, kind: str, thing: Json) -> None:
        self.chunk(json.dumps({"type": kind, "object": thing}).encode() + b"\n")

    def chunk(self, content: bytes) -> None:
        self.wfile.write(b"%x\r\n%s\r\n" % (len(content), content))

    def cut(self, last: bytes) -> None:
        if last:
            self.chunk(last)
        _shut(self.connection)

    def log_message(self, format: str, *args: object) -> None:
        """Requests are kept in `requests`."""
