"""Loads modules out of the one file that `bundle` writes: no search, one read for each.

Its own code is in that file too and is executed from there (`launch`), so that
nothing has to be searched for to begin with. It therefore uses what Python has
loaded before it runs a program.

A module counts only while its source is as it was when the file was written, in
size and time of change; this is what Python asks of its own caches, too. For one
that has changed, or is not in the file, Python searches as ever.

May import: nothing of dari.
"""

from __future__ import annotations

import marshal
import os
import sys

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from importlib.machinery import ModuleSpec
    from types import ModuleType

    Entry = tuple[str, int, int, int, int]
    """Path of the source, its nanoseconds and bytes; where its code is, and how long."""

_PACKAGE = "/__init__.py"
_Spec: type[ModuleSpec] = type(sys.__spec__)  # importlib, which has it too, costs 1 ms


class Bundle:
    """A finder and loader of modules (importlib.abc), to stand before Python's own.

    Args:
        file: a descriptor of the file, which stays open.
        index: for each module's name, where its code is.
        start: where the first one's is.
    """

    def __init__(self, file: int, index: Mapping[str, Entry], start: int) -> None:
        self._file = file
        self._index = index
        self._start = start

    def find_spec(
        self, name: str, path: Sequence[str] | None = None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        """How to load a module; None where somebody else has to know."""
        entry = self._index.get(name)
        if entry is None or not _is_unchanged(entry):
            return None
        origin = entry[0]
        spec = _Spec(name, self, origin=origin)  # type: ignore[arg-type]
        if origin.endswith(_PACKAGE):
            spec.submodule_search_locations = [origin[: -len(_PACKAGE)]]
        return spec

    def create_module(self, spec: ModuleSpec) -> None:
        """Python makes the module itself."""

    def exec_module(self, module: ModuleType) -> None:
        """Run its code."""
        origin, _, _, at, size = self._index[module.__name__]
        module.__file__ = origin
        exec(marshal.loads(os.pread(self._file, size, self._start + at)), module.__dict__)


def _is_unchanged(entry: Entry) -> bool:
    try:
        found = os.stat(entry[0])
    except OSError:
        return False
    return found.st_mtime_ns == entry[1] and found.st_size == entry[2]


def use(file: int, index: Mapping[str, Entry], start: int) -> None:
    """Have modules loaded from the file, before Python searches for them."""
    sys.meta_path.insert(0, Bundle(file, index, start))
