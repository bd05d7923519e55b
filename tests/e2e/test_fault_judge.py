"""The judge of the faults notices each way in which the promise can be broken."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from tests.e2e.fault_judge import Kept, Log, Post, Seen, faults

POSTS = [Post(f"m{number}", "ann", f"ann-{number}") for number in range(4)]
pytestmark = pytest.mark.once
Break = Callable[[list[Seen], Kept, Log], object]


def judged(broken: Break) -> list[str]:
    """A log and a store that agree, but for what `broken` does to them."""
    shown, kept = [Seen(post) for post in POSTS], Kept(list(POSTS), [1, 2, 3, 4, 5])
    log = Log("ann", [post.text for post in POSTS], [shown])
    broken(shown, kept, log)
    return faults([log], kept)


@pytest.mark.parametrize(
    ("broken", "words"),
    [
        (lambda shown, kept, log: kept.posts.pop(), ["shown what is not kept", "sent what is not kept"]),
        (lambda shown, kept, log: kept.posts.insert(1, POSTS[0]), ["twice by msgid", "twice by text"]),
        (lambda shown, kept, log: kept.posts.append(Post("m9", "ann", "ann-0")), ["twice by text"]),
        (lambda shown, kept, log: kept.sequences.remove(3), ["2 and then 4"]),
        (lambda shown, kept, log: kept.sequences.remove(1), ["0 and then 2"]),
        (lambda shown, kept, log: kept.sequences.insert(2, 2), ["2 and then 2"]),
        (lambda shown, kept, log: kept.posts.reverse(), ["in another order"]),
        (lambda shown, kept, log: shown.append(Seen(POSTS[0], again=True)), ["shown twice"]),
        (lambda shown, kept, log: shown.append(shown.pop(1)), ["in another order"]),
        (lambda shown, kept, log: shown.pop(1), ["no echo", "not shown in between: 1, such as 1"]),
        (lambda shown, kept, log: log.posted.append("ann-9"), ["no echo", "sent what is not kept"]),
    ],
)
def test_a_broken_promise_is_noticed(broken: Break, words: list[str]) -> None:
    found = judged(broken)
    assert len(found) == len(words)
    for fault, expected in zip(found, words, strict=True):
        assert expected in fault


def test_a_promise_that_was_kept_is_not_blamed() -> None:
    assert judged(lambda shown, kept, log: None) == []
    # Somebody who came later, and an echo of what was sent again.
    assert judged(lambda shown, kept, log: log.connections.append(shown[2:])) == []
    assert judged(lambda shown, kept, log: log.connections.append([Seen(POSTS[0], again=True), shown[3]])) == []
