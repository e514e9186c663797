"""What a runtime's side of CNI says to people: of network configurations, and of their use.

May import: language.
"""

from __future__ import annotations

from dari.language import Messages

_ = Messages("runtime")
