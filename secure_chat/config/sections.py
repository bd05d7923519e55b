"""The owner's settings: the sections of `config.toml`, each key with its bounds and a line that explains it."""

from __future__ import annotations

from ipaddress import ip_network
from typing import Annotated, Literal

from msgspec import Meta, Struct, field

MOTD_LINES = 100
MOTD_LINE_BYTES = 400
LOOPBACK = ("127.0.0.0/8", "::1/128")

HOST_LIKE = r"^[A-Za-z0-9]([A-Za-z0-9.-]*[A-Za-z0-9])?\Z"
HOST_OR_EMPTY = r"^([A-Za-z0-9]([A-Za-z0-9./_-]*[A-Za-z0-9])?)?\Z"
ADDRESS_OR_EMPTY = r"^(([A-Za-z0-9]([A-Za-z0-9.-]*[A-Za-z0-9])?|\[[0-9A-Fa-f:.]+\])(:[0-9]{1,5})?)?\Z"
ROOM_OR_EMPTY = r"^(#[^\s,:*?!@#\x00-\x1f\x7f]{1,30})?\Z"
NO_SPACE = r"^[\x21-\x7e]+\Z"

Seconds = Annotated[float, Meta(gt=0, le=86400)]
Count = Annotated[int, Meta(ge=1, le=1_000_000)]
Points = Annotated[float, Meta(ge=0, le=1000)]
Bytes = Annotated[int, Meta(ge=16_384, le=1 << 30)]


def _says(description: str) -> Meta:
    return Meta(description=description)


