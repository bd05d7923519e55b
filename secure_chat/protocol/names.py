"""Names of accounts and rooms: which are allowed, and when two are the same (RFC 8265)."""

from __future__ import annotations

from functools import lru_cache

from precis_i18n import get_profile

from secure_chat.errors import SecureChatError

NAME_LIMIT_CHARACTERS = 30
NAME_LIMIT_BYTES = 63
ROOM_NAME_LIMIT_CHARACTERS = 30
ROOM_NAME_LIMIT_BYTES = 63
USER_LIMIT_CHARACTERS = 10
ROOM_PREFIX = "#"

# What has a meaning of its own in IRC: separators, prefixes, masks, statuses, mentions of several.
_SPECIAL = frozenset(" ,*?!@.:#&+%~$/=\"'<>;\\")
_PRESERVED = get_profile("UsernameCasePreserved")
_MAPPED = get_profile("UsernameCaseMapped")

RESERVED_NAMES = frozenset(
    {"server", "system", "everyone", "all", "here", "channel"}
    | {"nickserv", "chanserv", "operserv", "memoserv"}
    | {"сервер", "система", "все"}
)
"""Folds of names that would be taken for the program, or for everybody: no new account gets one."""


class InvalidName(SecureChatError):
    """The name cannot be one; the text says which character or rule is in the way."""


@lru_cache(maxsize=4096)
def check_account_name(name: str) -> str:
    """The spelling to store for an account's name (width and composition normalised). Raises InvalidName."""
    stored = _check(name, "A name", _SPECIAL, NAME_LIMIT_CHARACTERS, NAME_LIMIT_BYTES)
    if stored.startswith("-") or stored[0].isdigit():
        text = "A name cannot begin with a digit or '-'"
        raise InvalidName(text)
    return stored


def check_new_account_name(name: str) -> str:
    """The same, for an account that is to be made. Raises InvalidName."""
    stored = check_account_name(name)
    if fold(stored) in RESERVED_NAMES:
        raise InvalidName(f"The name {stored} is reserved")
    return stored


@lru_cache(maxsize=4096)
def check_room_name(name: str) -> str:
    """The spelling to store for a room's name, `#` included. Raises InvalidName."""
    if not name.startswith(ROOM_PREFIX):
        text = f"A room's name begins with {ROOM_PREFIX}"
        raise InvalidName(text)
    special = _SPECIAL - frozenset(".+&'")
    return ROOM_PREFIX + _check(
        name[1:], "A room's name", special, ROOM_NAME_LIMIT_CHARACTERS, ROOM_NAME_LIMIT_BYTES
    )


@lru_cache(maxsize=8192)
def fold(name: str) -> str:
    """What two spellings of one name have in common: equal folds are one account, or one room.

    Of a string that cannot be a name it gives something that equals no name's fold, and never raises.
    """
    prefix, rest = (ROOM_PREFIX, name[1:]) if name.startswith(ROOM_PREFIX) else ("", name)
    try:
        return prefix + str(_MAPPED.enforce(rest))
    except UnicodeEncodeError:
        return f" {name}"


def is_room(name: str) -> bool:
    """Whether a target names a room rather than a person."""
    return name.startswith(ROOM_PREFIX)


def _check(name: str, what: str, special: frozenset[str], limit_characters: int, limit_bytes: int) -> str:
    _refuse_special(name, what, special)
    try:
        stored = str(_PRESERVED.enforce(name))
        _MAPPED.enforce(name)
    except UnicodeEncodeError as error:
        raise InvalidName(f"{what} {_reason(error)}") from None
    # Again: normalising makes a `!` of a full-width one.
    _refuse_special(stored, what, special)
    if len(stored) > limit_characters or len(stored.encode()) > limit_bytes:
        text = f"{what} can have at most {limit_characters} characters and {limit_bytes} bytes"
        raise InvalidName(text)
    return stored


def _refuse_special(name: str, what: str, special: frozenset[str]) -> None:
    for character in name:
        if character in special or ord(character) < 32:
            shown = "a space" if character == " " else ascii(character)
            text = f"{what} cannot have {shown} in it"
            raise InvalidName(text)


def _reason(error: UnicodeEncodeError) -> str:
    """A PRECIS error in words."""
    kind = error.reason.partition("/")[2]
    if kind == "empty":
        return "cannot be empty"
    if kind == "bidi_rule":
        return "cannot mix directions of writing like this"
    return f"cannot have {ascii(error.object[error.start : error.end])} in it"
