"""What is said about the figures, in Korean: cell by cell, heading by heading. Pure.

May import: the standard library.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence

# {} stands for whatever is there, and stays as it is; {0}, {1} where the order differs.
WORDS: Mapping[str, str] = {
    # headings and columns
    "Bars: dari beside the reference plugins, in milliseconds": (
        "막대그래프: dari와 참조 플러그인, 단위는 밀리초"
    ),
    "Single calls": "호출 하나씩",
    "A full chain of plugins": "플러그인 체인 전체",
    "Bursts of {} pods": "파드 {}개를 한꺼번에",
    "{} pods on one node": "한 노드에 파드 {}개",
    "The agent's memory": "에이전트의 메모리",
    "{} nodes": "노드 {}개",
    "Where the time of one ADD goes": "ADD 한 번의 시간을 쓰는 곳",
    "Pod to pod": "파드에서 파드로",
    "whole processes": "프로세스 전체",
    "reference, ms": "참조, ms",
    "reference": "참조",
    "ratio": "비율",
    "budget": "목표",
    "callers at once": "동시 호출",
    "{}th ADD, ms": "{}번째 ADD, ms",
    "last / first": "마지막 / 처음",
    "figure": "값",
    "by hand": "손으로",
    "masquerading": "매스커레이드",
    "dari / masquerading": "dari / 매스커레이드",
    # cells
    "at most {}": "{} 이하",
    "at least {}": "{} 이상",
    "**missed**: at most {}": "**미달**: {} 이하",
    "**missed**: at least {}": "**미달**: {} 이상",
    "{} ({} to {})": "{} ({}~{})",
    "{} ms each": "하나에 {} ms",
    "{} bytes": "{}바이트",
    "ipMasq (theirs: {}), no agent": "ipMasq (참조: {}), 에이전트 없음",
    "ipMasq (theirs: {}), agent": "ipMasq (참조: {}), 에이전트",
    "ipMasq (theirs: {}), no agent, Python entry": (
        "ipMasq (참조: {}), 에이전트 없음, 파이썬 진입점"
    ),
    "no ipMasq, no agent": "ipMasq 없음, 에이전트 없음",
    "no ipMasq, agent": "ipMasq 없음, 에이전트",
    "five processes each": "양쪽 모두 프로세스 다섯",
    "theirs five processes, ours one call": "참조는 프로세스 다섯, dari는 호출 하나",
    "no pods": "파드 없음",
    "{} pods": "파드 {}개",
    "all of them deleted": "모두 지운 뒤",
    "DEL of all, {} callers, until gone": "모두 DEL, {}개 동시 호출, 사라질 때까지",
    "all peers in the kernel at start": "시작할 때 모든 노드를 커널에 넣기까지",
    "one peer's change": "노드 하나의 변화",
    "churn": "변화가 이어질 때",
    "at rest": "변화가 없을 때",
    "memory (local: and {} pods)": "메모리 (local은 파드 {}개 포함)",
    "watch traffic": "watch로 받은 양",
    "whole process": "프로세스 전체",
    "start and end of the process": "프로세스의 시작과 끝",
    "socket: asking, and waking each other": "소켓: 묻고 서로를 깨우기",
    "the agent's own time": "에이전트 자신의 시간",
    "— lease": "— 임대",
    "— wire (netlink)": "— 연결 (netlink)",
    "— the rest: request, record, answer": "— 나머지: 요청, 기록, 응답",
    "kernel floor": "커널의 하한",
    "the agent's own time / kernel floor": "에이전트 자신의 시간 / 커널의 하한",
    "one node": "한 노드",
    "two nodes": "두 노드",
    "requests/s": "요청/초",
    # notes
    "bridge + host-local. Medians (quartiles) of {} pairs, run in turn; the ratio is the median of "
    "the pairs' ratios. Without an agent the native entry starts Python, unless the Python entry "
    "itself is installed.": (
        "bridge + host-local. 번갈아 실행한 {}쌍의 중앙값(사분위수)이며, 비율은 쌍마다 구한 "
        "비율의 중앙값입니다. 파이썬 진입점을 직접 설치한 경우가 아니면, 에이전트가 없을 때는 "
        "네이티브 진입점이 파이썬을 시작합니다."
    ),
    "bridge (ipMasq) + portmap + bandwidth + firewall + tuning, for a pod with a host port and "
    "limits both ways. The times of a chain's processes are added up. One call: type dari with the "
    "same in runtimeConfig. Medians (quartiles) of {} runs in turn.": (
        "bridge(ipMasq) + portmap + bandwidth + firewall + tuning, 호스트 포트와 양방향 제한이 "
        "있는 파드. 체인에 속한 프로세스들의 시간을 더했습니다. 호출 하나는 runtimeConfig가 같은 "
        "dari 타입입니다. 번갈아 {}번 실행한 중앙값(사분위수)입니다."
    ),
    "ipMasq, theirs with iptables, ours through the agent; the time from the first start to the "
    "last end. The pods' namespaces are made before.": (
        "ipMasq, 참조는 iptables로, dari는 에이전트를 거쳐. 첫 시작부터 마지막 끝까지의 "
        "시간입니다. 파드의 네임스페이스는 미리 만들어 둡니다."
    ),
    "ipMasq, theirs with iptables, ours through the agent. Medians of {} ADDs, one after the "
    "other, around each; the pods in between come from {} callers at once. The kernel floor is "
    "what the kernel alone takes to wire a pod, on a bridge with as many ports.": (
        "ipMasq, 참조는 iptables로, dari는 에이전트를 거쳐. 그 순번 앞뒤로 하나씩 차례로 한 ADD "
        "{}번의 중앙값이며, 그 사이의 파드는 {}개 동시 호출로 만듭니다. 커널의 하한은 포트가 "
        "그만큼 있는 브리지에 파드 하나를 잇는 데 커널만으로 걸리는 시간입니다."
    ),
    "Resident memory (VmRSS); after deleting, once every cable is gone.": (
        "상주 메모리(VmRSS). 지운 뒤의 값은 모든 케이블이 사라진 다음 쟀습니다."
    ),
    "Records of peers that do not run; the agent is real, and so is all that it puts into the "
    "kernel. Start: from starting the process to the last route. One change: from writing a record "
    "with another address to the kernel's notification, median (most) of {}. Churn: {} changes a "
    "second for {} s, the agent's share of one core. At rest: the same while nothing changes. "
    "Watch traffic: what the agent received, by change.": (
        "실제로 돌지는 않는 노드들의 기록입니다. 에이전트와 그것이 커널에 넣는 것은 모두 "
        "진짜입니다. 시작: 프로세스를 시작한 때부터 마지막 경로까지. 노드 하나의 변화: 주소가 "
        "바뀐 기록을 쓴 때부터 커널이 알릴 때까지, {}번의 중앙값(최댓값). 변화가 이어질 때: "
        "1초에 {}번씩 {}초 동안 에이전트가 쓴 코어 하나의 비율. 변화가 없을 때: 아무것도 바뀌지 "
        "않는 동안의 같은 비율. watch로 받은 양: 변화 하나마다 에이전트가 받은 바이트."
    ),
    "ipMasq, native entry. Medians (quartiles) of {} calls; parts are computed call by call. The "
    "kernel floor is a veth pair into the pod and onto the bridge, then address, link up and "
    "default route in one datagram, then the host end up, in a tight loop, half before the calls "
    "and half after.": (
        "ipMasq, 네이티브 진입점. 호출 {}번의 중앙값(사분위수)이며, 부분은 호출마다 따로 "
        "계산했습니다. 커널의 하한은 파드로 들어가는 veth 한 쌍을 만들어 브리지에 꽂고, 주소와 "
        "링크 켜기와 기본 경로를 데이터그램 하나로 보낸 다음 호스트 쪽 끝을 켜는 일을 쉬지 않고 "
        "되풀이해, 절반은 호출들 앞에 절반은 뒤에 잰 것입니다."
    ),
    "By hand: a bridge, veth pairs and a route to the other node, made with `ip`, and no rule; "
    "masquerading: with one rule for it, so that the kernel tracks connections as for dari. "
    "Medians (quartiles) of {} runs in turn; iperf3 with one TCP stream for {} s; requests of 64 "
    "bytes over one TCP connection, each sent when the one before is answered. The ratio is the "
    "median of the pairs' ratios; more is better.": (
        "손으로: `ip`로 만든 브리지, veth 쌍, 다른 노드로 가는 경로, 규칙은 없음. 매스커레이드: "
        "그것을 위한 규칙 하나를 더해, dari에서처럼 커널이 연결을 추적함. 번갈아 {}번 실행한 "
        "중앙값(사분위수)입니다. iperf3는 TCP 스트림 하나로 {}초, 요청은 TCP 연결 하나로 "
        "64바이트씩, 앞의 응답이 오면 다음을 보냅니다. 비율은 쌍마다 구한 비율의 중앙값이며, "
        "클수록 좋습니다."
    ),
    "All in one run: {}, {} cores, Linux {}, {}, Python {}; dari {} against {}; {}.": (
        "모두 한 번에 잰 값: {}, 코어 {}개, 리눅스 {}, {}, 파이썬 {}; dari {}, 비교 대상 {}; {}."
    ),
}
# A cell that says the same in every language: a figure with its unit, a name.
_SAME = re.compile(
    r"[-+0-9.,%()/ ]*(ms|s|MB|KB|Gbit/s)?|---|ADD|DEL|dari(, ms)?|(local|etcd), \w+"
    r"|[0-9.]+ \([0-9.]+\) ms|[a-z0-9]+(-[a-z0-9]+)+"
)


Phrases = Sequence[tuple[str, str]]


def in_korean(document: str, words: Mapping[str, str] = WORDS, phrases: Phrases = ()) -> str:
    """The document in Korean; what there is no Korean for stays as it is.

    Args:
        document: in Markdown.
        words: the Korean for whole cells, titles and paragraphs.
        phrases: patterns and what takes their place, outside of tables, after that.
    """
    return _translated(document, words, phrases, [])


def without_korean(document: str, words: Mapping[str, str] = WORDS) -> list[str]:
    """What of a document there is no Korean for; items of lists are not looked at."""
    missing: list[str] = []
    _translated(document, words, (), missing)
    return missing


def _translated(
    document: str, words: Mapping[str, str], phrases: Phrases, missing: list[str]
) -> str:
    found = []
    for line in document.splitlines():
        if line.startswith("|"):
            cells = [_said(each.strip(), words, missing) for each in line.strip("|").split("|")]
            found.append(f"| {' | '.join(cells)} |")
        else:
            said = _line(line, words, missing)
            for pattern, korean in phrases:
                said = re.sub(pattern, korean, said)
            found.append(said)
    return "".join(f"{each}\n" for each in found)


def _line(line: str, words: Mapping[str, str], missing: list[str]) -> str:
    picture = re.fullmatch(r"!\[(.*)\](\(.*\))", line)
    if picture:
        return f"![{_said(picture[1], words, missing)}]{picture[2]}"
    if line.startswith("- "):
        return line
    marks = "### " if line.startswith("### ") else ""
    return f"{marks}{_said(line.removeprefix(marks), words, missing)}"


def _said(text: str, words: Mapping[str, str], missing: list[str]) -> str:
    if _SAME.fullmatch(text):
        return text
    if text in words:
        return words[text]
    # The longest first: what says more is not taken for what says less.
    for english in sorted(words, key=len, reverse=True):
        found = "{}" in english and re.fullmatch(_pattern(english), text)
        if found:
            return words[english].format(*found.groups())
    missing.append(text)
    return text


def _pattern(english: str) -> str:
    return "(.+?)".join(re.escape(each) for each in english.split("{}"))
