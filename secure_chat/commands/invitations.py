"""Invitations: who gets an account. INVITATION in the chat, and the same for the command line."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

from secure_chat.chat.codes import OWNER_SECONDS, Code, Purpose
from secure_chat.chat.effects import Audited, CodeGone
from secure_chat.chat.errors import CommandError
from secure_chat.chat.settings import Inviter, RegistrationMode
from secure_chat.commands.accounts import ACTOR, account_named, ensure_name_is_free
from secure_chat.commands.codes import code_of_id, link_to, make_code, revoke_code
from secure_chat.commands.context import Context
from secure_chat.commands.moderation import parse_duration
from secure_chat.commands.recovery import make_reset
from secure_chat.commands.registry import Weight, command, operation
from secure_chat.protocol.message import Secret
from secure_chat.protocol.names import fold
from secure_chat.protocol.relay import format_time

USES_LIMIT = 1_000
OPEN_PER_MEMBER = 20
"""People who may yet come by the open invitations of somebody who is no administrator."""
DEFAULT_EXPIRY = "7d"
PEOPLE_LIMIT = 500
"""People invited at once."""


@command(
    "INVITATION",
    min_params=1,
    usage="INVITATION <ADD [for=NAME] [uses=N] [expires=7d] [room=ROOM]|LIST|REVOKE ID>",
    weight=Weight.POST,
)
def invitation(ctx: Context, act: str, *words: str) -> None:
    """Invite somebody who has no account yet: make, list, revoke invitations."""
    _require_inviter(ctx)
    match act.upper():
        case "ADD":
            _add(ctx, _options(words))
        case "LIST":
            _list(ctx)
        case "REVOKE" if words:
            code = code_of_id(ctx, words[0], Purpose.INVITATION)
            if not _is_mine(ctx, code):
                ctx.require_administrator()
            _revoke(ctx, code, ctx.account.name)
            ctx.note("INVITATION", "REVOKED", f"The invitation {code.id} is revoked", code.id)
        case _:
            text = "INVITATION ADD [for=NAME] [uses=N] [expires=7d] [room=ROOM], LIST, or REVOKE ID"
            raise CommandError(text, code="INVALID_PARAMS")


def _is_mine(ctx: Context, code: Code) -> bool:
    """Whether the session's account made it, in whatever spelling of its name."""
    return fold(code.made_by) == ctx.account.folded


def _require_inviter(ctx: Context) -> None:
    if ctx.settings.inviter is not Inviter.EVERYONE:
        ctx.require_administrator()


def _options(words: tuple[str, ...]) -> dict[str, str]:
    options: dict[str, str] = {}
    for word in words:
        key, equals, value = word.partition("=")
        if not equals or key not in ("for", "uses", "expires", "room"):
            text = f"{word}: an invitation has for=NAME, uses=N, expires=7d, room=ROOM"
            raise CommandError(text, code="INVALID_PARAMS")
        options[key] = value
    return options


def _add(ctx: Context, options: Mapping[str, str]) -> None:
    people = sum(code.uses_left for code in open_invitations(ctx) if _is_mine(ctx, code))
    if people + _uses(options) > OPEN_PER_MEMBER and not ctx.account.administrator:
        text = f"Your open invitations are for {people} people; {OPEN_PER_MEMBER} is the most"
        raise CommandError(text, code="TOO_MANY_CODES")
    room_id = None
    if options.get("room"):
        room = ctx.room_of_member(options["room"])
        if room.has("i"):
            ctx.require_operator(room)
        room_id = room.id
    made, link = _invite(ctx, ctx.account.name, options.get("for", ""), options, room_id)
    who = made.name or "somebody"
    # The link stands there once: with a name of many letters in it the line is long.
    text = f"Give this to {who}; it is valid until {format_time(made.expires_us)}: {link.reveal()}"
    ctx.note("INVITATION", "LINK", text, made.id)


def _uses(options: Mapping[str, str]) -> int:
    """How many people may come by the invitation. Raises CommandError."""
    uses = options.get("uses") or "1"
    if not (uses.isascii() and uses.isdigit() and 0 < int(uses) <= USES_LIMIT):
        text = f"An invitation has 1 to {USES_LIMIT} uses, not {uses}"
        raise CommandError(text, code="INVALID_PARAMS")
    return int(uses)


def _invite(
    ctx: Context, actor: str, name: str, options: Mapping[str, str], room_id: int | None
) -> tuple[Code, Secret]:
    """An invitation, for `name` or for anybody, and the link to hand over. Raises CommandError."""
    if ctx.settings.registration is RegistrationMode.CLOSED:
        text = 'Registration is closed; set [registration] mode = "invite" to invite people'
        raise CommandError(text, code="REGISTRATION_CLOSED")
    uses = _uses(options)
    seconds = parse_duration(options.get("expires") or DEFAULT_EXPIRY)
    if not seconds:
        text = "An invitation is valid for a time such as 7d or 12h"
        raise CommandError(text, code="INVALID_DURATION")
    spelled = ensure_name_is_free(ctx, name) if name else ""
    made, secret = make_code(ctx, Purpose.INVITATION, actor, seconds, uses=uses, name=spelled, room_id=room_id)
    link = link_to(ctx, secret, spelled)
    ctx.add(Audited(actor, "invite", spelled or "anybody", f"{made.id}, {uses} uses", ctx.now_us))
    ctx.log("invite", actor=actor, invitation=made.id, uses=uses)
    return made, link


