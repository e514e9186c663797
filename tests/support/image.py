"""A container image made by hand: busybox and links to it, as a docker-archive.

No registry and no builder: containerd and Podman both read this form, which is
a tar of one layer, one configuration and one manifest.
"""

from __future__ import annotations

import hashlib
import io
import json
import shutil
import tarfile
from pathlib import Path

IMAGE = "localhost/box:1"
APPLETS = ("sh", "cat", "httpd", "ip", "ping", "sleep", "wget")
FOLDERS = ("bin", "dev", "etc", "proc", "sys", "tmp", "www")
GREETING = "reached\n"


def write_image(target: Path) -> Path:
    """Write the image to `target` and return it. It serves GREETING from /www/index.html."""
    layer = _layer()
    configuration = _encode(
        {
            "architecture": "amd64",
            "os": "linux",
            "config": {"Env": ["PATH=/bin"], "Cmd": ["/bin/sh"]},
            "rootfs": {"type": "layers", "diff_ids": ["sha256:" + _digest(layer)]},
        }
    )
    named = _digest(configuration) + ".json"
    manifest = _encode([{"Config": named, "RepoTags": [IMAGE], "Layers": ["layer.tar"]}])
    with tarfile.open(target, "w") as archive:
        for name, content in (
            ("layer.tar", layer),
            (named, configuration),
            ("manifest.json", manifest),
        ):
            _add_file(archive, name, content, 0o644)
    return target


def _layer() -> bytes:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as layer:
        for folder in FOLDERS:
            _add(layer, folder, tarfile.DIRTYPE)
        _add_file(layer, "bin/busybox", _busybox(), 0o755)
        _add_file(layer, "www/index.html", GREETING.encode(), 0o644)
        for applet in APPLETS:
            _add(layer, f"bin/{applet}", tarfile.SYMTYPE, "busybox")
    return buffer.getvalue()


def _busybox() -> bytes:
    found = shutil.which("busybox")
    assert found, "busybox-static is not installed"
    return Path(found).read_bytes()


def _add(archive: tarfile.TarFile, name: str, kind: bytes, linkname: str = "") -> None:
    entry = tarfile.TarInfo(name)
    entry.type, entry.mode, entry.linkname = kind, 0o755, linkname
    archive.addfile(entry)


def _add_file(archive: tarfile.TarFile, name: str, content: bytes, mode: int) -> None:
    entry = tarfile.TarInfo(name)
    entry.size, entry.mode = len(content), mode
    archive.addfile(entry, io.BytesIO(content))


def _encode(value: object) -> bytes:
    return json.dumps(value).encode()


def _digest(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()
