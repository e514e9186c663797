"""What commands say, in the reader's language.

May import: language.
"""

from __future__ import annotations

from dari.language import Messages

_ = Messages("cli")
