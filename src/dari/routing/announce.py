"""Has a running BIRD do what dari's part of its configuration says.

Whether it does is asked of BIRD itself: it knows a constant whose name follows
from the text. So a BIRD that was restarted, or away while the text changed, is
told again, and one that knows is left in peace.

May import: errors, files, and within routing: bird, birdc, reconcile.
"""

from __future__ import annotations

from collections.abc import Iterator

from dari.errors import DariError, NotAvailable
from dari.files import holds, remove, write_whole
from dari.routing.bird import find_mark
from dari.routing.birdc import Birdc
from dari.routing.reconcile import Outcome

_PREFIX = "dari_"
_UP = "up"


def announce(text: str, conf: str, socket_path: str) -> Outcome:
    """Write the part whole, have BIRD read it, and tell of sessions that are not up.

    Args:
        text: from `bird.render`; empty: there shall be no part.
        conf: the file's path.
        socket_path: of BIRD's control socket.
    """
    try:
        return _keep(text, conf, socket_path) if text else _withdraw(conf, socket_path)
    except DariError as error:
        return Outcome(failures=(error.message,))


def _keep(text: str, conf: str, socket_path: str) -> Outcome:
    done = []
    if not holds(conf, text):
        write_whole(conf, text.encode(), mode=0o644)
        done.append(f"wrote {conf}")
    with Birdc(socket_path) as bird:
        if not _knows(bird, find_mark(text)):
            bird.ask("configure")
            done.append("had BIRD read its configuration anew")
        if not _knows(bird, find_mark(text)):
            hint = f"BIRD does not include {conf}: its own configuration has to"
            return Outcome(mended=tuple(done), failures=(hint,))
        return Outcome(mended=tuple(done), failures=tuple(_sessions_down(bird)))


def _withdraw(conf: str, socket_path: str) -> Outcome:
    """Take the part away. It is emptied first: until BIRD has read that, it is not over."""
    try:
        with open(conf, "rb"):
            pass
    except OSError:
        return Outcome()
    write_whole(conf, b"", mode=0o644)
    try:
        with Birdc(socket_path) as bird:
            bird.ask("configure")
    except NotAvailable:
        pass  # no BIRD, no routes of BIRD's
    remove(conf)
    return Outcome(mended=(f"removed {conf}",))


def _knows(bird: Birdc, mark: str) -> bool:
    return any("constant" in line.text for line in bird.ask(f"show symbols {mark}"))


def _sessions_down(bird: Birdc) -> Iterator[str]:
    """Columns: name, protocol, table, state, since, and for a session that is up no more."""
    for line in bird.ask(f'show protocols "{_PREFIX}*"'):
        words = line.text.split()
        if len(words) > 3 and words[0].startswith(_PREFIX) and words[3] != _UP:
            yield f"BIRD's session {words[0]} is not up: birdc show protocols all {words[0]}"
