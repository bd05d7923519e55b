"""Long text in parts that fit a line: cut at spaces, else between graphemes, never inside one."""

from __future__ import annotations

from wcwidth import iter_graphemes

from secure_chat.protocol.message import LINE_LIMIT_BYTES

LINE_END_BYTES = 2
ASSUMED_USER_BYTES = 10
ASSUMED_HOST_BYTES = 63


def room_for_text_bytes(nick: str, source: str | None, command: str, target: str) -> int:
    """How many bytes of text a line to `target` can hold when the server relays it with our source in front.

    Until `source` is known, the longest that the server could give us is assumed.
    """
    source_bytes = (
        len(source.encode()) if source else len(nick.encode()) + len("!@") + ASSUMED_USER_BYTES + ASSUMED_HOST_BYTES
    )
    frame_bytes = len(": ") + len(f"{command} {target} :".encode())
    return LINE_LIMIT_BYTES - LINE_END_BYTES - source_bytes - frame_bytes


def split_text(text: str, limit_bytes: int) -> list[str]:
    """`text` in parts of at most `limit_bytes` (UTF-8, at least 4). At a cut between words one space is left out.

    Only a grapheme that is itself longer than the limit is cut, between its code points.
    """
    pieces = _pieces(text, limit_bytes)
    sizes_bytes = [len(piece.encode()) for piece in pieces]
    parts: list[str] = []
    start = 0
    while start < len(pieces):
        end, size_bytes = start, 0
        while end < len(pieces) and size_bytes + sizes_bytes[end] <= limit_bytes:
            size_bytes += sizes_bytes[end]
            end += 1
        space = _last_space(pieces, start, end)
        cut = end if space is None else space
        parts.append("".join(pieces[start:cut]))
        start = cut if space is None else cut + 1
    return parts or [""]


def _last_space(pieces: list[str], start: int, end: int) -> int | None:
    """Where to cut a part that could reach from `start` to `end`; None where it is the last or has no space."""
    if end == len(pieces):
        return None
    return next((index for index in range(end, start, -1) if pieces[index] == " "), None)


def _pieces(text: str, limit_bytes: int) -> list[str]:
    """The graphemes of `text`; one longer than the limit in single code points."""
    pieces: list[str] = []
    for grapheme in iter_graphemes(text):
        pieces += [grapheme] if len(grapheme.encode()) <= limit_bytes else list(grapheme)
    return pieces
