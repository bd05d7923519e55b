"""What a new password has to be (design §6): length, and not the first guess; no rules of composition."""

from __future__ import annotations

import unicodedata
from functools import cache

from secure_chat.chat.settings import Settings
from secure_chat.errors import SecureChatError
from secure_chat.protocol.sasl import PASSWORD_LIMIT_BYTES, is_token

# People think of a word and type it on the other layout, or of a row of keys: «йцукенгш» is "qwertyui".
RUSSIAN_KEYS = str.maketrans("йцукенгшщзхъфывапролджэячсмитьбюё", "qwertyuiop[]asdfghjkl;'zxcvbnm,.`")


class WeakPassword(SecureChatError):
    """A new password cannot be accepted; the text says why. It never holds the password."""


def check_password(password: str, *, minimum_characters: int, refuse_common: bool, name: str) -> None:
    """Raise WeakPassword, saying why, unless `password` will do for the account `name`. Any thread.

    Only what helps is asked for (NIST SP 800-63B, 3.1.1.2): length, and not the first guess. The first call with
    `refuse_common` loads the list, which takes some 10 ms.
    """
    normal = unicodedata.normalize("NFC", password)
    if any(unicodedata.category(character) in {"Cc", "Cs"} for character in normal):
        text = "The password holds a control character. Use letters, digits, signs and spaces."
    elif len(normal.encode()) > PASSWORD_LIMIT_BYTES:
        text = f"The password is longer than {PASSWORD_LIMIT_BYTES} bytes. Choose a shorter one."
    elif len(normal) < minimum_characters:
        text = f"The password is shorter than {minimum_characters} characters. Some words in a row make a good one."
    elif is_token(normal):
        text = "The password looks like the token of a device. Choose another one."
    elif normal.casefold() == unicodedata.normalize("NFC", name).casefold():
        text = "The password is the account's name. Choose another one."
    elif refuse_common and _is_common(normal.casefold()):
        text = "The password is among the most common ones, which are guessed first. Choose another one."
    else:
        return
    raise WeakPassword(text)


def require_strong(settings: Settings, password: str, name: str) -> None:
    """Raises WeakPassword for what this server does not accept. Any thread."""
    check_password(
        password,
        minimum_characters=settings.minimum_characters,
        refuse_common=settings.refuse_common,
        name=name,
    )


def _is_common(folded: str) -> bool:
    return folded in _common() or folded.translate(RUSSIAN_KEYS) in _common()


@cache
def _common() -> frozenset[str]:
    from zxcvbn.frequency_lists import FREQUENCY_LISTS  # 1 MB of text: only where a password is chosen

    return frozenset(FREQUENCY_LISTS["passwords"])
