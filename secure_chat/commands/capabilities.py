"""CAP (IRCv3 "Capability Negotiation")."""

from __future__ import annotations

from secure_chat.chat.deliveries import Reprofile
from secure_chat.chat.errors import CommandError, need_more_params
from secure_chat.chat.settings import RegistrationMode
from secure_chat.chat.views import nick_of
from secure_chat.commands.context import Context
from secure_chat.commands.registry import Weight, command
from secure_chat.commands.welcome import complete_registration
from secure_chat.protocol.capabilities import Capability, advertise, parse_request
from secure_chat.protocol.message import Message
from secure_chat.protocol.numerics import Numeric


@command("CAP", min_params=1, usage="CAP <LS|LIST|REQ|END> [...]", before_login=True, weight=Weight.FREE)
def cap(ctx: Context, subcommand: str, argument: str | None = None) -> None:
    """Ask for capabilities: LS, LIST, REQ, END."""
    match subcommand.upper():
        case "LS":
            _list_offered(ctx, argument or "")
        case "LIST":
            _answer(ctx, "LIST", " ".join(sorted(ctx.session.capabilities)))
        case "REQ":
            if argument is None:
                raise need_more_params("CAP", "CAP REQ :<capabilities>")
            _request(ctx, argument)
        case "END":
            if ctx.session.negotiating:
                ctx.change_session(negotiating=False)
                complete_registration(ctx)
        case _:
            raise CommandError("Invalid CAP subcommand", Numeric.ERR_INVALIDCAPCMD, (subcommand,))


def _list_offered(ctx: Context, version_text: str) -> None:
    version = int(version_text) if version_text.isascii() and version_text.isdigit() else 301
    capabilities = ctx.session.capabilities
    if version >= 302:
        capabilities |= {Capability.CAP_NOTIFY}
    highest = max(version, ctx.session.cap_version)
    negotiating = ctx.session.negotiating or not ctx.session.welcomed
    ctx.change_session(cap_version=highest, capabilities=capabilities, negotiating=negotiating)
    _answer(ctx, "LS", " ".join(advertise(version, _hidden(ctx))))


def _hidden(ctx: Context) -> frozenset[Capability]:
    """What is not offered now."""
    hidden = {Capability.OWNER_CODE} if ctx.hub.has_administrator else set()
    if ctx.settings.registration is RegistrationMode.CLOSED:
        hidden.add(Capability.ACCOUNT_REGISTRATION)
    return frozenset(hidden)


def _request(ctx: Context, words: str) -> None:
    negotiating = ctx.session.negotiating or not ctx.session.welcomed
    wanted = parse_request(words.split(), ctx.session.capabilities)
    gives_up = wanted is not None and Capability.CAP_NOTIFY not in wanted
    if wanted is None or (gives_up and ctx.session.cap_version >= 302):
        ctx.change_session(negotiating=negotiating)
        _answer(ctx, "NAK", words)
        return
    # The answer goes before the change: it is still labelled, and tagged, as was agreed before it.
    _answer(ctx, "ACK", words)
    ctx.change_session(negotiating=negotiating, capabilities=wanted)
    ctx.add(Reprofile(ctx.session.id, ctx.session.profile))


def _answer(ctx: Context, subcommand: str, words: str) -> None:
    ctx.give_back(Message("CAP", (nick_of(ctx.hub, ctx.session), subcommand, words), ctx.settings.server))
