"""Korean particles after words that are not known in advance: 이(가) becomes 이 or 가.

A particle's form follows from the last sound of the word before it. A Hangul syllable
tells it by its code point, a number by how its last digit is read (node1: 일, 3: 삼), and a
MAC or IPv6 address that ends with a letter by that letter's name, from 에이 to 에프. How a
Latin word is read cannot be told from its letters: there both forms stay, as usual.

May import: nothing of dari.
"""

from __future__ import annotations

import re
from collections.abc import Mapping

# Written form: after a consonant, after a vowel.
_FORMS: Mapping[str, tuple[str, str]] = {
    "이(가)": ("이", "가"),
    "은(는)": ("은", "는"),
    "을(를)": ("을", "를"),
    "와(과)": ("과", "와"),
    "(으)로": ("으로", "로"),
    "(이)라": ("이라", "라"),
}
_PARTICLE = re.compile(
    "([0-9가-힣]|:[0-9a-f]{0,3}[a-f])([)\\]\"'”’`]*)(" + "|".join(map(re.escape, _FORMS)) + ")"
)
_NONE, _RIEUL, _OTHER = "", "l", "other"  # what a syllable ends with
# 영 일 이 삼 사 오 육 칠 팔 구; tens, hundreds and so on end with a consonant as 영 does.
_DIGITS = (_OTHER, _RIEUL, _NONE, _OTHER, _NONE, _NONE, _OTHER, _RIEUL, _RIEUL, _NONE)
_FIRST_SYLLABLE, _FINALS, _RIEUL_FINAL = ord("가"), 28, 8  # Unicode, Hangul Syllables


def settled(text: str) -> str:
    """The text with the form of each particle that the word before it asks for.

    Args:
        text: with particles written 이(가), 은(는), 을(를), 와(과), (으)로 and (이)라.
    """
    return _PARTICLE.sub(_choice, text)


def _choice(found: re.Match[str]) -> str:
    last, closing, particle = found.groups()
    ending = _ending(last[-1])
    by_vowel = not ending or (ending == _RIEUL and particle == "(으)로")
    return f"{last}{closing}{_FORMS[particle][by_vowel]}"


def _ending(last: str) -> str:
    if last in "abcdef":
        return _NONE
    if last.isdecimal():
        return _DIGITS[int(last)]
    final = (ord(last) - _FIRST_SYLLABLE) % _FINALS
    if not final:
        return _NONE
    return _RIEUL if final == _RIEUL_FINAL else _OTHER
