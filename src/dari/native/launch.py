"""What the native entry becomes where no agent listens: the Python implementation.

Started as `python -I -S .../dari/native/launch.py PLUGIN SETTINGS [NETNS SOCKET]`, with
the configuration on stdin, the runtime's environment, and two descriptors where the
pod's namespace could be entered: of it, and of a netlink socket inside. It finds the package by its
own path, since `-I -S` leaves only the standard library to import from; where
`dari install` has put the modules' code beside the settings (`bundle`), that is loaded.

Python compiles this file anew for every pod, so it is short.

May import: cni, native.
"""

import gc
import marshal
import os
import sys
from _frozen_importlib_external import MAGIC_NUMBER  # importlib.util, which has it too, costs 1 ms

BUNDLE = ".dari.modules"
HEAD = len(MAGIC_NUMBER) + 4


def main(name: str, folder: str, *inside: int) -> int:
    """Answer as a plugin; returns the exit status.

    Args:
        name: the plugin's.
        folder: where it is installed.
        inside: descriptors of the pod's namespace and of a netlink socket in it.
    """
    gc.disable()  # worth a millisecond; the process ends before there is much to collect
    use_bundle(folder)
    from dari.cni.entry import main as answer

    sys.argv[:] = [name]
    if "DARI_RETRY" in os.environ and os.environ.get("CNI_COMMAND") == "ADD":
        from dari.native.retry import clear  # rare

        clear(name)
    return answer(*inside)


def use_bundle(folder: str) -> None:
    """Have modules loaded from the folder's bundle, if there is one that counts.

    It is for this Python only; and, like the settings, it counts only if root or the
    caller owns it and nobody else may write it.
    """
    try:
        file = os.open(f"{folder}/{BUNDLE}", os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW)
    except OSError:
        return
    found, head = os.fstat(file), os.read(file, HEAD)
    size = int.from_bytes(head[-4:], "little")
    ours = found.st_uid in (0, os.geteuid()) and not found.st_mode & 0o022
    if file <= 2:  # a standard stream is missing, and nothing else may be taken for it
        ours = False
    if not ours or head[:-4] != MAGIC_NUMBER or found.st_size <= HEAD + size:
        os.close(file)
        return
    loading, index = marshal.loads(os.read(file, size))
    names = {"__name__": "dari.native.loading"}
    exec(loading, names)
    names["use"](file, index, HEAD + size)  # type: ignore[operator]


if __name__ == "__main__":
    sys.path.insert(0, __file__.rsplit("/", 3)[0])
    sys.exit(main(sys.argv[1], sys.argv[2].rpartition("/")[0], *map(int, sys.argv[3:])))
