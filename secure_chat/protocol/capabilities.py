"""Capabilities (IRCv3 "Capability Negotiation") and what each changes on the wire."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from enum import IntFlag, StrEnum
from functools import lru_cache


class Capability(StrEnum):
    """A capability this server offers, by its name on the wire."""

    ACCOUNT_TAG = "account-tag"
    ACCOUNT_REGISTRATION = "draft/account-registration"
    BATCH = "batch"
    CAP_NOTIFY = "cap-notify"
    CHATHISTORY = "draft/chathistory"
    EVENT_PLAYBACK = "draft/event-playback"
    READ_MARKER = "draft/read-marker"
    ECHO_MESSAGE = "echo-message"
    EXTENDED_JOIN = "extended-join"
    LABELED_RESPONSE = "labeled-response"
    MESSAGE_TAGS = "message-tags"
    MULTI_PREFIX = "multi-prefix"
    SASL = "sasl"
    SERVER_TIME = "server-time"
    STANDARD_REPLIES = "standard-replies"
    SEARCH = "soju.im/search"
    SELF_MESSAGE = "znc.in/self-message"
    POST_ID = "secure-chat.internal/post-id"
    ACCOUNT_REQUIRED = "soju.im/account-required"
    OWNER_CODE = "secure-chat.internal/owner-code"


DESCRIPTIONS: Mapping[Capability, str] = {
    Capability.ACCOUNT_TAG: "Messages of people carry their account's name.",
    Capability.ACCOUNT_REGISTRATION: "REGISTER and VERIFY; not shown where registration is closed.",
    Capability.BATCH: "Several lines that belong together are marked as one batch.",
    Capability.CAP_NOTIFY: "The client is told when capabilities come and go.",
    Capability.CHATHISTORY: "CHATHISTORY gives what was said before.",
    Capability.EVENT_PLAYBACK: "History also has joins, leaves, topics and modes.",
    Capability.READ_MARKER: "MARKREAD: up to where one has read, shared by all one's devices.",
    Capability.ECHO_MESSAGE: "The sender gets its own message back, once it is on disk.",
    Capability.EXTENDED_JOIN: "JOIN carries account and real name.",
    Capability.LABELED_RESPONSE: "Answers carry the label of the command they answer.",
    Capability.MESSAGE_TAGS: "Tags, TAGMSG, and `msgid` on every message.",
    Capability.MULTI_PREFIX: "NAMES and WHO show all the prefixes of a member.",
    Capability.SASL: "Logging in, with PLAIN.",
    Capability.SERVER_TIME: "Messages carry the time at which the server took them.",
    Capability.STANDARD_REPLIES: "FAIL, WARN and NOTE also where a numeric would do.",
    Capability.SEARCH: "SEARCH finds words in what was said.",
    Capability.SELF_MESSAGE: "Private messages sent by one's other devices are shown here too.",
    Capability.POST_ID: "A post may carry an id made by the client: repeated, it is not posted twice.",
    Capability.ACCOUNT_REQUIRED: "Only tells that nobody gets in without an account; cannot be requested.",
    Capability.OWNER_CODE: "Only tells that there is no administrator yet; the owner code makes the first.",
}

INFORMATIONAL = frozenset({Capability.ACCOUNT_REQUIRED, Capability.OWNER_CODE})
"""Shown in LS, never acknowledged."""

VALUES: Mapping[Capability, str] = {
    Capability.SASL: "PLAIN",
    Capability.ACCOUNT_REGISTRATION: "before-connect,custom-account-name",
}
"""Values shown to clients that speak version 302."""

POST_ID_TAG = "secure-chat.internal/post-id"


class Profile(IntFlag):
    """What of a relayed message a session sees: sessions of equal profile get equal bytes."""

    NONE = 0
    TAGS = 1
    TIME = 2
    ACCOUNT = 4
    EXTENDED_JOIN = 8


_PROFILE_OF = {
    Capability.MESSAGE_TAGS: Profile.TAGS,
    Capability.SERVER_TIME: Profile.TIME,
    Capability.ACCOUNT_TAG: Profile.ACCOUNT,
    Capability.EXTENDED_JOIN: Profile.EXTENDED_JOIN,
}


@lru_cache(maxsize=1024)
def profile_of(capabilities: frozenset[Capability]) -> Profile:
    """The profile of a session with these capabilities."""
    profile = Profile.NONE
    for capability in capabilities:
        profile |= _PROFILE_OF.get(capability, Profile.NONE)
    return profile


def advertise(version: int, without: frozenset[Capability] = frozenset()) -> list[str]:
    """The words of a CAP LS reply, for a client that speaks this version (301 or 302)."""
    return [
        f"{capability}={VALUES[capability]}" if version >= 302 and capability in VALUES else str(capability)
        for capability in sorted(Capability)
        if (version >= 302 or capability not in INFORMATIONAL) and capability not in without
    ]


def parse_request(words: Iterable[str], held: frozenset[Capability]) -> frozenset[Capability] | None:
    """What a session that holds `held` would hold after CAP REQ of these words.

    A word with `-` removes. None where the request must be refused as a whole ("The CAP REQ subcommand").
    """
    wanted = set(held)
    for word in words:
        name = word.removeprefix("-")
        try:
            capability = Capability(name)
        except ValueError:
            return None
        if capability in INFORMATIONAL:
            return None
        if word.startswith("-"):
            wanted.discard(capability)
        else:
            wanted.add(capability)
    return frozenset(wanted)
