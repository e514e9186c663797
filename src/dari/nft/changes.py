"""What one call changes in dari's table, gathered to be sent as one transaction: pure.

May import: nft.section.
"""

from __future__ import annotations

from dari.nft.section import changes, merged, without

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    from dari.nft.section import Elements, Section


class Changes:
    """Elements that come and go, and what is to be done once the kernel has them so.

    Attributes:
        whole: whether the table is to be built from the files instead.
        sections: those whose elements change.
        afterwards: what is due when all is sent.
    """

    def __init__(self) -> None:
        self.whole = False
        self.sections: dict[str, Section] = {}
        self.afterwards: list[Callable[[], object]] = []
        self._gained: Elements = {}
        self._lost: Elements = {}

    def change(self, section: Section, gained: Elements, lost: Elements) -> None:
        """Take elements out of a section, then put others in.

        What is taken out that was put in before in the same call was there or not: the files
        tell.
        """
        self.sections[section.chain] = section
        self.whole |= without(lost, self._gained) != {**lost}
        self._gained = merged([self._gained, gained])
        self._lost = without(merged([self._lost, lost]), gained)

    def rebuild(self) -> None:
        """Have the table built from the files: it may not be as they were."""
        self.whole = True

    @property
    def text(self) -> str:
        """The transaction, in nft's language."""
        return changes(self._gained, self._lost)
