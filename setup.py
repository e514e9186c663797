"""Adds one step to the package's build: the native entry, where a C compiler is.

Everything else is in pyproject.toml. Without a compiler, or where libc cannot be
linked statically, the package is complete all the same: its Python entry does
the whole job, more slowly.
"""

from __future__ import annotations

import os
import sys
import sysconfig

from setuptools import Command, setup
from setuptools.command.bdist_wheel import bdist_wheel
from setuptools.command.build import build

ROOT = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(ROOT, "src"))

from dari.native import build as native  # noqa: E402  (found through the line above)

ENTRY = os.path.join("dari", "native", "dari-entry")


class BuildEntry(Command):
    """A sub-command of `build` (setuptools.command.build.SubCommand)."""

    description = "compile the native entry"
    user_options = [("build-lib=", "d", "where the package is put together")]  # noqa: RUF012

    def initialize_options(self) -> None:
        self.build_lib = ""
        self.editable_mode = False

    def finalize_options(self) -> None:
        self.build_lib = self.build_lib or self.get_finalized_command("build_py").build_lib

    @property
    def output(self) -> str:
        """An editable package is the source folder itself."""
        return os.path.join("src" if self.editable_mode else self.build_lib, ENTRY)

    def run(self) -> None:
        os.makedirs(os.path.dirname(self.output), exist_ok=True)
        if os.path.exists(self.output):
            os.unlink(self.output)  # one that an earlier build left must not outlive its source
        try:
            self.announce(f"native entry: built by {native.build(self.output)}", 2)
        except native.NotBuilt as refusal:
            self.warn(f"no native entry, the Python entry does its job: {refusal}")

    def get_source_files(self) -> list[str]:
        names = os.listdir(os.path.join(ROOT, "shim"))
        return [os.path.join("shim", name) for name in sorted(names)]

    def get_outputs(self) -> list[str]:
        return [self.output] if os.path.exists(self.output) else []

    def get_output_mapping(self) -> dict[str, str]:
        return {}


class Wheel(bdist_wheel):
    """Fits every Python 3, and only this machine's kind when the program is in it."""

    def get_tag(self) -> tuple[str, str, str]:
        if not self.get_finalized_command("build_entry").get_outputs():
            return super().get_tag()
        return "py3", "none", sysconfig.get_platform().replace("-", "_").replace(".", "_")


class Build(build):
    sub_commands = [*build.sub_commands, ("build_entry", None)]  # noqa: RUF012


setup(cmdclass={"build": Build, "build_entry": BuildEntry, "bdist_wheel": Wheel})
