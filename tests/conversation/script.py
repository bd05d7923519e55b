"""Scripts: conversations written down line by line. See `scripts/README.md` for the statements."""

from __future__ import annotations

import base64
import re
from dataclasses import dataclass
from pathlib import Path

from secure_chat.protocol.sasl import encode_chunks, encode_plain
from tests.conversation.wire import Seen, split_params

_ARROW = re.compile(r"(?P<who>\S+)\s+(?P<arrow>->>|->|<-)\s*(?P<text>.*)")
_REPEATED = re.compile(r"\{([^{}]+?)\*(\d+)\}")
_SASL = re.compile(r"\{sasl (\d+) (\S+) ([^}]+)\}")
_CHANGE = re.compile(r"\{change (\d+) (\S+) ([^}]+)\}")
_BASE64 = re.compile(r"\{base64 ([^}]*)\}")
_VARIABLE = re.compile(r"\{([a-z0-9]+)\}")


@dataclass(frozen=True)
class Statement:
    """One line of a script. `arrow` is "" where somebody or something acts in words, then in `text`."""

    number: int
    line: str
    who: str
    arrow: str
    text: str


def read_script(path: Path) -> list[Statement]:
    """The statements of a script, without comments and empty lines."""
    statements = []
    for number, line in enumerate(path.read_text().splitlines(), start=1):
        text = line.strip()
        if not text or text.startswith("#"):
            continue
        match = _ARROW.fullmatch(text)
        if match:
            statements.append(Statement(number, text, match["who"], match["arrow"], match["text"]))
        else:
            statements.append(Statement(number, text, "", "", text))
    return statements


def repeat(text: str) -> str:
    """Put in five hundred a for `{a*500}`."""
    return _REPEATED.sub(lambda m: m[1] * int(m[2]), text)


def expand(text: str, variables: dict[str, str]) -> str:
    """Put in what stands for something longer: `{a*500}`, `{sasl 0 name password}`, `{variable}`."""
    text = _VARIABLE.sub(lambda m: variables.get(m[1], m[0]), repeat(text))
    text = _SASL.sub(lambda m: encode_plain(m[2], m[3])[int(m[1])], text)
    text = _CHANGE.sub(lambda m: encode_chunks(f"{m[2]}\0{m[3]}".encode())[int(m[1])], text)
    return _BASE64.sub(lambda m: base64.b64encode(m[1].replace("^", "\0").encode()).decode(), text)


@dataclass(frozen=True)
class Pattern:
    """What a line should look like: `@tag=value;!absent :source COMMAND params`; `...` stands for anything.

    Tags and source count only where they are given; `...` as the last parameter stands for all that follow;
    `{name}` takes what is there into a variable, or asks for the same again.
    """

    text: str

    def matches(self, seen: Seen, variables: dict[str, str]) -> bool:
        """Whether this is such a line; fills variables if so."""
        tags, source, command, params = self._parts()
        found = dict(variables)
        fits = (
            all(_tag_fits(tag, seen, found) for tag in tags)
            and (not source or _fits(source, seen.source, found))
            and command == seen.command
            and _params_fit(params, seen.params, found)
        )
        if fits:
            variables.update(found)
        return fits

    def _parts(self) -> tuple[list[str], str, str, tuple[str, ...]]:
        rest, tags, source = self.text, [], ""
        if rest.startswith("@"):
            tag_text, _, rest = rest[1:].partition(" ")
            tags = tag_text.split(";")
        if rest.startswith(":"):
            source, _, rest = rest[1:].partition(" ")
        command, space, params = rest.partition(" ")
        return tags, source, command, split_params(space + params)


def _tag_fits(tag: str, seen: Seen, found: dict[str, str]) -> bool:
    key, equals, value = tag.partition("=")
    if key.startswith("!"):
        return key[1:] not in seen.tags
    return key in seen.tags and (not equals or _fits(value, seen.tags[key], found))


def _params_fit(wanted: tuple[str, ...], got: tuple[str, ...], found: dict[str, str]) -> bool:
    if wanted and wanted[-1] == "...":
        wanted, got = wanted[:-1], got[: len(wanted) - 1]
    return len(wanted) == len(got) and all(_fits(w, g, found) for w, g in zip(wanted, got, strict=True))


def _fits(wanted: str, got: str, found: dict[str, str]) -> bool:
    wanted = _VARIABLE.sub(lambda m: found.get(m[1], m[0]), wanted)
    regex = ".*".join(_with_captures(part) for part in wanted.split("..."))
    match = re.fullmatch(regex, got, re.DOTALL)
    if match:
        found.update(match.groupdict())
    return match is not None


def _with_captures(text: str) -> str:
    parts = _VARIABLE.split(text)
    literal, names = parts[::2], parts[1::2]
    named = [f"(?P<{name}>.+)" for name in names] + [""]
    return "".join(re.escape(part) + name for part, name in zip(literal, named, strict=True))