def open_invitations(ctx: Context) -> list[Code]:
    """Those that can still be used, the oldest first."""
    return [code for code in ctx.hub.codes_of(Purpose.INVITATION) if not code.trouble(ctx.now_us)]


def _list(ctx: Context) -> None:
    shown = open_invitations(ctx)
    if not ctx.account.administrator:
        shown = [code for code in shown if _is_mine(ctx, code)]
    for code in shown:
        text = f"{code.id}: for {code.name or 'anybody'}, {code.uses_left} of {code.uses} uses left, "
        text += f"until {format_time(code.expires_us)}, made by {code.made_by}"
        ctx.note("INVITATION", "OPEN", text, code.id)
    ctx.note("INVITATION", "END", f"{len(shown)} open invitations" if shown else "There is no open invitation")


def _revoke(ctx: Context, code: Code, actor: str) -> None:
    revoke_code(ctx, code)
    ctx.add(Audited(actor, "invite revoke", code.name or "anybody", code.id, ctx.now_us))
    ctx.log("invite revoke", actor=actor, invitation=code.id)


# For the command line


@operation("invite")
def invite(ctx: Context, request: dict[str, Any]) -> None:
    """One invitation for each name in `names` (or one for anybody): all, or none."""
    names = request.get("names") or [""]
    if not isinstance(names, list | tuple) or not all(isinstance(name, str) for name in names):
        raise CommandError("The names of a request invite are a list of texts")
    if len(names) > PEOPLE_LIMIT:
        text = f"At most {PEOPLE_LIMIT} people can be invited at once"
        raise CommandError(text)
    twice = [name for place, name in enumerate(names) if fold(name) in map(fold, names[:place])]
    if twice:
        text = f"{twice[0]} stands there twice; nothing was done"
        raise CommandError(text)
    room_id = None
    if request.get("room"):
        room = ctx.hub.room_named(str(request["room"]))
        if room is None:
            text = f"There is no room {request['room']}"
            raise CommandError(text)
        room_id = room.id
    options = {key: str(request[key]) for key in ("uses", "expires") if request.get(key)}
    made = [_invite(ctx, ACTOR, name, options, room_id) for name in names]
    ctx.answer["invitations"] = [
        {"id": code.id, "name": code.name, "link": link.reveal(), "expires": format_time(code.expires_us)}
        for code, link in made
    ]
    ctx.answer |= asdict(ctx.settings.reach)
    ctx.answer["network"] = ctx.settings.network


@operation("invite list")
def invite_list(ctx: Context, request: dict[str, Any]) -> None:
    """Open invitations; with `all` also those that are used, revoked or expired."""
    shown = ctx.hub.codes_of(Purpose.INVITATION) if request.get("all") else open_invitations(ctx)
    ctx.answer["invitations"] = [
        {
            "id": code.id,
            "name": code.name,
            "uses": code.uses,
            "uses_left": code.uses_left,
            "expires": format_time(code.expires_us),
            "made_by": code.made_by,
            "state": code.trouble(ctx.now_us) or "open",
        }
        for code in shown
    ]


@operation("invite revoke", "id")
def invite_revoke(ctx: Context, request: dict[str, Any]) -> None:
    """No longer let anybody in with an invitation."""
    code = code_of_id(ctx, request["id"], Purpose.INVITATION)
    _revoke(ctx, code, ACTOR)
    ctx.answer["id"] = code.id


@operation("user reset", "name")
def user_reset(ctx: Context, request: dict[str, Any]) -> None:
    """A link with which somebody sets a new password."""
    account = account_named(ctx, request["name"])
    secret, link = make_reset(ctx, account, ACTOR)
    ctx.answer |= {"name": account.name, "link": link.reveal(), "code": secret.reveal()}


@operation("owner known")
def owner_known(ctx: Context, _request: dict[str, Any]) -> None:
    """Whether there is an administrator."""
    ctx.answer["known"] = ctx.hub.has_administrator


@operation("owner code")
def owner_code(ctx: Context, _request: dict[str, Any]) -> None:
    """A code that makes the first administrator, in the place of any from before; none where there is one."""
    for code in ctx.hub.codes_of(Purpose.OWNER):
        ctx.add(CodeGone(code.digest))
    if ctx.hub.has_administrator:
        return
    made, secret = make_code(ctx, Purpose.OWNER, ACTOR, OWNER_SECONDS)
    ctx.answer |= {"code": secret.reveal(), "expires": format_time(made.expires_us)}
