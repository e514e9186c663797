"""How long a store under test waits: less often than a node may, and never too short.

A server on a busy machine may take seconds, and must not be taken for one that is silent.
Only a test of silence has a reason to be impatient; what it then writes or reads with such a
store may fail for want of time.
"""

from __future__ import annotations

from dari.store.remote.pauses import Timing

PATIENT = Timing(
    connect=30.0, request=30.0, probe=0.3, lifetime=20.0, first_pause=0.05, longest_pause=0.3
)
IMPATIENT = PATIENT.replace(connect=1.0, request=1.0)
