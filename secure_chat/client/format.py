"""Events as lines of text. Nothing that others wrote reaches a terminal without `harmless`."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime

from secure_chat.client.events import Event, Kind, Said, Told, Tone
from secure_chat.client.texts import _
from secure_chat.protocol.names import fold

NAME_COLOURS = ("31", "32", "33", "34", "35", "36", "91", "92", "93", "94", "95", "96")
"""Terminal colours (SGR) for names: all that can be read on black and on white."""
TONE_COLOURS: Mapping[Tone, str] = {
    Tone.PRESENCE: "2",
    Tone.ANSWER: "",
    Tone.REFUSED: "31",
    Tone.CONNECTION: "1",
}
PRIVATE_COLOUR = "1;35"

# mIRC's formatting: colours, bold, italics and the like. Taken away, because it only looks like rubbish.
_FORMATTING = re.compile(r"\x03(?:\d{1,2}(?:,\d{1,2})?)?|\x04(?:[0-9A-Fa-f]{6})?|[\x02\x0f\x11\x16\x1d\x1e\x1f]")
# C0, DEL, C1; line and paragraph separators; embeddings, overrides and isolates of direction; annotations.
_DANGEROUS = re.compile("[\x00-\x1f\x7f-\x9f\u2028\u2029\u202a-\u202e\u2066-\u2069\ufff9-\ufffb\ud800-\udfff]")


@dataclass(frozen=True, slots=True)
class Look:
    """How lines look: with colours or without, and in whose time. `wall` tells the time now, with its zone."""

    colours: bool
    wall: Callable[[], datetime]


def harmless(text: str) -> str:
    """`text` without anything that a terminal obeys: control characters are shown as what they are."""
    return _DANGEROUS.sub(_shown, _FORMATTING.sub("", text))


def render(event: Event, look: Look) -> list[str]:
    """The event as lines without line ends: more than one only where the program's own text has several."""
    stamp = _stamp(event.at, look)
    if isinstance(event, Said):
        return [f"{stamp} {_said(event, look)}"]
    place = f"{harmless(event.place)}: " if event.place else ""
    colour = TONE_COLOURS[event.tone]
    lines = event.text.split("\n") if isinstance(event, Told) else []
    return [f"{stamp} {_paint(place + harmless(line), colour, look)}" for line in lines]


def colour_of(name: str) -> str:
    """The colour of a name: the same in every spelling, on every day and every computer."""
    digest = hashlib.sha256(fold(name).encode(errors="replace")).digest()
    return NAME_COLOURS[int.from_bytes(digest[:4]) % len(NAME_COLOURS)]


def _said(event: Said, look: Look) -> str:
    name = _paint(harmless(event.sender), colour_of(event.sender), look)
    text = harmless(event.text)
    if event.kind is Kind.ACTION:
        text = f"* {name} {text}"
    elif event.kind is Kind.NOTICE:
        text = f"-{name}- {text}"
    elif not event.private:
        text = f"<{name}> {text}"
    if not event.private:
        return f"{harmless(event.place)} {text}"
    mark = _("[private to {name}]") if event.own else _("[private from {name}]")
    return f"{_paint(mark.format(name=harmless(event.place)), PRIVATE_COLOUR, look)} {text}"


def _stamp(at: datetime | None, look: Look) -> str:
    now = look.wall()
    local = (at or now).astimezone(now.tzinfo)
    return f"{local:%H:%M}" if local.date() == now.date() else f"{local:%Y-%m-%d %H:%M}"


def _paint(text: str, colour: str, look: Look) -> str:
    return f"\x1b[{colour}m{text}\x1b[0m" if look.colours and colour else text


def _shown(found: re.Match[str]) -> str:
    code = ord(found[0])
    if code < 0x20:
        return " " if found[0] == "\t" else chr(0x2400 + code)
    return "\u2421" if code == 0x7F else f"<U+{code:04X}>"