class Section(Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Base of the tables of the file."""


class Server(Section, frozen=True):
    """Who the server says it is."""

    name: Annotated[
        str,
        Meta(pattern=HOST_LIKE, max_length=63),
        _says("The server's name in front of its own lines, like a host name."),
    ] = "secure-chat.internal"
    network: Annotated[
        str, Meta(pattern=NO_SPACE, max_length=30), _says("The name clients show for this chat; no spaces.")
    ] = "SecureChat"
    motd: Annotated[
        str,
        Meta(max_length=MOTD_LINES * MOTD_LINE_BYTES),
        _says("What is shown after login; may have several lines."),
    ] = ""
    host: Annotated[
        str,
        Meta(pattern=HOST_OR_EMPTY, max_length=63),
        _says('The host shown for every user; "" means the server\'s name.'),
    ] = ""

    public_address: Annotated[
        str,
        Meta(pattern=ADDRESS_OR_EMPTY, max_length=80),
        _says(
            "Where people outside reach the server, HOST or HOST:PORT, for invitations; "
            '"" means this machine\'s own address.'
        ),
    ] = ""

    @property
    def source_host(self) -> str:
        """The fixed host in the source of what users send."""
        return self.host or self.name


class Lobby(Section, frozen=True):
    """The room that everyone is in."""

    room: Annotated[
        str,
        Meta(pattern=ROOM_OR_EMPTY),
        _says(
            'The lobby\'s name, beginning with #; "" for no lobby. A new name makes a new lobby; the old one stays '
            "as an ordinary room, which everybody may leave."
        ),
    ] = "#lobby"
    quiet_members: Annotated[
        Count, _says("With more people online than this the lobby shows no coming and going.")
    ] = 200


class Registration(Section, frozen=True):
    """Where accounts come from."""

    mode: Annotated[
        Literal["invite", "open", "closed"],
        _says("Who may register: who is invited, anybody, or nobody (then the owner adds accounts)."),
    ] = "invite"
    invite: Annotated[
        Literal["administrators", "everyone"], _says("Who may invite; the owner always can, by the command line.")
    ] = "administrators"


class Passwords(Section, frozen=True):
    """How passwords are stored and what new ones must be."""

    bcrypt_rounds: Annotated[
        int,
        Meta(ge=4, le=20),
        _says("Cost of a hash, doubling with each step (12: about 0.26 s); below 10 is warned about."),
    ] = 12
    minimum_characters: Annotated[int, Meta(ge=1, le=64), _says("The shortest new password.")] = 8
    refuse_common: Annotated[bool, _says("Whether the most common passwords are refused.")] = True


class Presence(Section, frozen=True):
    """When others see somebody leave."""

    grace_seconds: Annotated[
        float, Meta(ge=0, le=3600), _says("How long after a lost connection others see QUIT; 0 is at once.")
    ] = 15.0


class Rooms(Section, frozen=True):
    """Who may have rooms."""

    create: Annotated[Literal["everyone", "administrators"], _says("Who may create rooms.")] = "everyone"
    rooms_per_account: Annotated[
        Count, _says("How many rooms an account may be a member of, without the lobby.")
    ] = 50


class History(Section, frozen=True):
    """What of the past people see."""

    rights: Annotated[
        Literal["membership", "room"],
        _says("What members of a room may read: what was said while they were members, or all of it."),
    ] = "membership"
    keep_days: Annotated[
        int,
        Meta(ge=0, le=36_500),
        _says(
            "After how many days what was said is forgotten, in private too, even if it was never fetched; "
            "0 keeps it for ever. Seen to at the start and once a day."
        ),
    ] = 0

    replay_messages: Annotated[
        int,
        Meta(ge=1, le=10_000),
        _says(
            "Missed messages of one conversation that a client which cannot ask for history itself gets when it "
            "connects: the newest ones, and a line that says how many more there are."
        ),
    ] = 100


class Limits(Section, frozen=True):
    """What one peer may use. What a session does costs points, which it gets back with time."""

    handshakes_connections: Annotated[Count, _says("Unfinished TLS handshakes in all.")] = 256
    handshakes_per_address_connections: Annotated[Count, _says("Unfinished TLS handshakes from one address.")] = 16
    handshake_seconds: Annotated[Seconds, _says("Time for a TLS handshake.")] = 10.0
    unauthenticated_per_address_connections: Annotated[
        Count, _says("Connections from one address that have not logged in.")
    ] = 32
    authentication_seconds: Annotated[
        Seconds, _says("Time to log in, without the time the server needs itself.")
    ] = 30.0
    address_registrations: Annotated[
        Count, _says("With open registration: new accounts from one address in 24 hours.")
    ] = 5
    account_sessions: Annotated[Count, _says("Sessions of one account at the same time.")] = 16
    points_per_second: Annotated[
        float, Meta(gt=0, le=1_000_000), _says("Points a session gets back per second; a post costs 1.")
    ] = 4.0
    burst_points: Annotated[
        float, Meta(ge=1, le=1_000_000), _says("Points a session may use at once; then reading pauses.")
    ] = 20.0
    post_points: Annotated[
        Points, _says("Points for a post, an invitation, a kick, a mute, a change of password and the like.")
    ] = 1.0
    cheap_query_points: Annotated[
        Points, _says("Points for any other command, such as MODE, TOPIC, JOIN, NAMES or an unknown one.")
    ] = 0.2
    list_points: Annotated[Points, _says("Points for a query with a long answer: WHO, LIST.")] = 2.0
    history_points: Annotated[Points, _says("Points for a page of history.")] = 2.0
    search_points: Annotated[Points, _says("Points for a search.")] = 5.0
    joined_room_points: Annotated[
        Points, _says("Points granted per joined room after login: clients query each at start.")
    ] = 4.0
    unread_bytes: Annotated[Bytes, _says("Input of one connection kept unprocessed; above it reading pauses.")] = (
        65_536
    )
    pending_bytes: Annotated[Bytes, _says("Output pending for pending_seconds that closes a session.")] = 1_048_576
    pending_seconds: Annotated[Seconds, _says("How long pending_bytes may be pending.")] = 30.0
    pending_at_once_bytes: Annotated[Bytes, _says("Pending output that closes a session at once.")] = 8_388_608
    silence_seconds: Annotated[Seconds, _says("Silence after which a PING is sent.")] = 90.0
    pong_seconds: Annotated[Seconds, _says("Further silence after which the connection is closed.")] = 60.0
    history_messages: Annotated[int, Meta(ge=1, le=10_000), _says("Messages in one answer of history.")] = 1000
    search_messages: Annotated[int, Meta(ge=1, le=1000), _says("Messages in one answer of a search.")] = 100
    search_seconds: Annotated[float, Meta(gt=0, le=60), _says("Time for one search.")] = 2.0
    exempt_networks: Annotated[
        tuple[str, ...], _says("Networks without connection and rate limits; measurements from there do not count.")
    ] = LOOPBACK


class Log(Section, frozen=True):
    """What is written about what happens."""

    messages: Annotated[
        bool, _says("Whether the texts of messages are logged: normally they are nobody's business.")
    ] = False
    format: Annotated[Literal["text", "json"], _says("Lines for people or for programs.")] = "text"
    level: Annotated[
        Literal["debug", "info", "warning", "error"], _says("The least important lines that are written.")
    ] = "info"


class Config(Section, frozen=True):
    """All settings; every one has a default. Immutable: any thread."""

    server: Server = field(default_factory=Server)
    lobby: Lobby = field(default_factory=Lobby)
    registration: Registration = field(default_factory=Registration)
    passwords: Passwords = field(default_factory=Passwords)
    presence: Presence = field(default_factory=Presence)
    rooms: Rooms = field(default_factory=Rooms)
    history: History = field(default_factory=History)
    limits: Limits = field(default_factory=Limits)
    log: Log = field(default_factory=Log)

    def warnings(self) -> list[str]:
        """What is allowed but should be known; texts for the log."""
        found = []
        if self.passwords.bcrypt_rounds < 10:
            found.append(
                f"[passwords] bcrypt_rounds = {self.passwords.bcrypt_rounds}: a stolen database is guessed at "
                "quickly; 12 is the default, 10 the least that is sensible."
            )
        further = [network for network in self.limits.exempt_networks if not ip_network(network).is_loopback]
        if further:
            found.append(f"[limits] exempt_networks: {', '.join(further)} may use the server without limits.")
        if self.log.messages:
            found.append("[log] messages = true: the log holds what people say, private messages included.")
        return found
