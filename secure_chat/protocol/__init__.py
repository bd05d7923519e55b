"""IRC and IRCv3: bytes to values and back. No I/O, no state of a server or a client."""
