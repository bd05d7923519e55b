"""Lines out of a stream: any chunking, with limits."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from secure_chat.protocol.lines import LineBuffer, LineTooLong

Lines = list[bytes | None]


def fed(chunks: list[bytes], buffer: LineBuffer | None = None) -> Lines:
    """The lines in these chunks; None where one was too long."""
    lines = buffer or LineBuffer(tags_limit_bytes=20, line_limit_bytes=10)
    got: Lines = []
    for chunk in chunks:
        for line in lines.feed(chunk):
            got.append(None if isinstance(line, LineTooLong) else line)
        assert lines.pending_bytes <= 30
    return got


PIECES = st.sampled_from([b"\n", b"\r", b"\r\n", b"a", b"12345678", b"@t=", b" ", b"x" * 40, "я".encode()])


@given(st.lists(PIECES, max_size=30).map(b"".join), st.lists(st.integers(1, 20), max_size=30))
def test_any_chunking_gives_the_same_lines(stream: bytes, sizes: list[int]) -> None:
    """Also one byte at a time."""
    whole = fed([stream])
    chunks, rest = [], stream
    for size in sizes:
        chunks.append(rest[:size])
        rest = rest[size:]
    assert fed([*chunks, rest]) == whole
    assert fed([bytes([byte]) for byte in stream]) == whole


@given(st.lists(st.sampled_from([b"short", b"@a=b c", b"x" * 100, b"@" + b"y" * 100, b"@tag " + b"z" * 9])))
def test_a_line_too_long_costs_only_itself(lines: list[bytes]) -> None:
    """The others come, in their places."""
    expected = [line if line in (b"short", b"@a=b c") else None for line in lines]
    assert fed([line + b"\r\n" for line in lines]) == expected


def test_limits_are_exact() -> None:
    """CR LF counts for the line; `@` and the space for the tags."""
    assert fed([b"x" * 8 + b"\r\n"]) == [b"x" * 8]
    assert fed([b"x" * 9 + b"\r\n"]) == [None]
    tags = b"@" + b"t" * 18 + b" "
    assert fed([tags + b"x" * 8 + b"\r\n"]) == [tags + b"x" * 8]
    assert fed([b"@t" + tags[1:] + b"x\r\n"]) == [None]
    assert fed([b"@" + b"t" * 19 + b"\r\n"]) == [b"@" + b"t" * 19]


def test_line_ends() -> None:
    """LF alone will do; empty lines are nothing; a CR inside stays for the parser to refuse."""
    assert fed([b"a\nb\r\nc\r\r\n\r\n\nd\re\n"]) == [b"a", b"b", b"c", b"d\re"]


def test_memory_is_bounded() -> None:
    """A line that never ends is not kept."""
    buffer = LineBuffer()
    for _ in range(1000):
        assert list(buffer.feed(b"x" * 1000)) == []
        assert buffer.pending_bytes <= 4096 + 512
    assert [type(line) for line in buffer.feed(b"\nPING\n")] == [LineTooLong, bytes]
