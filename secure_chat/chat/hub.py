"""The whole state of the chat, and the questions one can ask of it. Dispatcher thread only."""

from __future__ import annotations

from collections.abc import Iterator

from secure_chat.chat.accounts import Account
from secure_chat.chat.codes import Code, Purpose
from secure_chat.chat.devices import Device
from secure_chat.chat.ports import Snapshot
from secure_chat.chat.positions import Position
from secure_chat.chat.rooms import Role, Room
from secure_chat.chat.sessions import Presence, Session
from secure_chat.chat.settings import Settings
from secure_chat.chat.throttle import Quota, Throttle
from secure_chat.protocol.capabilities import Capability
from secure_chat.protocol.names import USER_LIMIT_CHARACTERS, fold, is_room

REGISTRATIONS_SECONDS = 86_400


class Hub:
    """Accounts, rooms, sessions and who is online. Only `chat.apply` changes it; everything else asks."""

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self.accounts: dict[int, Account] = {}
        self.account_ids: dict[str, int] = {}
        self.administrators: set[int] = set()
        self.rooms: dict[int, Room] = {}
        self.room_ids: dict[str, int] = {}
        self.rooms_of: dict[int, set[int]] = {}
        self.sessions: dict[int, Session] = {}
        self.presence: dict[int, Presence] = {}
        self.attached = 0
        """Sessions that belong to an account that is online."""
        self.lingering: set[int] = set()
        """Accounts that are online without a session, for their grace."""
        self.codes: dict[bytes, Code] = {}
        """By digest."""
        self.devices: dict[bytes, Device] = {}
        """By the digest of the token."""
        self.devices_of: dict[int, dict[str, Device]] = {}
        """By account and folded name."""
        self.ignored_by: dict[int, set[int]] = {}
        """By an account: the accounts that do not want to see what it says."""
        self.last_us = 0
        """The time of the last message when the state was loaded."""
        self.last_id = 0
        """The number of the last message, as the store numbers them."""
        self.positions: dict[int, dict[str, Position]] = {}
        """By account and device."""
        self.unwritten: dict[tuple[int, str], None] = {}
        """The positions, by account and device, that have moved and are not kept yet; the first to move first."""
        self.never_written: dict[tuple[int, str], None] = {}
        """Those of them of which the store knows nothing: killed now, it would take them for new devices."""
        self.replaying: set[int] = set()
        """Sessions that are still being given what they missed."""
        self.markers: dict[int, dict[int, int]] = {}
        """By account and `other_end`: up to when (ms since 1970 UTC) it has read."""
        self.throttle = Throttle()
        self.registrations = Quota(settings.registrations_per_address, REGISTRATIONS_SECONDS)
        self.lobby_folded = fold(settings.lobby) if settings.lobby else ""

    def load(self, snapshot: Snapshot) -> None:
        """Take the durable state from the store; sessions and presence stay."""
        self.accounts = {account.id: account for account in snapshot.accounts}
        self.account_ids = {account.folded: account.id for account in snapshot.accounts}
        self.administrators = {account.id for account in snapshot.accounts if account.administrator}
        self.rooms = {record.id: Room(record) for record in snapshot.rooms}
        self.room_ids = {record.folded: record.id for record in snapshot.rooms}
        self.rooms_of = {}
        for room_id, account_id, role in snapshot.members:
            self.rooms[room_id].members[account_id] = role
            self.rooms_of.setdefault(account_id, set()).add(room_id)
        for room_id, ban in snapshot.bans:
            self.rooms[room_id].bans[ban.mask] = ban
        for room_id, account_id in snapshot.invitations:
            self.rooms[room_id].invited.add(account_id)
        for room_id, account_id, until_us in snapshot.room_mutes:
            self.rooms[room_id].muted[account_id] = until_us
        self.last_us, self.last_id = snapshot.last_us, snapshot.last_id
        # What devices have received stays true, whatever was not written of it.
        moved = [(*key, self.positions[key[0]][key[1]]) for key in self.unwritten]
        self.positions = {}
        for account_id, name, position in (*snapshot.positions, *moved):
            self.positions.setdefault(account_id, {})[name] = position
        kept = {(account_id, name) for account_id, name, _ in snapshot.positions}
        self.never_written = {key: None for key in self.unwritten if key not in kept}
        self.markers = {}
        for account_id, end, time_ms in snapshot.markers:
            self.markers.setdefault(account_id, {})[end] = time_ms
        self.codes = {code.digest: code for code in snapshot.codes}
        self.devices, self.devices_of = {}, {}
        for device in snapshot.devices:
            self.take_device(device)
        self.ignored_by = {}
        for account_id, other_id in snapshot.ignores:
            self.ignored_by.setdefault(other_id, set()).add(account_id)

    def settle_position(self, account_id: int, device: str) -> None:
        """Nothing of a device's position is left to be written."""
        self.unwritten.pop((account_id, device), None)
        self.never_written.pop((account_id, device), None)

    def take_device(self, device: Device) -> None:
        """Put a device, new or changed, in its places."""
        self.devices[device.digest] = device
        self.devices_of.setdefault(device.account_id, {})[device.folded] = device

    @property
    def has_administrator(self) -> bool:
        """Whether somebody can administer the server."""
        return any(self.accounts[account_id].usable for account_id in self.administrators)

    def codes_of(self, purpose: Purpose, account_id: int | None = None) -> list[Code]:
        """All codes of a purpose, of an account where one is named; the oldest first."""
        found = [code for code in self.codes.values() if code.purpose is purpose]
        if account_id is not None:
            found = [code for code in found if code.account_id == account_id]
        return sorted(found, key=lambda code: (code.made_us, code.id))

    def ignores(self, account_id: int, other_id: int) -> bool:
        """Whether an account does not want to see what another says."""
        return account_id in self.ignored_by.get(other_id, ())

    def deaf_to(self, account_id: int) -> tuple[int, ...]:
        """The sessions that do not see what this account says: those of the accounts that ignore it."""
        ignoring = self.ignored_by.get(account_id)
        if not ignoring:
            return ()
        return tuple(session.id for other_id in ignoring for session in self.sessions_of(other_id))

    def account_named(self, name: str) -> Account | None:
        """The account of that name that one can talk to; None where there is none (or it was removed)."""
        account_id = self.account_ids.get(fold(name))
        account = self.accounts[account_id] if account_id is not None else None
        return None if account is None or account.removed else account

    def room_named(self, name: str) -> Room | None:
        """The room of that name, whoever asks."""
        room_id = self.room_ids.get(fold(name)) if is_room(name) else None
        return None if room_id is None else self.rooms[room_id]

    def is_lobby(self, room: Room) -> bool:
        """Whether this is the room everybody is in."""
        return room.record.folded == self.lobby_folded

    @property
    def lobby(self) -> Room | None:
        """The lobby, where there is one."""
        room_id = self.room_ids.get(self.lobby_folded)
        return None if room_id is None else self.rooms[room_id]

    def rooms_by_name(self, account_id: int) -> list[Room]:
        """The rooms the account is a member of, the lobby first, then by name."""
        rooms = [self.rooms[room_id] for room_id in self.rooms_of.get(account_id, ())]
        return sorted(rooms, key=lambda room: (not self.is_lobby(room), room.record.folded))

    def role(self, room: Room, account_id: int) -> Role | None:
        """The role somebody has in a room; None for who is no member. Administrators operate the lobby."""
        role = room.members.get(account_id)
        if role is not None and account_id in self.administrators and self.is_lobby(room):
            return role | Role.OPERATOR
        return role

    def online_members(self, room: Room) -> list[int]:
        """The members that are online, in the order they became members."""
        return [account_id for account_id in room.members if account_id in self.presence]

    def is_quiet(self, room: Room) -> bool:
        """Whether comings and goings are not shown in this room: a lobby with very many people."""
        return self.is_lobby(room) and len(self.presence) > self.settings.quiet_members

    def sessions_of(self, account_id: int) -> list[Session]:
        """The sessions of an account, in the order they came."""
        presence = self.presence.get(account_id)
        return [self.sessions[session_id] for session_id in presence.sessions] if presence else []

    def source(self, account_id: int) -> str:
        """`nick!user@host` of an account, as everybody sees it."""
        name = self.accounts[account_id].name
        presence = self.presence.get(account_id)
        user = presence.user if presence else name[:USER_LIMIT_CHARACTERS]
        return f"{name}!{user}@{self.settings.host}"

    def is_banned(self, room: Room, account_id: int, source: str) -> bool:
        """Whether a ban keeps an account with this source out; the founder, and everybody in the lobby, stays."""
        stays = self.is_lobby(room) or room.record.founder_id == account_id
        return not stays and room.bans_source(source)

    def source_at(self, account_id: int, user: str) -> str:
        """The source that an account had when its USER name was this one."""
        return f"{self.accounts[account_id].name}!{user}@{self.settings.host}"

    def away_text(self, account_id: int) -> str | None:
        """Why somebody is away; None for who is here. One is away when all one's sessions are."""
        texts = [session.away for session in self.sessions_of(account_id)]
        return texts[-1] if texts and all(text is not None for text in texts) else None

    def neighbours(self, account_id: int) -> Iterator[int]:
        """The sessions of others that see this account come and go."""
        seen = {account_id}
        for room_id in self.rooms_of.get(account_id, ()):
            room = self.rooms[room_id]
            if self.is_quiet(room):
                continue
            for other_id in self.online_members(room):
                if other_id not in seen:
                    seen.add(other_id)
                    yield from self.presence[other_id].sessions

    def shows_own_private(self, session: Session) -> bool:
        """Whether a session is told what other devices of its account say in private."""
        return session.has(Capability.ECHO_MESSAGE) or session.has(Capability.SELF_MESSAGE)
