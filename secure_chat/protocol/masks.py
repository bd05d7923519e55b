"""Masks with `*` and `?` (Modern IRC, "Wildcard Expressions")."""

from __future__ import annotations

import re
from functools import lru_cache


@lru_cache(maxsize=1024)
def _pattern(mask: str) -> re.Pattern[str]:
    first, *rest = (re.escape(part).replace(r"\?", ".") for part in mask.split("*"))
    if not rest:
        return re.compile(first, re.IGNORECASE | re.DOTALL)
    # Atomic groups: each part is sought once and never again, so no mask can make matching slow.
    middle = "".join(f"(?>.*?{part})" for part in rest[:-1] if part)
    return re.compile(f"{first}{middle}.*{rest[-1]}", re.IGNORECASE | re.DOTALL)


def matches(mask: str, text: str) -> bool:
    """Whether the whole text matches the mask; case does not matter.

    Takes time proportional to the lengths of both, whatever the mask.
    """
    return _pattern(mask).fullmatch(text) is not None
