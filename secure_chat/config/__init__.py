"""The owner's settings: `config.toml` as immutable values, each with its bounds and a line that explains it.

The same declarations make `docs/configuration.md`. Nothing here knows the rest of the program.
"""

from __future__ import annotations

import difflib
import json
import re
import tomllib
from collections.abc import Iterator
from dataclasses import dataclass
from ipaddress import ip_network
from pathlib import Path
from typing import Any

import msgspec

from secure_chat.config.sections import (
    ADDRESS_OR_EMPTY,
    HOST_LIKE,
    HOST_OR_EMPTY,
    MOTD_LINE_BYTES,
    MOTD_LINES,
    NO_SPACE,
    ROOM_OR_EMPTY,
    Config,
    Limits,
    Section,
)
from secure_chat.errors import ConfigError

__all__ = ["Config", "Limits", "Setting", "load_config", "parse_config", "settings", "toml"]

FOUND_CHARACTERS = 60


@dataclass(frozen=True, slots=True)
class Setting:
    """One key as declared, for documents and errors. `allowed` and `default` are texts in the file's notation."""

    section: str
    key: str
    allowed: str
    default: str
    description: str


def load_config(path: Path | None, *, must_exist: bool = True) -> Config:
    """The settings in the file `path`, defaults where it says nothing; all defaults for None.

    `must_exist=False` is for the default place, where no file is needed. Raises ConfigError with the text
    "FILE: [section] key: found X, allowed Y". Reads the file once, on the calling thread.
    """
    if path is None:
        return Config()
    try:
        text = path.read_text("utf-8")
    except FileNotFoundError as error:
        if not must_exist:
            return Config()
        missing = f"{path} does not exist. Create it, or leave --config out to use the defaults."
        raise ConfigError(missing) from error
    except OSError as error:
        unreadable = f"{path} cannot be read ({error.strerror}). Let the server's user read it."
        raise ConfigError(unreadable) from error
    except UnicodeDecodeError as error:
        encoding = f"{path}: found bytes that are not UTF-8 (at byte {error.start}). Save the file as UTF-8."
        raise ConfigError(encoding) from error
    return parse_config(text, str(path))


def parse_config(text: str, file_name: str) -> Config:
    """The settings in `text`; `file_name` stands in errors. Raises ConfigError like `load_config`."""
    try:
        tables = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        syntax = f"{file_name}: found no valid TOML: {error}. Mend that line."
        raise ConfigError(syntax) from error
    try:
        sections: dict[str, Any] = {name: _section(name, table) for name, table in tables.items()}
        config = Config(**sections)
        _require_sense(config)
    except _Mistake as mistake:
        error_text = f"{file_name}: {mistake}"
        raise ConfigError(error_text) from None
    return config


def settings() -> Iterator[Setting]:
    """Every key in the order of declaration."""
    for section in msgspec.structs.fields(Config):
        for key in msgspec.structs.fields(section.type):
            kind = msgspec.inspect.type_info(key.type)
            yield Setting(section.name, key.name, _allowed(kind), toml(key.default), _description(kind))


def toml(value: object) -> str:
    """`value` in the notation of the file, as far as settings go."""
    if isinstance(value, list | tuple):
        return "[" + ", ".join(map(toml, value)) + "]"
    return json.dumps(value, ensure_ascii=False, default=str)


class _Mistake(Exception):
    """What is wrong, without the file."""


def _section(name: str, table: object) -> Section:
    types: dict[str, type[Section]] = {entry.name: entry.type for entry in msgspec.structs.fields(Config)}
    if name not in types:
        text = f"[{name}]: found an unknown section, {_known(name, types, '[{}]')}"
        raise _Mistake(text)
    if not isinstance(table, dict):
        text = f"{name}: found {_found(table)}, allowed: a section that begins with the line [{name}]"
        raise _Mistake(text)
    keys = {entry.name: entry.type for entry in msgspec.structs.fields(types[name])}
    return types[name](**{key: _value(name, key, value, keys) for key, value in table.items()})


