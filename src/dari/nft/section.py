"""The parts of dari's one table, and changes to it, as text: pure and deterministic.

A section is there as a whole or not at all, and carries its digest as a comment,
by which `nft.probe` recognises it with one question to the kernel. What belongs to
one pod is no part of its text: it comes and goes as elements of sets and maps.

May import: record.
"""

from __future__ import annotations

from _blake2 import blake2b  # hashlib costs 4 ms to import; this is what it uses

from dari.record import Record

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    Elements = Mapping[str, tuple[str, ...]]
    """Elements by the name of their set or map, written as a listing shows them."""

TABLE = "dari"
FAMILIES = ((4, "ip", "ipv4_addr"), (6, "ip6", "ipv6_addr"))


class Section(Record):
    """Sets and chains that serve one purpose.

    Attributes:
        chain: the one that bears the digest.
        uses: how many rules it holds and how many lead to it, as the kernel counts.
        text: the declarations, one tab in.
    """

    chain: str
    uses: int
    text: str

    @property
    def digest(self) -> str:
        """What `chain` has for a comment."""
        return digest(self.text)

    @property
    def marked(self) -> str:
        """The text, with the comment in its place."""
        head = f"\tchain {self.chain} {{\n"
        return self.text.replace(head, f'{head}\t\tcomment "{self.digest}"\n')


def render(sections: Iterable[Section]) -> str:
    """The table in nft's language, as it is without elements and comments."""
    return "".join([f"table inet {TABLE} {{\n", *[each.text for each in sections], "}\n"])


def replacement(sections: Iterable[Section], elements: Elements, family: str = "inet") -> str:
    """One transaction that puts the table there, whatever was there before."""
    body = "".join([each.marked for each in sections])
    table = f"table {family} {TABLE} {{\n{body}}}\n"
    return f"{removal(family)}{table}{changes(elements, {}, family)}"


def removal(family: str = "inet") -> str:
    """One transaction after which there is no table, whether there was one or not."""
    return f"table {family} {TABLE}\ndelete table {family} {TABLE}\n"


def changes(gained: Elements, lost: Elements, family: str = "inet") -> str:
    """One transaction that takes some elements out and puts others in."""
    return "".join([*_lines("delete", lost, family), *_lines("add", gained, family)])


def without(some: Elements, others: Elements) -> Elements:
    """Those elements that are not among the others."""
    kept = {
        name: tuple(each for each in listed if each not in others.get(name, ()))
        for name, listed in some.items()
    }
    return {name: listed for name, listed in kept.items() if listed}


def merged(several: Iterable[Elements]) -> Elements:
    """All of them together, each element once."""
    found: dict[str, dict[str, None]] = {}
    for elements in several:
        for name, listed in elements.items():
            found.setdefault(name, {}).update(dict.fromkeys(listed))
    return {name: tuple(listed) for name, listed in found.items()}


def digest(text: str) -> str:
    """Short fingerprint of a text: 16 hexadecimal digits."""
    return blake2b(text.encode(), digest_size=8).hexdigest()


def _lines(verb: str, elements: Elements, family: str) -> list[str]:
    return [
        f"{verb} element {family} {TABLE} {name} {{ {', '.join(listed)} }}\n"
        for name, listed in sorted(elements.items())
        if listed
    ]
