"""The link that an invitation is: `secure-chat://HOST:PORT/?pin=…&name=…#CODE`."""

from __future__ import annotations

from dataclasses import dataclass, field
from urllib.parse import parse_qs, unquote, urlsplit

from secure_chat.client.address import Address, BadAddress, parse_address
from secure_chat.client.fingerprint import check_fingerprint
from secure_chat.client.texts import _
from secure_chat.protocol.codes import digest_of
from secure_chat.protocol.message import Secret

SCHEME = "secure-chat://"
LINK_LIMIT_CHARACTERS = 2_000


@dataclass(frozen=True, slots=True)
class Invitation:
    """Where to go, which key the server has ("" where the system vouches for it), a code, and perhaps for whom."""

    address: Address
    fingerprint: str
    name: str
    code: Secret = field(repr=False)


def is_link(text: str) -> bool:
    """Whether this is meant to be a link of ours."""
    return text.strip().lower().startswith(SCHEME)


def parse_link(text: str) -> Invitation:
    """Parse a link, as it was pasted. Raises BadAddress, which never repeats the code."""
    text = "".join(text.split())
    broken = _("This link is not whole. Copy all of it, from secure-chat:// to the last letter.")
    if len(text) > LINK_LIMIT_CHARACTERS:
        raise BadAddress(broken)
    try:
        parts = urlsplit(text)
        fields = parse_qs(parts.query)
        pin = fields.get("pin", [""])[0].replace("-", "+").replace("_", "/").replace(" ", "+")
        fingerprint = check_fingerprint(pin) if pin else ""
    except ValueError:
        raise BadAddress(broken) from None
    code = Secret(unquote(parts.fragment))
    if not parts.netloc or digest_of(code.reveal()) is None:
        raise BadAddress(broken)
    return Invitation(parse_address(parts.netloc), fingerprint, fields.get("name", [""])[0], code)
