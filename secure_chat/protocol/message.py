"""One IRC message as a value (Modern IRC, "Message Format"; IRCv3 `message-tags`)."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType

from secure_chat.errors import ProtocolError

LINE_LIMIT_BYTES = 512
"""Longest line without its tags, CR LF counted."""
CLIENT_TAGS_LIMIT_BYTES = 4096
"""Longest tag part a client may send, the `@` and the space counted."""
SERVER_TAGS_LIMIT_BYTES = 8191
"""Longest tag part of a line of the server, the `@` and the space counted."""

SECRET_COMMANDS = frozenset({"AUTHENTICATE", "OPER", "PASS", "PASSWORD", "RECOVERY", "REGISTER", "VERIFY"})
"""Commands whose parameters may hold a password or a code."""

NO_TAGS: Mapping[str, str] = MappingProxyType({})

_NUMERIC = re.compile(r"[0-9]{3}")
_TAG_KEY = re.compile(r"\+?(?:[^\s\0;=/+@,\\]+/)?[^\s\0;=/+@,\\]+")
_ESCAPES = {";": "\\:", " ": "\\s", "\\": "\\\\", "\r": "\\r", "\n": "\\n"}
_NEEDS_ESCAPE = re.compile(r"[; \\\r\n]")
_UNESCAPES = {":": ";", "s": " ", "r": "\r", "n": "\n"}
_ESCAPED = re.compile(r"\\(.?)", re.DOTALL)


class InvalidUtf8(ProtocolError):
    """The line is not UTF-8 (IRCv3 `utf8only`)."""


class MalformedMessage(ProtocolError):
    """The line is not of the form `[@tags] [:source] command [parameters]`."""


class Secret(str):
    """Text that is never shown: a parameter that may hold a password or a code.

    Printing, formatting and `repr` give `***`; `reveal()` gives the text. Joining and adding go past
    this: a secret is put together with other text only to check it.
    """

    __slots__ = ()

    def reveal(self) -> str:
        """The text itself, for the one place that checks it."""
        return str.__str__(self)

    def __repr__(self) -> str:
        return "Secret(***)"

    def __str__(self) -> str:
        return "***"

    def __format__(self, spec: str) -> str:
        return format("***", spec)


@dataclass(frozen=True, slots=True)
class Message:
    """A message that can stand on the wire: building one with CR, LF or NUL, or with a space where none may be,
    raises ValueError. Tags hold unescaped values; a tag without a value has the value "".
    """

    command: str
    params: tuple[str, ...] = ()
    source: str | None = None
    tags: Mapping[str, str] = field(default_factory=lambda: NO_TAGS)

    def __post_init__(self) -> None:
        check_body(self.source, self.command, self.params)
        if self.tags and not all(_TAG_KEY.fullmatch(key) and "\0" not in value for key, value in self.tags.items()):
            text = "a message cannot have such tags"
            raise ValueError(text)

    @property
    def nick(self) -> str:
        """The nick in the source, or the whole source of a server; "" without one."""
        return (self.source or "").partition("!")[0]

    def encode(self) -> bytes:
        """The line as it goes over the wire, with CR LF. No limit is applied here."""
        return (self.tag_text() + self.body_text()).encode() + b"\r\n"

    def tag_text(self) -> str:
        """`@key=value;… ` with its closing space, or "" without tags."""
        return encode_tags(self.tags)

    def body_text(self) -> str:
        """Source, command and parameters, without CR LF."""
        return body_text(self.source, self.command, self.params)

    def body_bytes(self) -> int:
        """Length of the line without tags, CR LF counted: what `LINE_LIMIT_BYTES` limits."""
        return len(self.body_text().encode()) + 2


def check_body(source: str | None, command: str, params: tuple[str, ...]) -> None:
    """Raise ValueError where a line of these would be another one when it is read."""
    # For each line that is said: without patterns, which take two to four times as long.
    if not (command.isalpha() and command.isascii()) and not _NUMERIC.fullmatch(command):
        what = "command"
    elif source is not None and not _is_word(source):
        what = "source"
    elif params and (_breaks_lines(str.__str__(params[-1])) or not all(map(_is_middle, params[:-1]))):
        what = "parameters"
    else:
        return
    text = f"a message cannot have such {what}"
    raise ValueError(text)


def _breaks_lines(text: str) -> bool:
    return "\n" in text or "\r" in text or "\0" in text


def _is_word(text: str) -> bool:
    return text != "" and " " not in text and not _breaks_lines(text)


def _is_middle(text: str) -> bool:
    """Whether it can stand where others follow (Modern IRC, "Parameters")."""
    return _is_word(text) and text[0] != ":"


def body_text(source: str | None, command: str, params: tuple[str, ...]) -> str:
    """A line without tags and line end; the last parameter gets a colon where it needs one."""
    parts = [f":{source}", command] if source else [command]
    if params:
        parts += params[:-1]
        last = str.__str__(params[-1])
        parts.append(f":{last}" if " " in last or last == "" or last[0] == ":" else last)
    return " ".join(parts)


def encode_tags(tags: Mapping[str, str]) -> str:
    """`@key=value;… ` with its closing space, values escaped; "" where there are none."""
    if not tags:
        return ""
    if _NEEDS_ESCAPE.search("".join(tags.values())):  # most need nothing, and to look once is quicker
        tags = {key: escape_tag_value(value) for key, value in tags.items()}
    return "@" + ";".join([f"{key}={value}" if value else key for key, value in tags.items()]) + " "


def escape_tag_value(value: str) -> str:
    """Escape a tag's value (`message-tags`, "Escaping values")."""
    return _NEEDS_ESCAPE.sub(lambda m: _ESCAPES[m[0]], value)


