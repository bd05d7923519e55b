"""A small TLS server for tests of the client: it speaks the login and the posts, and does what a test tells it."""

from __future__ import annotations

import base64
import select
import socket
import ssl
import threading
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from secure_chat.protocol.lines import LineBuffer
from secure_chat.protocol.message import Message, Secret, parse
from tests.client.stub_certificates import Certificate

PASSWORD = "correct horse"
DEADLINE_SECONDS = 20.0
CAPABILITIES = (
    "sasl=PLAIN server-time message-tags account-tag echo-message batch labeled-response standard-replies "
    "extended-join multi-prefix cap-notify secure-chat.internal/post-id"
)


class StubServer:
    """Accepts on a port of its own. Public attributes may be set by the test before the client comes.

    `received` has every decrypted byte, `lines` every parsed line; `wait_for` waits for a condition on them.
    """

    def __init__(self, certificate: Certificate, port: int = 0) -> None:
        self.use(certificate)
        self.received = bytearray()
        self.lines: list[Message] = []
        self.post_ids: list[str] = []
        self.echo = True
        self.refusal: list[str] = []
        self.refuse_posts: str | None = None
        self.greetings: list[str] = []
        self.close_after = "QUIT"
        self.connections = 0
        self.on_line: Callable[[Message], list[str] | None] = lambda message: None
        self._change = threading.Condition()
        self._peers: list[_Peer] = []
        self._listener = socket.create_server(("127.0.0.1", port))
        self.port: int = self._listener.getsockname()[1]
        self._accepting = threading.Thread(target=self._accept, daemon=True)
        self._accepting.start()

    def use(self, certificate: Certificate) -> None:
        """Show this certificate to who comes next."""
        self._context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self._context.load_cert_chain(certificate.pem, certificate.key)

    def close(self) -> None:
        """Stop listening and drop everybody; a second time nothing is left to do."""
        if self._listener.fileno() < 0:
            return
        # Closing alone does not wake a thread that waits in accept().
        self._listener.shutdown(socket.SHUT_RDWR)
        self._accepting.join()
        self._listener.close()
        self.drop()
        for peer in self._peers:
            peer.thread.join(DEADLINE_SECONDS)
        self._peers.clear()

    def drop(self) -> None:
        """Break all connections."""
        for peer in self._peers:
            peer.put(None)

    def say(self, line: str) -> None:
        """Send a line to everybody."""
        for peer in self._peers:
            peer.put(line)

    def wait_for(self, condition: Callable[[], bool]) -> None:
        """Wait until the condition holds; it is looked at after each line."""
        with self._change:
            assert self._change.wait_for(condition, DEADLINE_SECONDS), [
                m.body_text()[:80] for m in self.lines[-10:]
            ]

    def said(self) -> list[str]:
        """The texts of the posts that came, with their targets."""
        return [f"{m.params[0]} {m.params[1]}" for m in self.lines if m.command == "PRIVMSG"]

    def note(self, data: bytes, message: Message | None) -> None:
        """A peer's thread tells what came."""
        with self._change:
            self.received += data
            if message is not None:
                self.lines.append(message)
                if message.command == "PRIVMSG":
                    self.post_ids.append(message.tags.get("secure-chat.internal/post-id", ""))
            self._change.notify_all()

    def _accept(self) -> None:
        while True:
            try:
                raw, _address = self._listener.accept()
            except OSError:
                return
            self.connections += 1
            peer = _Peer(self, raw, self._context)
            self._peers.append(peer)
            peer.thread.start()


