"""What Hypothesis draws in tests of the protocol."""

from __future__ import annotations

from hypothesis import strategies as st

from secure_chat.protocol.message import SECRET_COMMANDS, Message

TEXT = st.text(st.characters(exclude_characters="\r\n\0", exclude_categories=["Cs"]), max_size=40)
MIDDLE = TEXT.map(lambda text: text.replace(" ", "_").lstrip(":") or "x")
TAG_VALUE = st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"]), max_size=30)
TAG_KEY = st.from_regex(r"\+?([a-z0-9.-]+/)?[a-z0-9-]+", fullmatch=True)
COMMAND = st.one_of(
    st.from_regex(r"[A-Z]{1,10}", fullmatch=True).filter(lambda word: word not in SECRET_COMMANDS),
    st.from_regex(r"[0-9]{3}", fullmatch=True).filter(str.isascii),
)
PARAMS = st.tuples(st.lists(MIDDLE, max_size=5), st.lists(TEXT, max_size=1)).map(lambda two: (*two[0], *two[1]))
MESSAGES = st.builds(
    Message,
    COMMAND,
    PARAMS,
    st.none() | MIDDLE,
    st.dictionaries(TAG_KEY, TAG_VALUE, max_size=4),
)
