"""Takes settings one by one, each checked for its type, with errors that name it.

Every method raises `BadConfig` where a setting is not what it should be.

May import: errors, agent.options.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TypeVar

from dari.agent.messages import _
from dari.agent.options import Given, Settings
from dari.errors import BadConfig

T = TypeVar("T")


class Reader:
    """Takes settings one by one, each checked for its type first."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings

    def label(self, name: str) -> str:
        """How errors call a setting: where it was given, or its flag."""
        given = self._settings.get(name)
        return given.label if given else f"--{name}"

    def text(self, name: str, parse: Callable[[object, str], T]) -> T | None:
        """What `parse` makes of it; None: it was not given."""
        given = self._settings.get(name)
        return parse(given.value, given.label) if given else None

    def each(self, name: str, parse: Callable[[object, str], T]) -> tuple[T, ...]:
        """What `parse` makes of each of a list, or of one text."""
        given = self._settings.get(name, Given(value=[], label=""))
        values = [given.value] if isinstance(given.value, str) else given.value
        if not isinstance(values, list):
            raise BadConfig(
                _("{label}: {value!r} is not a list").format(label=given.label, value=given.value)
            )
        return tuple(parse(value, given.label) for value in values)

    def choice(self, name: str, choices: Sequence[str], default: str = "") -> str:
        """One of the choices; the first, unless another is the default."""
        given = self._settings.get(name)
        if given is None:
            return default or choices[0]
        if given.value not in choices:
            raise BadConfig(
                _("{label}: {value!r} is none of {choices}").format(
                    label=given.label, value=given.value, choices=", ".join(choices)
                )
            )
        return str(given.value)

    def switch(self, name: str, default: bool) -> bool:
        """True or false."""
        given = self._settings.get(name, Given(value=default, label=""))
        if not isinstance(given.value, bool):
            raise BadConfig(
                _("{label}: {value!r} is neither true nor false").format(
                    label=given.label, value=given.value
                )
            )
        return given.value

    def number(
        self, name: str, default: float, special: set[int], least: float, most: float
    ) -> float:
        """A number from `least` to `most`, or one of the special ones."""
        given = self._settings.get(name, Given(value=default, label=""))
        try:
            if isinstance(given.value, bool) or not isinstance(given.value, (int, float, str)):
                raise ValueError
            number = float(given.value)
        except (ValueError, OverflowError):
            raise BadConfig(
                _("{label}: {value!r} is not a number").format(label=given.label, value=given.value)
            ) from None
        if number not in special and not least <= number <= most:
            raise BadConfig(
                _("{label}: {number:g} is not within {least:g} and {most:g}").format(
                    label=given.label, number=number, least=least, most=most
                )
            )
        return number

    def path(self, name: str) -> str:
        """A path from the root on; empty: none was given."""
        return self.text(name, _path) or ""


def _path(value: object, label: str) -> str:
    if not isinstance(value, str) or not value.startswith("/"):
        raise BadConfig(
            _("{label}: {value!r} is not a path from the root on").format(label=label, value=value)
        )
    return value
