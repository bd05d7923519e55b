"""Ids: unique, and not to be guessed from others."""

from __future__ import annotations

import re

from secure_chat.server.ids import MSGIDS_AHEAD, RandomIds


def test_message_ids_have_nothing_in_common() -> None:
    """Also where new randomness is asked for in between: no ten characters of one stand in another."""
    ids = RandomIds()
    made = [ids.msgid() for _ in range(3 * MSGIDS_AHEAD)]
    assert all(re.fullmatch(r"[A-Za-z0-9_-]{20}", msgid) for msgid in made)
    pieces = [msgid[start : start + 10] for msgid in made for start in range(11)]
    assert len(set(pieces)) == len(pieces)
