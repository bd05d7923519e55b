"""What a client sees of a server: its lines, split and checked without the product's own parser."""

from __future__ import annotations

import re
from collections import deque
from dataclasses import dataclass, field

from secure_chat.net.operations import Variants
from secure_chat.protocol.lines import LineBuffer

LINE_LIMIT_BYTES = 512
TAGS_LIMIT_BYTES = 8191
_VALID = re.compile(r"(?:@(?P<tags>[^ ]+) )?(?::(?P<source>[^ ]+) )?(?P<command>[A-Z]+|[0-9]{3})(?P<rest> .*)?")


@dataclass(frozen=True)
class Seen:
    """A line that a client got. Tag values are as on the wire."""

    text: str
    tags: dict[str, str]
    source: str
    command: str
    params: tuple[str, ...]

    @property
    def body(self) -> str:
        """The line without its tags."""
        return self.text.partition(" ")[2] if self.tags else self.text


def see(line: bytes) -> Seen:
    """Split a line of the server, which must be valid and no longer than allowed."""
    text = line.decode()
    match = _VALID.fullmatch(text)
    assert match, f"not a valid line: {text!r}"
    assert not re.search(r"[\r\n\0]", text), f"forbidden characters: {text!r}"
    tag_text = match["tags"] or ""
    tags_bytes = len(tag_text.encode()) + 2 if tag_text else 0
    assert tags_bytes <= TAGS_LIMIT_BYTES, f"tags of {tags_bytes} bytes"
    body_bytes = len(line) - tags_bytes + 2
    assert body_bytes <= LINE_LIMIT_BYTES, f"a line of {body_bytes} bytes: {text}"
    pairs = [tag.partition("=") for tag in tag_text.split(";") if tag]
    tags = {key: value for key, _, value in pairs}
    assert len(tags) == len(pairs), f"a tag twice: {text}"
    return Seen(text, tags, match["source"] or "", match["command"], split_params(match["rest"] or ""))


def split_params(rest: str) -> tuple[str, ...]:
    """The parameters in ` a b :c d`; every space but those of the last parameter separates."""
    middle, colon, last = rest.partition(" :")
    params = middle.split(" ")[1:]
    assert all(params), f"an empty parameter: {rest!r}"
    return (*params, last) if colon else tuple(params)


@dataclass(eq=False)
class Client:
    """A client and what its worker knows of it. `unread` is what no one looked at yet."""

    name: str
    id: int
    form: int = 0
    topics: set[int] = field(default_factory=set)
    pending: list[bytes] = field(default_factory=list)
    incoming: LineBuffer = field(default_factory=LineBuffer)
    unread: deque[Seen] = field(default_factory=deque)
    all: list[Seen] = field(default_factory=list)
    closed: str | None = None
    authenticated: bool = False
    delivered_id: int = 0

    def add(self, data: bytes, message_id: int = 0) -> None:
        """Take what the server sends; nothing after the end."""
        if self.closed is None:
            self.pending.append(data)
            self.delivered_id = max(self.delivered_id, message_id)

    def add_form_of(self, variants: Variants, message_id: int) -> None:
        """Take what the server sends to several, in the form set for this client."""
        if self.form in variants:
            self.add(variants[self.form], message_id)

    def read(self) -> None:
        """Split what has come into lines."""
        data, self.pending = b"".join(self.pending), []
        if data:
            assert data.endswith(b"\r\n")
            for line in data[:-2].split(b"\r\n"):
                seen = see(line)
                self.unread.append(seen)
                self.all.append(seen)
