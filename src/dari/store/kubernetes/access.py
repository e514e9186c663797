"""How the API server is reached: as a pod's service account, or as a kubeconfig says.

PyYAML is imported only where a kubeconfig is read that is not JSON: a pod of the
DaemonSet never does.

Source: Kubernetes, "Accessing the Kubernetes API from a Pod"; "kubeconfig (v1)".
May import: errors, record, store.base, store.remote.
"""

from __future__ import annotations

import json
import os
from base64 import b64decode
from collections.abc import Mapping
from typing import TYPE_CHECKING

from dari.errors import BadConfig
from dari.record import Record
from dari.store.remote.connection import Target, parse_target
from dari.store.remote.pauses import Timing
from dari.store.remote.tls import Material, Tls

if TYPE_CHECKING:
    from dari.model import Json

SERVICE_ACCOUNT = "/var/run/secrets/kubernetes.io/serviceaccount"
_LARGEST = 1 << 20
_NOT_SUPPORTED = {
    "exec": "a program that brings credentials (exec)",
    "auth-provider": "an auth-provider",
    "username": "a user name with a password",
    "as": "acting as another user (as)",
}


class KubeAccess(Record):
    """The API server and who we are to it.

    Attributes:
        token: a bearer token; may be empty.
        token_file: read at every request, since the kubelet changes it under us.
    """

    target: Target
    tls: Tls = Tls()
    token: str = ""
    token_file: str = ""
    timing: Timing = Timing()

    def bearer(self) -> str:
        """The token of the moment; empty: there is none.

        Raises:
            BadConfig: the file cannot be read.
        """
        if not self.token_file:
            return self.token
        return _read(self.token_file, "token").decode(errors="replace").strip()


def in_cluster(environ: Mapping[str, str], folder: str = SERVICE_ACCOUNT) -> KubeAccess:
    """As the pod's service account.

    Args:
        environ: tells where the API server is.
        folder: holds the token and the CA's certificate.

    Raises:
        BadConfig: this is no pod that has one.
    """
    host, port = (environ.get(f"KUBERNETES_SERVICE_{each}", "") for each in ("HOST", "PORT"))
    if not host or not port.isdecimal() or not os.path.exists(f"{folder}/token"):
        raise BadConfig(
            "--store kubernetes: not inside a pod that has a service account",
            "give --kubeconfig, or run in a pod with automountServiceAccountToken",
        )
    return KubeAccess(
        target=Target(scheme="https", host=host, port=int(port)),
        tls=Tls(ca=Material(path=f"{folder}/ca.crt")),
        token_file=f"{folder}/token",
    )


def read_kubeconfig(path: str, context: str = "") -> KubeAccess:
    """As a kubeconfig says.

    Args:
        path: of the file, YAML or JSON.
        context: name of the context; empty: the file's current one.

    Raises:
        BadConfig: the file cannot be read, or asks for what is not supported.
    """
    document = _document(_read(path, "--kubeconfig"), path)
    chosen = context or _text(document, "current-context", path)
    if not chosen:
        raise BadConfig(f"{path}: no current-context", "give --kube-context")
    names = _named(document, "contexts", chosen, "context", path)
    cluster = _named(document, "clusters", _text(names, "cluster", path), "cluster", path)
    user = _named(document, "users", _text(names, "user", path), "user", path)
    return _access(cluster, user, path)


def _access(cluster: Json, user: Json, path: str) -> KubeAccess:
    for key, words in _NOT_SUPPORTED.items():
        if user.get(key):
            raise BadConfig(
                f"{path}: {words} is not supported",
                "give a user with a token, a tokenFile or a client certificate",
            )
    if cluster.get("proxy-url"):
        raise BadConfig(f"{path}: proxy-url is not supported", "give a server reached directly")
    return KubeAccess(
        target=parse_target(cluster.get("server"), f"{path}: server"),
        tls=Tls(
            ca=_material(cluster, "certificate-authority", path),
            cert=_material(user, "client-certificate", path),
            key=_material(user, "client-key", path),
            server_name=_text(cluster, "tls-server-name", path),
            verify=cluster.get("insecure-skip-tls-verify") is not True,
        ),
        token=_text(user, "token", path),
        token_file=_path(_text(user, "tokenFile", path), path),
    )


def _document(content: bytes, path: str) -> Json:
    try:
        document = json.loads(content)
    except (ValueError, RecursionError):
        document = _yaml(content, path)
    if not isinstance(document, dict):
        raise BadConfig(f"{path}: not a kubeconfig")
    return document


def _yaml(content: bytes, path: str) -> object:
    try:
        import yaml  # 2 MB and 15 ms, which a pod of the DaemonSet does not need
    except ImportError:
        raise BadConfig(
            f"{path}: reading YAML needs PyYAML",
            "install it (Debian: python3-yaml), or give JSON, as made by: "
            "kubectl config view --raw --minify -o json",
        ) from None
    try:
        return yaml.safe_load(content)
    except (yaml.YAMLError, ValueError, RecursionError) as error:
        mark = getattr(error, "problem_mark", None)
        where = f", line {mark.line + 1}" if mark else ""
        raise BadConfig(f"{path}: not YAML{where}") from None


def _named(document: Json, key: str, name: str, inner: str, path: str) -> Json:
    """What a list of named things has under a name."""
    entries = document.get(key)
    named = (
        [each for each in entries if isinstance(each, dict)] if isinstance(entries, list) else []
    )
    for each in named:
        found = each.get(inner)
        if each.get("name") == name and isinstance(found, dict):
            return found
    there = ", ".join(sorted(str(each.get("name")) for each in named)) or "none"
    raise BadConfig(f"{path}: no {inner} {name!r}; there are: {there}")


def _material(section: Json, key: str, path: str) -> Material:
    """A certificate or key: the content wins over the file, as kubectl has it."""
    content = _text(section, f"{key}-data", path)
    if not content:
        return Material(path=_path(_text(section, key, path), path))
    try:
        return Material(content=b64decode(content, validate=True).decode())
    except ValueError:
        raise BadConfig(f"{path}: {key}-data: not base64 of PEM") from None


def _path(value: str, beside: str) -> str:
    """Relative paths are from the kubeconfig's folder."""
    return os.path.join(os.path.dirname(os.path.abspath(beside)), value) if value else ""


def _text(section: Json, key: str, path: str) -> str:
    value = section.get(key)
    if value is not None and not isinstance(value, str):
        raise BadConfig(f"{path}: {key}: not a string")
    return value or ""


def _read(path: str, label: str) -> bytes:
    try:
        with open(path, "rb") as stream:
            return stream.read(_LARGEST)
    except OSError as error:
        raise BadConfig(f"{label}: {path}: {error.strerror}") from None
