"""Plain lines on stderr: ``time=… level=info event=mended what="…"``.

An event is a word or a few, its details a mapping:
``log.info("mended", {"what": "added route …"})``.

May import: nothing of dari.
"""

from __future__ import annotations

import json
import logging
import re
import time
from collections.abc import Mapping
from typing import TextIO

_PLAIN = re.compile(r"[\w.:/@+-]+\Z")


class KeyValues(logging.Formatter):
    """Formats a record's message and details as pairs of key and value."""

    def format(self, record: logging.LogRecord) -> str:
        moment = time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(record.created))
        pairs: dict[str, object] = {
            "time": f"{moment}.{int(record.msecs):03}Z",
            "level": record.levelname.lower(),
            "event": record.msg,
        }
        if isinstance(record.args, Mapping):
            pairs.update(record.args)
        elif record.args:
            pairs["event"] = record.getMessage()
        if record.exc_info:
            pairs["trace"] = self.formatException(record.exc_info)
        return " ".join(f"{key}={_shown(value)}" for key, value in pairs.items())


def _shown(value: object) -> str:
    """A value on one line and in ASCII, quoted unless it is plain."""
    if isinstance(value, (list, tuple)):
        value = ",".join(map(str, value))
    text = str(value)
    return text if text.isascii() and _PLAIN.match(text) else json.dumps(text)


def logger_to(stream: TextIO, level: str) -> logging.Logger:
    """A logger of dari's agent that writes to a stream.

    Args:
        stream: stderr.
        level: debug, info, warning or error; what is below is left out.
    """
    handler = logging.StreamHandler(stream)
    handler.setFormatter(KeyValues())
    logger = logging.getLogger("dari.agent")
    logger.handlers = [handler]
    logger.propagate = False
    logger.setLevel(level.upper())
    return logger
