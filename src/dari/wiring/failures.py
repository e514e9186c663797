"""Going on past errors, and reporting them: for undoing, DEL and GC.

May import: errors.
"""

from __future__ import annotations

from contextlib import contextmanager, suppress

from dari.errors import DariError, SeveralFailures

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterator


def quietly(step: Callable[[], object]) -> None:
    """Undo one step; the failure that made it necessary is the one to report."""
    with suppress(DariError):
        step()


@contextmanager
def noting(failures: list[DariError]) -> Iterator[None]:
    """Go on past an error, and remember it."""
    try:
        yield
    except DariError as error:
        failures.append(error)


def report(doing: str, failures: list[DariError]) -> None:
    """Raise what was noted, if anything.

    Raises:
        DariError: the only failure.
        SeveralFailures: all of them.
    """
    if len(failures) == 1:
        raise failures[0]
    if failures:
        raise SeveralFailures(doing, failures)
