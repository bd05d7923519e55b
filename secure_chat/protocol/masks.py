"""Masks with `*` and `?` (Modern IRC, "Wildcard Expressions")."""

from __future__ import annotations

import re
from functools import lru_cache


@lru_cache(maxsize=1024)
def _pattern(mask: str) -> re.Pattern[str]:
    squeezed = re.sub(r"\*+", "*", mask)
    parts = {"*": ".*", "?": "."}
    return re.compile("".join(parts.get(c, re.escape(c)) for c in squeezed), re.IGNORECASE | re.DOTALL)


def matches(mask: str, text: str) -> bool:
    """Whether the whole text matches the mask; case does not matter.

    A mask is at most a line long and has no nested repetition; adjacent stars count as one.
    """
    return _pattern(mask).fullmatch(text) is not None
