"""What the agent's side says to people: options, settings, installing; its log is English.

May import: language.
"""

from __future__ import annotations

from dari.language import Messages

_ = Messages("agent")
