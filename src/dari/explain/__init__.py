"""What becomes of a packet: a walk over the tables of a snapshot, hop by hop. Pure.

`walk.walk` is the door: from a snapshot and two ends to a `Journey`. Below it:
`world` arranges a snapshot to be asked, `lookup` chooses a route as the kernel does,
`wire` carries frames over cables and bridges; `layer3` does what a kernel does with a
packet that came in or goes out, with `gates` (may it come in, and pass?), `asking` (which
MAC?), `landing` (who takes the frame?), `tunnel` and `crossing` (rules that bridges apply);
`filters` reads its rules, and `judge` names the cause where what decides contradicts the
records. `chance` tries every way where it depends on who spoke last. `show` prints a journey.

May import: tables, snapshot, causes, routing, and below.
"""