def unescape_tag_value(value: str) -> str:
    r"""Undo `escape_tag_value`; an unknown escape `\b` is `b`, a lone `\` at the end is dropped."""
    if "\\" not in value:
        return value
    return _ESCAPED.sub(lambda m: _UNESCAPES.get(m[1], m[1]), value)


def parse(line: bytes) -> Message:
    """Parse one line without its line ending.

    Raises InvalidUtf8 or MalformedMessage. Commands are returned in upper case, parameters of
    `SECRET_COMMANDS` as `Secret`. Later tags of the same key win (`message-tags`, "Rules").
    """
    try:
        rest = line.decode()
    except UnicodeDecodeError:
        text = "Lines must be UTF-8; this one is not, and was ignored"
        raise InvalidUtf8(text) from None
    tags: Mapping[str, str] = NO_TAGS
    source = None
    if rest.startswith("@"):
        tag_part, _, rest = rest[1:].partition(" ")
        tags = _parse_tags(tag_part)
    rest = rest.lstrip(" ")
    if rest.startswith(":"):
        source, _, rest = rest[1:].partition(" ")
    command, params = _parse_command(rest.lstrip(" "))
    try:
        return Message(command, params, source or None, tags)
    except ValueError as error:
        raise MalformedMessage(str(error)) from None


def _parse_tags(text: str) -> dict[str, str]:
    tags: dict[str, str] = {}
    for tag in text.split(";"):
        key, _, value = tag.partition("=")
        if key:
            tags.pop(key, None)
            tags[key] = unescape_tag_value(value)
    return tags


def _parse_command(text: str) -> tuple[str, tuple[str, ...]]:
    middle, colon, trailing = text.partition(" :")
    command, *params = middle.split(" ") if "  " not in middle else re.split(" +", middle)
    params = [param for param in params if param]
    if colon:
        params.append(trailing)
    command = command.upper()
    if command in SECRET_COMMANDS:
        return command, tuple(map(Secret, params))
    return command, tuple(params)


def split_source(source: str) -> tuple[str, str, str]:
    """Nick, user and host of `nick!user@host`; missing parts are ""."""
    before_host, _, host = source.partition("@")
    nick, _, user = before_host.partition("!")
    return nick, user, host


def cut(text: str, limit_bytes: int) -> str:
    """The longest beginning of a text that has at most so many bytes and no half character."""
    return text.encode()[:limit_bytes].decode(errors="ignore")
