"""How an agent's process is prepared."""

from __future__ import annotations

import subprocess
import sys

import pytest

# Each thread's own heap begins with a reservation of 64 MB, of which little is accessible.
COUNT = """
import sys, threading
from dari.agent.start import share_one_heap
if sys.argv[1:]:
    share_one_heap()
everybody = threading.Barrier(5)
def work():
    kept = bytes(50_000)
    everybody.wait()
threads = [threading.Thread(target=work) for _ in range(4)]
for each in threads:
    each.start()
reserved = 0
for line in open("/proc/self/maps"):
    first, last = (int(each, 16) for each in line.split()[0].split("-"))
    reserved += line.split()[1] == "---p" and last - first > 60 << 20
print(reserved)
everybody.wait()
for each in threads:
    each.join()
"""


@pytest.mark.parametrize(("words", "heaps"), [((), 4), (("shared",), 0)])
def test_an_agents_threads_share_one_heap(words: tuple[str, ...], heaps: int) -> None:
    command = [sys.executable, "-c", COUNT, *words]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    assert int(done.stdout) == heaps, done.stderr
