"""SEARCH: finding words in what was said (soju.im/search)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from secure_chat.chat.deliveries import ReadHistory
from secure_chat.chat.errors import CommandError
from secure_chat.chat.history import SearchQuery
from secure_chat.commands.context import Context
from secure_chat.commands.history import no_such_target, place_of, time_ms_of
from secure_chat.commands.registry import Weight, command
from secure_chat.protocol.capabilities import Capability
from secure_chat.protocol.names import fold
from secure_chat.protocol.numerics import Numeric
from secure_chat.protocol.search import InvalidSearch, parse_attributes, parse_terms

NAME = "SEARCH"
SELECTORS = {"in", "from", "after", "before"}
"""What may stand alone, without any text."""


@command(NAME, usage="SEARCH <text=words;in=target;from=name;after=time;before=time;limit=n>", weight=Weight.SEARCH)
def search(ctx: Context, attributes: str = "") -> None:
    """Find messages with all these words, "phrases" and prefix* in them: the first from `after` on, or the last."""
    if not ctx.session.has(Capability.SEARCH):
        raise CommandError("Unknown command", Numeric.ERR_UNKNOWNCOMMAND, (NAME,))
    query = _query(ctx, parse_attributes(attributes))
    batch = ctx.session.has(Capability.BATCH)
    ctx.change_session(waiting=True)
    ctx.add(ReadHistory(ctx.session.id, query, ctx.session.profile, batch, ctx.label))


def _query(ctx: Context, given: Mapping[str, str]) -> SearchQuery:
    try:
        terms = () if "text" not in given and given.keys() & SELECTORS else parse_terms(given.get("text", ""))
    except InvalidSearch as error:
        raise _invalid(str(error), "text") from None
    limit = given.get("limit", str(ctx.settings.search_messages))
    if not (limit.isascii() and limit.isdigit() and len(limit) < 10 and int(limit)):
        raise _invalid("The limit is a number of messages", "limit")
    query = SearchQuery(ctx.account.id, terms, min(int(limit), ctx.settings.search_messages))
    if "in" in given:
        place, target = place_of(ctx, NAME, given["in"])
        query = replace(query, place=place, target=target)
    if "from" in given:
        sender_id = ctx.hub.account_ids.get(fold(given["from"]))
        if sender_id is None:
            raise no_such_target(NAME, given["from"])
        query = replace(query, sender_id=sender_id)
    times = {key: _time(given[key], key) for key in ("after", "before") if key in given}
    return replace(query, after_ms=times.get("after"), before_ms=times.get("before"))


def _time(text: str, key: str) -> int:
    time_ms = time_ms_of(text)
    if time_ms is None:
        raise _invalid("A time is YYYY-MM-DDThh:mm:ss.sssZ", key)
    return time_ms


def search_too_slow() -> CommandError:
    """There is too much to look through."""
    text = "This search takes too long; name a room, a person or a time"
    return CommandError(text, code="TOO_SLOW")


def _invalid(text: str, key: str) -> CommandError:
    return CommandError(text, code="INVALID_PARAMS", params=(key,))
