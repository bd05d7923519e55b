"""SASL PLAIN: chunks, payloads, identities."""

from __future__ import annotations

import base64

import pytest
from hypothesis import given
from hypothesis import strategies as st

from secure_chat.errors import ProtocolError
from secure_chat.protocol.message import Secret
from secure_chat.protocol.sasl import (
    CHUNK_BYTES,
    Chunks,
    Credentials,
    Identity,
    SaslError,
    SaslTooLong,
    encode_chunks,
    encode_plain,
    parse_identity,
    parse_pass,
    parse_plain,
)


def gathered(chunks: list[str]) -> bytes:
    """The payload of these chunks, of which only the last ends it."""
    state: Chunks | bytes = Chunks()
    for chunk in chunks:
        assert isinstance(state, Chunks)
        state = state.add(Secret(chunk))
    assert isinstance(state, bytes)
    return state


@given(st.binary(max_size=1200) | st.integers(298, 302).map(bytes))
def test_what_is_cut_is_put_together(payload: bytes) -> None:
    """Chunks of 400; a full last one is followed by `+`."""
    chunks = encode_chunks(payload)
    assert all(len(chunk) == CHUNK_BYTES for chunk in chunks[:-1])
    assert len(chunks[-1]) < CHUNK_BYTES
    assert gathered(chunks) == payload


NAMES = st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"]), min_size=1, max_size=20)


@given(NAMES, NAMES)
def test_plain_round_trip(identity: str, password: str) -> None:
    """What our client sends is what the server reads."""
    credentials = parse_plain(gathered(encode_plain(identity, password)))
    assert credentials.identity == identity
    assert credentials.password.reveal() == password


@given(st.binary(max_size=60), st.text(max_size=50))
def test_rubbish_is_an_error_of_the_protocol(payload: bytes, chunk: str) -> None:
    """Nothing else is raised."""
    try:
        parse_plain(payload)
        Chunks().add(chunk)
    except ProtocolError:
        return


@pytest.mark.parametrize(
    "payload",
    [b"", b"alice", b"\0alice", b"\0\0pw", b"\0alice\0", b"bob\0alice\0pw", b"\0a\0b\0c", b"\0al\xff\0pw"],
)
def test_what_is_not_plain(payload: bytes) -> None:
    """RFC 4616, section 2; nobody acts for somebody else."""
    with pytest.raises(SaslError):
        parse_plain(payload)


def test_limits() -> None:
    """905 has an error of its own."""
    with pytest.raises(SaslTooLong):
        Chunks().add("A" * 401)
    with pytest.raises(SaslTooLong):
        gathered(["A" * 400] * 11)
    with pytest.raises(SaslTooLong):
        parse_plain(b"\0alice\0" + b"x" * 1025)
    with pytest.raises(SaslError, match="base64"):
        Chunks().add("!!!")


def test_nothing_shows_the_password() -> None:
    """Not even half of it."""
    half = Chunks().add(base64.b64encode(b"\0alice\0hunter2" + b"x" * 400).decode()[:400])
    assert repr(half) == "Chunks()"
    assert "hunter2" not in repr(Credentials("alice", Secret("hunter2")))
    assert "K7Q9" not in repr(Credentials("alice/invite=K7Q9", Secret("hunter2")))


def test_pass() -> None:
    """`account:password`; the password may have colons."""
    credentials = parse_pass(Secret("alice:a:b"))
    assert (credentials.identity, credentials.password.reveal()) == ("alice", "a:b")
    for text in ("alice", ":pw", "alice:", ""):
        with pytest.raises(SaslError):
            parse_pass(Secret(text))


def test_identity() -> None:
    """`alice@laptop` names a device, `/invite=` carries a code."""
    assert parse_identity("alice@laptop") == Identity("alice", "laptop")
    assert parse_identity("alice") == Identity("alice")
    assert parse_identity("alice@") == Identity("alice")
    assert parse_identity("alice/invite=AB-12") == Identity("alice", None, Secret("AB-12"))
    assert parse_identity("alice@laptop/invite=AB") == Identity("alice", "laptop", Secret("AB"))
    assert parse_identity("alice/libera") == Identity("alice")
    assert "AB-12" not in repr(parse_identity("alice/invite=AB-12"))
