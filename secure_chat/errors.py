"""Whose fault it is, and who may read what: the base of every error this program raises on purpose."""


class SecureChatError(Exception):
    """Base of all our errors. `str(error)` is safe to show to the person concerned: no secret, no raw input."""


class ProtocolError(SecureChatError):
    """The peer's bytes are not the protocol. The peer is to blame; the text may be sent to it."""


class StorageError(SecureChatError):
    """The store could not do what was promised. The text goes to the user, `__cause__` only to the log."""


class ConfigError(SecureChatError):
    """The owner's settings cannot be used: the text says which file, which key, what was found, what is allowed."""


class CertificateError(SecureChatError):
    """A certificate or key cannot be made, read or used; the text says which file and what to do."""


class TrustError(SecureChatError):
    """The client does not trust the server's certificate; the text holds the fingerprints and what to do."""
