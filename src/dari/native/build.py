"""Compiles the native entry: `python -m dari.native.build [OUTPUT]`.

setup.py calls it while a wheel is built; in a checkout it is called by hand.
musl's compiler is asked first: it makes a program of 45 KB that starts in a
quarter of the time of glibc's, whose start asks the processor for its features
dozens of times, which in a virtual machine costs microseconds each. Warnings
are shown and not errors here, so that a compiler of next year still builds; the
tests make them errors.

May import: nothing of dari but its own folder.
"""

from __future__ import annotations

import os
import shlex
import shutil
import subprocess
import sys
from collections.abc import Mapping, Sequence

from dari.native import NAME

HERE = os.path.dirname(os.path.abspath(__file__))
SOURCES = os.path.join(os.path.dirname(os.path.dirname(os.path.dirname(HERE))), "shim")
DEFAULT_OUTPUT = os.path.join(HERE, NAME)

COMPILERS = ("musl-gcc", "cc", "gcc", "clang")
LANGUAGE = ("-std=c11", "-D_GNU_SOURCE", "-Wall", "-Wextra", "-Wconversion", "-Wshadow")
RELEASE = (
    *("-Os", "-fstack-protector-strong", "-U_FORTIFY_SOURCE", "-D_FORTIFY_SOURCE=2"),
    *("-ffunction-sections", "-fdata-sections", "-fno-asynchronous-unwind-tables"),
    *("-static", "-s", "-Wl,--gc-sections", "-Wl,-z,relro", "-Wl,-z,noexecstack"),
)


class NotBuilt(Exception):
    """There is no source, no compiler, or none that makes a static program; says which."""


def find_compilers(environ: Mapping[str, str]) -> list[list[str]]:
    """Return the commands to try, best first: `CC` alone where it is set."""
    if environ.get("CC"):
        return [shlex.split(environ["CC"])]
    return [[name] for name in COMPILERS if shutil.which(name, path=environ.get("PATH"))]


def find_sources(folder: str = SOURCES) -> list[str]:
    """Return the C files of the entry, sorted; none where only a wheel is installed."""
    if not os.path.isdir(folder):
        return []
    return [os.path.join(folder, name) for name in sorted(os.listdir(folder)) if name[-2:] == ".c"]


def compile_with(compiler: Sequence[str], options: Sequence[str], output: str) -> None:
    """Compile all sources into `output`, which appears whole or not at all.

    Args:
        compiler: the command, such as ``["gcc"]``.
        options: more options, such as `RELEASE`.
        output: path of the program.

    Raises:
        NotBuilt: the compiler cannot be started or is not content.
    """
    unfinished = f"{output}.{os.getpid()}"
    command = [*compiler, *LANGUAGE, *options, "-o", unfinished, *find_sources()]
    try:
        done = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, text=True)
    except OSError as error:
        raise NotBuilt(f"{compiler[0]}: {error.strerror}") from None
    if done.returncode != 0:
        _remove(unfinished)
        raise NotBuilt(f"{' '.join(compiler)}: {_reason(done.stderr)}")
    sys.stderr.write(done.stderr)
    os.chmod(unfinished, 0o755)
    os.replace(unfinished, output)


def build(output: str = DEFAULT_OUTPUT, environ: Mapping[str, str] = os.environ) -> str:
    """Build the program with the first compiler that can.

    Args:
        output: path of the program; its folder exists.
        environ: `CC` and `PATH` are looked at.

    Returns:
        the compiler that did it.

    Raises:
        NotBuilt: none can, and why for each.
    """
    if not find_sources():
        raise NotBuilt(f"{SOURCES}: the C source is not there (it is in a checkout)")
    refusals = []
    for compiler in find_compilers(environ):
        try:
            compile_with(compiler, RELEASE, output)
        except NotBuilt as refusal:
            refusals.append(str(refusal))
        else:
            return compiler[0]
    raise NotBuilt("; ".join(refusals) or "no C compiler (musl-gcc, cc, gcc, clang) is installed")


def _remove(path: str) -> None:
    if os.path.exists(path):
        os.unlink(path)


def _reason(text: str) -> str:
    """The first line of a compiler's complaint that says what is wrong."""
    lines = text.strip().splitlines() or ["it gives no reason"]
    return next((line for line in lines if "error:" in line or "cannot find" in line), lines[-1])


def main(arguments: Sequence[str]) -> int:
    """Build to the path given, or to where dari looks for it; returns the exit status."""
    output = arguments[0] if arguments else DEFAULT_OUTPUT
    try:
        compiler = build(output)
    except NotBuilt as refusal:
        print(f"dari: the native entry is not built: {refusal}", file=sys.stderr)
        return 1
    print(f"dari: {output}: {os.path.getsize(output)} bytes, built by {compiler}")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
