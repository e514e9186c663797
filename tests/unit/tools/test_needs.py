"""The table of needs: looked for where they are used, named with what brings them."""

from __future__ import annotations

from tools.bootstrap import main, what_to_install
from tools.needs import ALL, NEEDS, Need, packages, present

NOWHERE = Need("program", "no-such-program", "some-package", ALL)
NO_LIBRARY = Need("library", "libnosuch.so.7", "other-package", ALL)


def test_what_is_there_is_found_by_each_kind_of_probe() -> None:
    assert present(Need("program", "sh", "dash", ALL))
    assert present(Need("library", "libc.so.6", "libc6", ALL))
    assert present(Need("file", "/proc/self", "none", ALL))
    assert present(Need("module", "json", "python3", ALL))


def test_what_is_not_there_is_missed_by_each_kind_of_probe() -> None:
    assert not present(NOWHERE)
    assert not present(NO_LIBRARY)
    assert not present(Need("file", "/proc/self/no-such", "none", ALL))
    assert not present(Need("module", "no_such_module", "none", ALL))


def test_every_need_names_known_targets_and_a_package() -> None:
    for need in NEEDS:
        assert need.targets and need.targets <= ALL
        assert need.package


def test_a_package_is_asked_for_once() -> None:
    assert packages([NOWHERE, NO_LIBRARY, NOWHERE]) == ["some-package", "other-package"]


def test_without_root_the_list_names_each_thing_and_the_command() -> None:
    assert what_to_install([NOWHERE, NO_LIBRARY]).splitlines() == [
        "this machine lacks:",
        "  program no-such-program  (Debian package some-package)",
        "  library libnosuch.so.7  (Debian package other-package)",
        "install it with:",
        "  sudo apt-get install --no-install-recommends some-package other-package",
    ]


def test_an_unknown_target_is_wrong_use() -> None:
    assert main(["everything"]) == 2
    assert main([]) == 2
