"""One-time codes: made, looked up, revoked; and the link that carries one to somebody."""

from __future__ import annotations

from dataclasses import replace
from urllib.parse import quote

from secure_chat.chat.accounts import Account
from secure_chat.chat.codes import CODES_LIMIT, Code, Purpose
from secure_chat.chat.deliveries import HashPassword
from secure_chat.chat.effects import CodeGone, CodeSet, LoginFailed
from secure_chat.chat.errors import CommandError
from secure_chat.chat.sessions import Application
from secure_chat.chat.settings import RegistrationMode
from secure_chat.commands.context import Context
from secure_chat.protocol.codes import digest_of
from secure_chat.protocol.message import Secret
from secure_chat.protocol.names import fold

CODE_FOLDED = " code"
"""Stands for a name where wrong codes of an address are counted; no name folds to it."""
ID_CHARACTERS = 8
NAME_IN_LINK_BYTES = 100
NEW_ACCOUNTS = frozenset({Purpose.OWNER, Purpose.INVITATION})


def make_code(
    ctx: Context,
    purpose: Purpose,
    made_by: str,
    seconds: int,
    *,
    uses: int = 1,
    name: str = "",
    account: Account | None = None,
    room_id: int | None = None,
) -> tuple[Code, Secret]:
    """A new code, and the code itself, which is kept nowhere. Raises CommandError."""
    if len(ctx.hub.codes) >= CODES_LIMIT:
        _forget_a_dead_one(ctx)
    secret = ctx.ids.code()
    digest = digest_of(secret.reveal())
    assert digest is not None
    code = Code(
        digest,
        # Not of the code itself: what lists show must not tell anything of it.
        f"{ctx.ids.number() % 16**ID_CHARACTERS:0{ID_CHARACTERS}x}",
        purpose,
        made_by,
        ctx.now_us,
        ctx.now_us + seconds * 1_000_000,
        uses,
        uses,
        name,
        account.id if account is not None else None,
        room_id,
    )
    ctx.add(CodeSet(code))
    return code, secret


def _forget_a_dead_one(ctx: Context) -> None:
    """Make room for a code, or who makes and revokes them all day keeps others from it. Raises CommandError."""
    dead = [code for code in ctx.hub.codes.values() if code.trouble(ctx.now_us)]
    if not dead:
        text = f"There are {CODES_LIMIT} codes already; revoke some first, or wait until some expire"
        raise CommandError(text, code="TOO_MANY_CODES")
    ctx.add(CodeGone(min(dead, key=lambda code: code.made_us).digest))


def link_to(ctx: Context, secret: Secret, name: str = "") -> Secret:
    """`secure-chat://HOST:PORT/?pin=…&name=…#CODE`. Raises CommandError where people could not reach the server."""
    reach = ctx.settings.reach
    if reach.trouble:
        raise CommandError(reach.trouble, code="NO_ADDRESS")
    # In the alphabet for links; the client takes both. A name is a help to whoever comes, and is asked for else: a
    # long one in another script than Latin, three times as long in a link, would not fit into a line of the chat.
    fits = len(quote(name)) <= NAME_IN_LINK_BYTES
    pairs = {"pin": reach.pin.replace("+", "-").replace("/", "_"), "name": name if fits else ""}
    query = "&".join(f"{key}={quote(value, safe=':')}" for key, value in pairs.items() if value)
    return Secret(f"secure-chat://{reach.address}/{'?' if query else ''}{query}#{secret.reveal()}")


def look_up(ctx: Context, text: Secret, name: str) -> Code | str:
    """The code that somebody who wants to be called `name` has given, or what is wrong with it.

    A wrong one is counted against the session's address. Raises CommandError for an address that has to wait.
    """
    session = ctx.session
    wait = ctx.hub.throttle.wait_seconds(session.address, CODE_FOLDED, ctx.now_us, known=False)
    if wait and not session.exempt:
        raise CommandError(f"Too many wrong codes; try again in {wait} s", code="TRY_AGAIN_LATER")
    found = usable_code(ctx, text, name)
    if isinstance(found, str) and digest_of(text.reveal()) is not None:
        ctx.add(LoginFailed(session.address, CODE_FOLDED, ctx.now_us))
        ctx.log("code refused", session=session.id, address=session.address, reason=found)
    return found


def usable_code(ctx: Context, text: Secret, name: str) -> Code | str:
    """The same, without counting."""
    digest = digest_of(text.reveal())
    if digest is None:
        return "This code is mistyped: a character is missing or wrong"
    code = ctx.hub.codes.get(digest)
    if code is None:
        return "There is no such code"
    return trouble_with(ctx, code, name) or code


def trouble_with(ctx: Context, code: Code, name: str) -> str:
    """Why somebody of this name cannot use the code now; "" where it can be used."""
    trouble = code.trouble(ctx.now_us)
    if trouble:
        return trouble
    match code.purpose:
        case Purpose.OWNER if ctx.hub.has_administrator:
            return "This server has an administrator already"
        case Purpose.INVITATION if ctx.settings.registration is RegistrationMode.CLOSED:
            return "Registration is closed on this server"
        case Purpose.INVITATION if code.name and fold(code.name) != fold(name):
            return f"This code is for {code.name}"
        case Purpose.RESET | Purpose.RECOVERY:
            account = ctx.hub.account_named(name)
            if account is None or account.id != code.account_id:
                return "This code is for another name"
            if not account.usable:
                return "This account cannot be used now"
    return ""


def ask_for_hash(ctx: Context, purpose: str, application: Application) -> None:
    """Have the password of somebody with a valid code hashed; `purpose` is the command it came with."""
    ctx.change_session(waiting=True, application=application)
    ctx.add(HashPassword(ctx.session.id, purpose, ctx.session.address, application.password, ctx.label))


def revoke_code(ctx: Context, code: Code) -> None:
    """It can no longer be used."""
    ctx.add(CodeSet(replace(code, revoked=True)))


def code_of_id(ctx: Context, number: str, purpose: Purpose) -> Code:
    """The code that lists show as `number`. Raises CommandError."""
    for code in ctx.hub.codes_of(purpose):
        if code.id == number.lower():
            return code
    text = f"There is no invitation {number}"
    raise CommandError(text, code="NO_SUCH_INVITATION", params=(number,))