def _value(section: str, key: str, value: object, types: dict[str, Any]) -> Any:
    if key not in types:
        text = f"[{section}] {key}: found an unknown key, {_known(key, types, '{}')}"
        raise _Mistake(text)
    try:
        return msgspec.convert(value, types[key])
    except msgspec.ValidationError:
        raise _wrong(section, key, value) from None


def _wrong(section: str, key: str, value: object, allowed: str | None = None) -> _Mistake:
    if allowed is None:
        allowed = next(one.allowed for one in settings() if (one.section, one.key) == (section, key))
    return _Mistake(f"[{section}] {key}: found {_found(value)}, allowed: {allowed}")


def _known(name: str, known: dict[str, Any], form: str) -> str:
    near = difflib.get_close_matches(name, known, n=1)
    if near:
        return f"did you mean {form.format(near[0])}?"
    return f"allowed: {', '.join(form.format(one) for one in known)}"


def _found(value: object) -> str:
    text = "a section" if isinstance(value, dict) else toml(value)
    return text if len(text) <= FOUND_CHARACTERS else text[:FOUND_CHARACTERS] + "…"


def _require_sense(config: Config) -> None:
    """What the types alone cannot say. Raises _Mistake."""
    limits, motd = config.limits, config.server.motd
    for network in limits.exempt_networks:
        try:
            ip_network(network)
        except ValueError:
            raise _wrong(
                "limits", "exempt_networks", network, 'networks like "192.168.1.0/24" or "::1/128"'
            ) from None
    if limits.pending_bytes > limits.pending_at_once_bytes:
        allowed = f"at most pending_at_once_bytes, which is {limits.pending_at_once_bytes}"
        raise _wrong("limits", "pending_bytes", limits.pending_bytes, allowed)
    if re.search(r"[\x00-\x09\x0b-\x1f\x7f]", motd):
        raise _wrong("server", "motd", motd, "no control characters other than line ends")
    lines = motd.splitlines()
    if len(lines) > MOTD_LINES or any(len(line.encode()) > MOTD_LINE_BYTES for line in lines):
        raise _wrong("server", "motd", motd, f"at most {MOTD_LINES} lines of {MOTD_LINE_BYTES} bytes each")
    if len(config.lobby.room.encode()) > 64:
        raise _wrong("lobby", "room", config.lobby.room, "at most 63 bytes after the #")


PATTERNS = {
    HOST_LIKE: "letters, digits, dots and hyphens",
    ADDRESS_OR_EMPTY: '"", or a host name or address, perhaps with :PORT; IPv6 as [ADDRESS]:PORT',
    HOST_OR_EMPTY: '"", or letters, digits, dots, hyphens, underscores and slashes',
    ROOM_OR_EMPTY: '"", or # and a name of at most 30 characters without spaces or , : * ? ! @ #',
    NO_SPACE: "letters, digits and signs of ASCII without spaces",
}


def _allowed(kind: msgspec.inspect.Type) -> str:
    """What a value may be, in words."""
    match kind:
        case msgspec.inspect.Metadata():
            return _allowed(kind.type)
        case msgspec.inspect.BoolType():
            return "true or false"
        case msgspec.inspect.LiteralType():
            return " or ".join(map(toml, sorted(kind.values, key=str)))
        case msgspec.inspect.IntType() | msgspec.inspect.FloatType():
            noun = "a whole number" if isinstance(kind, msgspec.inspect.IntType) else "a number"
            least = f"above {kind.gt}" if kind.gt is not None else f"from {kind.ge}"
            return f"{noun} {least} to {kind.le}"
        case msgspec.inspect.StrType():
            bound = f", at most {kind.max_length} characters" if kind.max_length else ""
            return PATTERNS.get(kind.pattern or "", "text") + bound
        case _:
            return 'a list of networks like "192.168.1.0/24"'


def _description(kind: msgspec.inspect.Type) -> str:
    assert isinstance(kind, msgspec.inspect.Metadata)
    return str((kind.extra_json_schema or {})["description"])