class _Peer:
    """One connection: its own thread alone touches its TLS."""

    def __init__(self, server: StubServer, raw: socket.socket, context: ssl.SSLContext) -> None:
        self._server = server
        self._raw = raw
        self._context = context
        self._queue: deque[str | None] = deque()
        self._closing = threading.Lock()
        self._wake_in, self._wake_out = socket.socketpair()
        self._chunks = ""
        self._nick = "*"
        self.thread = threading.Thread(target=self.run, daemon=True)

    def put(self, line: str | None) -> None:
        with self._closing:
            self._queue.append(line)
            if self._wake_in.fileno() >= 0:
                self._wake_in.send(b"!")

    def run(self) -> None:
        try:
            self._raw.settimeout(DEADLINE_SECONDS)
            with self._context.wrap_socket(self._raw, server_side=True) as tls:
                self._talk(tls)
        except OSError:
            self._raw.close()
        finally:
            with self._closing:
                self._wake_in.close()
                self._wake_out.close()

    def _talk(self, tls: ssl.SSLSocket) -> None:
        buffer = LineBuffer(tags_limit_bytes=8191)
        while True:
            readable, _, _ = select.select([tls, self._wake_out], [], [])
            if self._wake_out in readable:
                self._wake_out.recv(1)
                line = self._queue.popleft()
                if line is None:
                    return
                tls.sendall(line.encode() + b"\r\n")
            while tls in readable or tls.pending():
                readable = []
                data = tls.recv(65536)
                if not data:
                    return
                self._server.note(data, None)
                for raw in buffer.feed(data):
                    assert isinstance(raw, bytes)
                    message = parse(raw)
                    for answer in self._answers(message):
                        tls.sendall(answer.encode() + b"\r\n")
                    self._server.note(b"", message)
                    if message.command == self._server.close_after:
                        return

    def _answers(self, message: Message) -> Iterator[str]:
        given = self._server.on_line(message)
        if given is not None:
            yield from given
            return
        method = getattr(self, f"_on_{message.command.lower()}", None)
        if method is not None:
            yield from method(message)

    def _on_cap(self, message: Message) -> Iterator[str]:
        match message.params:
            case ("LS", *_):
                yield f":stub CAP * LS :{CAPABILITIES}"
            case ("REQ", names):
                yield f":stub CAP * ACK :{names}"
            case ("END",):
                yield from self._welcome()

    def _on_authenticate(self, message: Message) -> Iterator[str]:
        shown = message.params[0]
        text = shown.reveal() if isinstance(shown, Secret) else shown
        if text == "PLAIN":
            yield "AUTHENTICATE +"
            return
        self._chunks += text.removesuffix("+") if text == "+" else text
        if len(text) == 400:
            return
        _authzid, name, password = base64.b64decode(self._chunks).decode().split("\0")
        self._nick = name.partition("@")[0]
        if self._server.refusal:
            yield from self._server.refusal
        elif password == PASSWORD:
            yield f":stub 900 {self._nick} {self._source} {self._nick} :You are now logged in as {self._nick}"
            yield f":stub 903 {self._nick} :SASL authentication successful"
        else:
            yield f":stub 904 {self._nick} :SASL authentication failed"

    def _welcome(self) -> Iterator[str]:
        nick = self._nick
        yield f":stub 001 {nick} :Welcome"
        yield f":stub 005 {nick} secure-chat.internal/LOBBY=#lobby UTF8ONLY :are supported by this server"
        yield f":stub 372 {nick} :- Be kind."
        yield f":stub 376 {nick} :End of /MOTD command."
        yield from self._enter("#lobby")
        yield from self._server.greetings

    def _enter(self, room: str) -> Iterator[str]:
        yield f":{self._source} JOIN {room} {self._nick} :{self._nick}"
        yield f":stub 332 {self._nick} {room} :Talk of {room}"
        yield f":stub 353 {self._nick} = {room} :@alice bob {self._nick}"
        yield f":stub 366 {self._nick} {room} :End of /NAMES list"

    def _on_join(self, message: Message) -> Iterator[str]:
        yield from self._batched(message, list(self._enter(message.params[0])))

    def _on_ping(self, message: Message) -> Iterator[str]:
        yield f":stub PONG stub :{message.params[0]}"

    def _on_quit(self, message: Message) -> Iterator[str]:
        yield "ERROR :Goodbye"

    def _on_privmsg(self, message: Message) -> Iterator[str]:
        label = message.tags.get("label", "")
        if self._server.refuse_posts is not None:
            yield f"@label={label} {self._server.refuse_posts}"
        elif self._server.echo:
            target, text = message.params
            yield f"@label={label};msgid=m{len(self._server.post_ids)} :{self._source} PRIVMSG {target} :{text}"

    def _batched(self, message: Message, lines: list[str]) -> Iterator[str]:
        if label := message.tags.get("label"):
            yield f"@label={label} :stub BATCH +b{label} labeled-response"
            yield from (f"@batch=b{label} {line}" for line in lines)
            yield f":stub BATCH -b{label}"
        else:
            yield from lines

    @property
    def _source(self) -> str:
        return f"{self._nick}!chat@stub.example"


@contextmanager
def running(certificate: Certificate) -> Iterator[StubServer]:
    """A stub that is closed at the end of the block."""
    server = StubServer(certificate)
    try:
        yield server
    finally:
        server.close()


def environment(home: Path) -> dict[str, str]:
    """Environment variables for a client process that keeps its files in `home` and speaks English."""
    return {
        "HOME": str(home),
        "XDG_CONFIG_HOME": str(home / "config"),
        "XDG_STATE_HOME": str(home / "state"),
        "LC_ALL": "C.UTF-8",
        "TERM": "xterm",
        "SSL_CERT_FILE": str(home / "no-system-trust.pem"),
    }
