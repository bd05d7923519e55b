"""Masks: what they match, and that no mask takes long."""

from __future__ import annotations

import fnmatch
import re
import time

from hypothesis import given
from hypothesis import strategies as st

from secure_chat.protocol.masks import matches

MASKS = st.text("ab*?!\\[", max_size=8)
TEXTS = st.text("ab!\\[\n", max_size=10)


def _slowly(mask: str, text: str) -> bool:
    """The plain definition."""
    escaped = mask.replace("[", "[[]")
    return re.match(fnmatch.translate(escaped), text) is not None


@given(MASKS, TEXTS)
def test_masks_match_as_defined(mask: str, text: str) -> None:
    """`*` is anything, `?` one character, everything else itself."""
    assert matches(mask, text) == _slowly(mask, text)


def test_case_does_not_matter() -> None:
    """Nor does the script."""
    assert matches("ИВАН!*@*", "иван!u@h")
    assert matches("*!*@CHAT.test", "a!b@chat.TEST")
    assert not matches("иван", "иванка")


def test_no_mask_takes_exponential_time() -> None:
    """A backtracking matcher would not end before the sun does."""
    begun = time.process_time()
    assert not matches("*a" * 60 + "b", "a" * 400)
    assert not matches("*a?" * 40 + "*b", "a" * 400)
    assert matches("*a" * 60 + "*", "a" * 400)
    assert time.process_time() - begun < 1
