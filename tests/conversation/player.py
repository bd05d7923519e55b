"""Plays a script against a `House`."""

from __future__ import annotations

import ast
import json
import re
import shlex
from dataclasses import fields, replace
from pathlib import Path
from typing import Any

from secure_chat.chat.settings import Settings
from tests.conversation.house import ADDRESS, House
from tests.conversation.script import Pattern, Statement, expand, read_script, repeat
from tests.conversation.wire import Client

BARRIER = "is-that-all"
_ONLINE = re.compile(r"(?P<names>.+?) (?:is|are) online(?: with (?P<with>.+?))?(?: from (?P<from>\S+))?")
_CONNECTS = re.compile(r"(?P<name>\S+) connects(?: from (?P<from>\S+))?")
_ACCOUNTS = re.compile(r"(?P<kind>accounts?|administrators?) (?P<names>.+)")
_PASSES = re.compile(r"time passes (?P<number>-?[0-9.]+)(?P<unit>[smhd])")
_UNIT_SECONDS = {"s": 1, "m": 60, "h": 3600, "d": 86_400}


class ScriptFailed(Exception):
    """The conversation went another way; the text says where and how."""


class Player:
    """Plays one script. What came before the last act and was not asked for is passed over."""

    def __init__(self, path: Path, database: Path) -> None:
        self._path = path
        self._database = database
        self._settings = Settings(server="chat.test", host="chat.test", lobby="", grace_seconds=0)
        self._house: House | None = None
        self._clients: dict[str, Client] = {}
        self._queued: list[tuple[Client, bytes]] = []
        self._variables: dict[str, str] = {}
        self._answer: dict[str, Any] = {}

    def play(self) -> None:
        """Play the whole script. Raises ScriptFailed."""
        try:
            for statement in read_script(self._path):
                self._step(statement)
        finally:
            if self._house is not None:
                self._house.stop()

    @property
    def house(self) -> House:
        """The server, started when first needed."""
        if self._house is None:
            self._house = House(self._database, self._settings)
        return self._house

    def _step(self, statement: Statement) -> None:
        try:
            match statement.arrow:
                case "":
                    self._happen(statement)
                case "<-":
                    self._expect(statement)
                case arrow:
                    self._send(statement, wait=arrow == "->>")
        except ScriptFailed:
            raise
        except Exception as error:
            raise self._failed(statement, f"{type(error).__name__}: {error}") from error

    def _failed(self, statement: Statement, text: str) -> ScriptFailed:
        return ScriptFailed(f"{self._path}:{statement.number}: {statement.line}\n{text}")

    # What happens

    def _happen(self, statement: Statement) -> None:
        text = statement.text
        if text.startswith("settings "):
            assert self._house is None, "settings come first"
            self._settings = _changed(self._settings, text.removeprefix("settings "))
        elif text.startswith("server restarts"):
            self._restart(text.removeprefix("server restarts").removeprefix(" with "))
        elif match := _PASSES.fullmatch(text):
            self._forget_unread()
            self.house.pass_time(float(match["number"]) * _UNIT_SECONDS[match["unit"]])
        elif text.endswith(" vanishes"):
            self._forget_unread()
            self.house.vanish(self._client(text.removesuffix(" vanishes")))
        elif text.endswith(" proves receipt"):
            self.house.prove(self._client(text.removesuffix(" proves receipt")))
        elif match := _ACCOUNTS.fullmatch(text):
            for name in match["names"].split(", "):
                self._add_account(name, administrator=match["kind"].startswith("administrator"))
        elif match := _CONNECTS.fullmatch(text):
            self._forget_unread()
            self._clients[match["name"]] = self.house.connect(match["name"], match["from"] or ADDRESS)
        elif match := _ONLINE.fullmatch(text):
            for name in match["names"].split(", "):
                self._come_online(name, (match["with"] or "").split(), match["from"] or ADDRESS)
        else:
            raise self._failed(statement, "There is no such statement")

    def _restart(self, settings: str) -> None:
        self._settings = _changed(self._settings, settings)
        self.house.settings = self._settings
        self.house.stop()
        self.house.start()

    def _come_online(self, name: str, capabilities: list[str], address: str) -> None:
        self._add_account(name.partition("@")[0])
        self._clients[name] = self.house.log_in(name, capabilities, address)

    def _add_account(self, name: str, *, administrator: bool = False) -> None:
        if self.house.hub.account_named(name) is None:
            self.house.add_account(name, administrator=administrator)

    # What is said

    def _send(self, statement: Statement, *, wait: bool) -> None:
        if statement.who == "tool":
            self._forget_unread()
            operation, _, request = repeat(statement.text).partition(" {")
            self._answer = self.house.ask(operation, **json.loads("{" + request if request else "{}"))
            self._remember_code()
            return
        client = self._client(statement.who)
        if statement.text.startswith("raw "):
            data = ast.literal_eval(expand(statement.text.removeprefix("raw "), self._variables))
        else:
            data = expand(statement.text, self._variables).encode() + b"\r\n"
        self._queued.append((client, data))
        if not wait:
            self._forget_unread()
            queued, self._queued = self._queued, []
            self.house.work([h for one, sent in queued for h in self.house.received(one, sent)])

    def _remember_code(self) -> None:
        """The code that the tool was given is `{code}` from here on."""
        for made in (self._answer, *self._answer.get("invitations", [])):
            if "link" in made:
                self._variables["code"] = str(made["link"]).partition("#")[2]
            elif "code" in made:
                self._variables["code"] = str(made["code"])

    def _client(self, name: str) -> Client:
        assert name in self._clients, f"{name} is not connected"
        return self._clients[name]

    def _forget_unread(self) -> None:
        for client in self._clients.values():
            client.unread.clear()

    # What is expected

    def _expect(self, statement: Statement) -> None:
        if statement.who == "tool":
            self._expect_answer(statement)
            return
        client = self._client(statement.who)
        match statement.text:
            case "nothing":
                self._expect_nothing(statement, client)
            case "closed":
                self._expect_closed(statement, client)
            case text if text.startswith("... "):
                self._skip_to(statement, client, text.removeprefix("... "))
            case text:
                self._expect_line(statement, client, text)

    def _expect_line(self, statement: Statement, client: Client, text: str) -> None:
        pattern = Pattern(expand(text, self._variables))
        if not client.unread:
            others = {n: [s.text for s in c.unread] for n, c in self._clients.items()}
            raise self._failed(statement, f"nothing came; others got: {others}")
        if not pattern.matches(client.unread[0], self._variables):
            came = "\n  ".join(seen.text for seen in client.unread)
            raise self._failed(statement, f"expected: {pattern.text}\ncame:\n  {came}")
        client.unread.popleft()

    def _skip_to(self, statement: Statement, client: Client, text: str) -> None:
        pattern = Pattern(expand(text, self._variables))
        came = [seen.text for seen in client.unread]
        while client.unread:
            if pattern.matches(client.unread.popleft(), self._variables):
                return
        raise self._failed(statement, f"expected: {pattern.text}\namong:\n  " + "\n  ".join(came))

    def _expect_nothing(self, statement: Statement, client: Client) -> None:
        if client.closed is None:
            self.house.say(client, f"PING {BARRIER}")
        came = [seen.text for seen in client.unread]
        pong = Pattern(f"PONG chat.test {BARRIER}")
        if client.closed is None and client.unread and pong.matches(client.unread[-1], {}):
            came.pop()
        if came:
            raise self._failed(statement, "came:\n  " + "\n  ".join(came))
        client.unread.clear()

    def _expect_closed(self, statement: Statement, client: Client) -> None:
        if client.unread:
            came = "\n  ".join(seen.text for seen in client.unread)
            raise self._failed(statement, f"before that came:\n  {came}")
        if client.closed is None:
            raise self._failed(statement, "it is still connected")

    def _expect_answer(self, statement: Statement) -> None:
        for key, wanted in json.loads(statement.text).items():
            got = self._answer.get(key)
            if isinstance(wanted, str) and isinstance(got, str):
                regex = ".*".join(map(re.escape, wanted.split("...")))
                right = re.fullmatch(regex, got) is not None
            else:
                right = got == wanted
            if not right:
                raise self._failed(statement, f"came: {self._answer}")


def _changed(settings: Settings, text: str) -> Settings:
    """Settings with `key=value` words put in; the lines of a motd are separated by `|`."""
    kinds = {field.name: getattr(settings, field.name) for field in fields(settings)}
    changes: dict[str, Any] = {}
    for word in shlex.split(text):
        key, _, value = word.partition("=")
        old = kinds[key]
        if key == "motd":
            changes[key] = tuple(value.split("|"))
        elif isinstance(old, bool):
            changes[key] = value == "true"
        else:
            changes[key] = type(old)(value)
    return replace(settings, **changes)
