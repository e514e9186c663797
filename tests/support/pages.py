"""The examples in the documents, so that tests can run them."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

PLUGINS = Path(__file__).parents[2] / "docs" / "plugins"
_BLOCK = re.compile(r"^```json\n(.*?)^```$", re.MULTILINE | re.DOTALL)


def examples(plugin: str) -> list[dict[str, Any]]:
    """The JSON blocks of a plugin's page, in order."""
    found = _BLOCK.findall((PLUGINS / f"{plugin}.md").read_text())
    assert found, f"the page of {plugin} has no example"
    return [json.loads(block) for block in found]


def describes(plugin: str, key: str) -> bool:
    """Does a plugin's page have a row or a line about this key?"""
    return f"`{key}`" in (PLUGINS / f"{plugin}.md").read_text()
