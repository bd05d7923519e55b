"""/search and /goto."""

from __future__ import annotations

from tests.client.talk import Talk, words

BOB = "bob!chat@stub.example"


def searched(talk: Talk, line: str) -> str:
    """What is sent for a typed line."""
    (message,) = [message for message in talk.type(line) if message.command == "SEARCH"]
    return message.params[0]


def test_what_is_asked() -> None:
    talk = Talk().log_in("#tea")
    assert searched(talk, "/search kettle") == "text=kettle;limit=50"
    assert searched(talk, '/search from:Bob in:#tea "black tea" ket*') == (
        'from=Bob;in=#tea;text="black\\stea"\\sket*;limit=50'
    )
    assert searched(talk, "/search after:2026-11-20 in:bob a;b").startswith("after=2026-11-")
    assert searched(talk, "/search from:bob") == "from=bob;limit=50"
    talk.texts()
    for rest in ("", "after:soon tea", "in:#a,b tea", "from:1 tea"):
        assert not [message for message in talk.type(f"/search {rest}") if message.command == "SEARCH"]
    assert len(talk.texts()) == 4


def test_what_is_found_is_numbered_and_can_be_looked_around_at() -> None:
    talk = Talk().log_in("#tea")
    talk.texts()
    talk.type("/search kettle")
    talk.server(
        "@label=9 :stub BATCH +s soju.im/search",
        f"@batch=s;msgid=m1;time=2026-11-20T10:00:00.000Z :{BOB} PRIVMSG #tea :kettle one",
        f"@batch=s;msgid=m2;time=2026-11-20T11:00:00.000Z :{BOB} PRIVMSG ivan :kettle two",
        ":stub BATCH -s",
    )
    assert talk.texts() == [
        "number 2:",
        "kettle one",
        "number 1:",
        "kettle two",
        "/goto NUMBER shows what was said around it.",
    ]
    assert words(talk.type("/goto 2"))[-1] == "CHATHISTORY AROUND #tea msgid=m1 20"
    assert words(talk.type("/goto 1"))[-1] == "CHATHISTORY AROUND bob msgid=m2 20"
    talk.texts()
    for line in ("/goto 3", "/goto 0", "/goto x"):
        assert talk.type(line) == []
    assert [text[:11] for text in talk.texts()] == ["There is no"] * 3
    # Found again it is not new, and a live message of that id is shown all the same.
    talk.server(f"@msgid=m1 :{BOB} PRIVMSG #tea :kettle one")
    assert talk.texts() == ["kettle one"]


def test_nothing_found() -> None:
    talk = Talk().log_in("#tea")
    talk.texts()
    talk.type("/search kettle")
    talk.server("@label=9 :stub BATCH +s soju.im/search", ":stub BATCH -s")
    assert talk.texts() == ["Nothing was found."]


def test_a_server_that_cannot_search() -> None:
    talk = Talk(capabilities="sasl echo-message labeled-response batch message-tags").log_in("#tea")
    talk.texts()
    assert talk.type("/search kettle") == []
    assert talk.texts() == ["This server cannot search."]
