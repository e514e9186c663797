"""What docs/ko/measure.md says of the doctor and `dari explain`. Pure.

May import: bench.korean.
"""

from __future__ import annotations

from collections.abc import Mapping

from bench.korean import in_korean

WORDS: Mapping[str, str] = {
    "{}, seed {}: {}, {} cores, Linux {}, {}, Python {}, dari {}.": (
        "{}, 시드 {}: {}, 코어 {}개, 리눅스 {}, {}, 파이썬 {}, dari {}."
    ),
    "Labs that were broken: {}.": "고장 낸 실습실: {}.",
    "what": "항목",
    "cases": "사례",
    "all named and mended": "모두 찾고 고침",
    "named": "찾음",
    "mended": "고침",
    "one fault": "장애 하나",
    "two faults at a time": "장애 둘을 한꺼번에",
    "{} of {}": "{1} 가운데 {0}",
    "measured": "잰 수",
    "right": "맞은 수",
    "healthy labs without a finding": "온전한 실습실에서 아무것도 찾아내지 않음",
    "explain: a ping is answered, or lost": "explain: 핑에 응답이 오는지, 사라지는지",
    "explain: the place where it is lost": "explain: 사라지는 곳",
    "Of {} pairs more explain said that it depends on who speaks last; {} were answered, {} "
    "lost.": (
        "그 밖의 {}쌍은 누가 마지막으로 보내느냐에 달렸다고 explain이 말했고, {}쌍에는 응답이 "
        "왔으며 {}쌍은 사라졌습니다."
    ),
    "Of {} pairs more explain said that it depends on who speaks last.": (
        "누가 마지막으로 보내느냐에 달렸다고 explain이 말한 것: 그 밖의 {}쌍."
    ),
    "Misses": "놓친 것",
    "None.": "없습니다.",
    "Every fault": "모든 장애",
    "fault": "장애",
    "labs": "실습실",
    "named by": "찾은 도구",
    "rounds": "되풀이",
    "nobody": "없음",
    **{name: name for name in ("doctor", "explain", "doctor, explain")},
}
_PHRASES = (
    (r"^- healthy \(", "- 온전한 실습실 ("),
    (r"both families", "두 주소 체계"),
    (r"([0-9]+) nodes × ([0-9]+) pods", r"노드 \1개 × 파드 \2개"),
    (r"\(([0-9]+) cases\)", r"(\1건)"),
    (r": explain differs: ", ": explain이 다름: "),
    (r": not there: ", ": 사라진 곳이 다름: "),
    (r": ([0-9]+) more$", r": \1개 더"),
    (r"not named: ", "찾지 못함: "),
    (r"not mended: ", "고치지 못함: "),
    (r"\): told ", "): 결론: "),
    (r", really ", ", 실제: "),
    (r"(결론|실제): answered", r"\1: 응답이 옴"),
    (r"(결론|실제): lost(, | at |$)", r"\1: 사라짐\2"),
    (r"사라짐, the request at ([\w-]+)", r"사라짐(요청, \1)"),
    (r"사라짐, the answer at ([\w-]+)", r"사라짐(응답, \1)"),
    (r"사라짐 at ([\w-]+): ", r"사라짐(\1), "),
)


def tables_in_korean(tables: str) -> str:
    """The tables of docs/measure.md, and each miss, in Korean."""
    return in_korean(tables, WORDS, _PHRASES).rstrip("\n")
