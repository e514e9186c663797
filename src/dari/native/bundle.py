"""Makes the file beside the native entry that holds the code of the modules it needs.

For every pod Python would otherwise look for some seventy files, ask three times for
each, and open them all: a third of the time that its modules take to load. `loading`
reads the file, `launch` decides whether it counts. It is a copy: without it, or where
it is out of date, all works as well.

The file: the interpreter's magic number, the length of what follows in 4 bytes (little
endian), the code of `loading` and the index of all modules (marshal), the modules' code.

May import: nothing of dari but native.
"""

from __future__ import annotations

import marshal
import os
from collections.abc import Iterator
from importlib.machinery import PathFinder, SourceFileLoader
from importlib.util import MAGIC_NUMBER
from types import CodeType

import dari
from dari.native import loading
from dari.native.launch import BUNDLE

FILE_NAME = BUNDLE
MODE = 0o644
# What dari's executable does not come near.
_LEFT_OUT = ("agent", "causes", "cli", "lab", "locale", "routing", "store", "tables")
# What the rest needs of the standard library, where that is not in the interpreter itself.
_STANDARD = (
    *("__future__", "bisect", "collections", "contextlib", "functools", "ipaddress"),
    *("keyword", "operator", "reprlib", "struct", "types"),
)


def pack() -> bytes:
    """Return the file's content, for the Python that runs now and dari as it is now.

    Raises:
        OSError: a source cannot be read.
    """
    index: dict[str, loading.Entry] = {}
    codes: list[bytes] = []
    at = 0
    for name, origin in _modules():
        found = os.stat(origin)
        code = marshal.dumps(_code(name, origin))
        index[name] = (origin, found.st_mtime_ns, found.st_size, at, len(code))
        codes.append(code)
        at += len(code)
    head = marshal.dumps((_code(loading.__name__, loading.__file__), index))
    return b"".join((MAGIC_NUMBER, len(head).to_bytes(4, "little"), head, *codes))


def _modules() -> Iterator[tuple[str, str]]:
    """Names of modules, and their sources."""
    package = os.path.dirname(os.path.abspath(dari.__file__))
    for folder, below, files in os.walk(package):
        if folder == package:
            below[:] = [name for name in below if name not in _LEFT_OUT]
        inside = os.path.relpath(folder, os.path.dirname(package)).replace("/", ".")
        for file in files:
            if file.endswith(".py"):
                name = f"{inside}.{file[:-3]}".removesuffix(".__init__")
                yield name, f"{folder}/{file}"
    for name in _STANDARD:
        found = PathFinder.find_spec(name)
        if found is not None and found.origin is not None and found.has_location:
            yield name, found.origin


def _code(name: str, origin: str) -> CodeType:
    """A module's code, compiled or out of Python's own cache."""
    found = SourceFileLoader(name, origin).get_code(name)
    assert found is not None  # which is for packages without a file
    return found
