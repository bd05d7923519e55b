"""The server's refusals and farewells in the client's own words, so that they are in the user's language."""

from __future__ import annotations

ACCOUNT_ENDINGS = (
    "This account was disabled",
    "This account was removed",
    "The password was set",
    "The password was changed",
)
"""How farewells begin after which this account and password cannot come back."""


def ends_account(farewell: str) -> bool:
    """Whether it makes no sense to log in again after this farewell of the server."""
    return farewell.startswith(ACCOUNT_ENDINGS)
