"""Messages: parsing, writing, and what cannot be one."""

from __future__ import annotations

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from secure_chat.errors import ProtocolError
from secure_chat.protocol.message import (
    InvalidUtf8,
    MalformedMessage,
    Message,
    Secret,
    encode_tags,
    escape_tag_value,
    parse,
    unescape_tag_value,
)
from tests.protocol.strategies import MESSAGES, TAG_VALUE


@given(MESSAGES)
@example(Message("PING", ("",)))
@example(Message("PING", ("a", ":b")))
def test_what_is_written_is_read_again(message: Message) -> None:
    """parse(encode(m)) == m, and `body_bytes` is the length without tags."""
    line = message.encode()
    assert line.endswith(b"\r\n")
    assert parse(line[:-2]) == message
    assert message.body_bytes() == len(line) - len(message.tag_text().encode())


@given(st.binary(max_size=200))
def test_any_bytes_are_a_message_or_a_protocol_error(line: bytes) -> None:
    """And what is accepted can be written, and means the same then."""
    try:
        message = parse(line)
    except ProtocolError:
        return
    again = parse(message.encode()[:-2])
    assert again == message


@given(st.text(max_size=100))
def test_any_text_is_a_message_or_a_protocol_error(text: str) -> None:
    """Text gets further into the parser than bytes do."""
    try:
        parse(text.encode(errors="surrogatepass"))
    except ProtocolError:
        return


@given(TAG_VALUE)
def test_tag_values_survive_escaping(value: str) -> None:
    """And nothing that would end a tag is left in them."""
    escaped = escape_tag_value(value)
    assert unescape_tag_value(escaped) == value
    assert not set(escaped) & set("; \r\n")


@pytest.mark.parametrize(
    ("escaped", "value"),
    [(r"a\:b\sc\\d\re\nf", "a;b c\\d\re\nf"), (r"test\b", "testb"), ("test\\", "test"), ("plain", "plain")],
)
def test_unescaping(escaped: str, value: str) -> None:
    """`message-tags`, "Escaping values"."""
    assert unescape_tag_value(escaped) == value


def test_of_a_tag_given_twice_the_last_counts() -> None:
    """`message-tags`, "Format"; empty keys are passed over."""
    message = parse(b"@a=1;;=x;b;a=2 PING")
    assert dict(message.tags) == {"b": "", "a": "2"}


@pytest.mark.parametrize("line", [b"PING \xff", b"\xc3\x28", b"PING \xed\xa0\x80"])
def test_what_is_not_utf8_is_refused(line: bytes) -> None:
    """IRCv3 `utf8only`."""
    with pytest.raises(InvalidUtf8):
        parse(line)


@pytest.mark.parametrize(
    "line",
    [
        b"",
        b" ",
        b"@a=b",
        b"@a=b ",
        b":source",
        b":source ",
        b"PING a\x00b",
        b"PING a\rb",
        b"12 x",
        b"1234 x",
        b"P-NG",
        b"@a,b=c PING",
        b"@+ PING",
        b"\xd0\x9f PING",
    ],
)
def test_what_has_no_such_form_is_malformed(line: bytes) -> None:
    """And says what is wrong without repeating it."""
    with pytest.raises(MalformedMessage, match="a message cannot have such"):
        parse(line)


@pytest.mark.parametrize(
    ("command", "params", "source", "tags"),
    [
        ("", (), None, {}),
        ("PI NG", (), None, {}),
        ("PING", ("a b", "c"), None, {}),
        ("PING", ("", "c"), None, {}),
        ("PING", (":a", "c"), None, {}),
        ("PING", ("a\r",), None, {}),
        ("PING", ("a\n",), None, {}),
        ("PING", ("a\0",), None, {}),
        ("PING", (), "a b", {}),
        ("PING", (), "", {}),
        ("PING", (), None, {"a b": "x"}),
        ("PING", (), None, {"": "x"}),
        ("PING", (), None, {"a": "\0"}),
    ],
)
def test_a_message_that_cannot_be_is_not_built(
    command: str, params: tuple[str, ...], source: str | None, tags: dict[str, str]
) -> None:
    """A bad value cannot be built."""
    with pytest.raises(ValueError, match="a message cannot have such"):
        Message(command, params, source, tags)


def test_nick() -> None:
    """The nick in the source; a server's whole name; "" without a source."""
    assert Message("PING", (), "alice!al@host").nick == "alice"
    assert Message("PING", (), "chat.test").nick == "chat.test"
    assert Message("PING").nick == ""
    assert encode_tags({}) == ""


@pytest.mark.parametrize("command", ["AUTHENTICATE", "PASS", "OPER", "REGISTER", "VERIFY", "PASSWORD", "pass"])
def test_passwords_are_not_shown(command: str) -> None:
    """Not by repr, str or a format; but they are sent."""
    message = parse(f"{command} hunter2 :hunter2 hunter2".encode())
    for param in message.params:
        assert isinstance(param, Secret)
        assert "hunter2" in param.reveal()
    assert "hunter2" not in f"{message!r} {message.params[0]} {message.params[1]:>10} {message.params}" + str(
        message.params[0]
    )
    assert message.encode() == f"{command.upper()} hunter2 :hunter2 hunter2\r\n".encode()
