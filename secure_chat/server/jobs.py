"""What the password pool is given to do. Runs on its threads."""

from __future__ import annotations

import logging

from secure_chat.chat.deliveries import CheckPassword, HashPassword
from secure_chat.chat.settings import Settings
from secure_chat.chat.strength import WeakPassword, require_strong
from secure_chat.commands.login import PasswordChecked
from secure_chat.commands.redeeming import PasswordHashed
from secure_chat.server.passwords import Hasher

log = logging.getLogger("secure_chat.server")

PasswordJob = CheckPassword | HashPassword


def no_place(job: PasswordJob) -> PasswordChecked | PasswordHashed:
    """The answer where the pool has no place for a job."""
    return PasswordHashed(job, None) if isinstance(job, HashPassword) else PasswordChecked(job, right=None)


def work(
    hasher: Hasher, settings: Settings, job: PasswordJob, usual_rounds: int | None = None
) -> PasswordChecked | PasswordHashed:
    """Check or hash a password. A check is as slow for unknown names as for known ones.

    `usual_rounds` is the cost that stored hashes have, if it is known. Never raises: a fault of ours is answered
    as if the pool had no place.
    """
    try:
        if isinstance(job, HashPassword):
            return PasswordHashed(job, hasher.hash(job.password.reveal()))
        return _check(hasher, settings, job, usual_rounds)
    except BaseException as error:  # noqa: BLE001 - the session waits for an answer, whatever has happened
        # No traceback: its frames hold the password.
        log.error("a password could not be checked: %s", type(error).__name__)
        return no_place(job)


def _check(hasher: Hasher, settings: Settings, job: CheckPassword, usual_rounds: int | None) -> PasswordChecked:
    password = job.password.reveal()
    if job.stored is None:
        hasher.verify_dummy(password, usual_rounds)
        return PasswordChecked(job, right=False)
    if not hasher.verify(password, job.stored):
        return PasswordChecked(job, right=False)
    if job.new_password is None:
        stale = hasher.needs_rehash(job.stored)
        return PasswordChecked(job, right=True, rehashed=hasher.hash(password) if stale else None)
    try:
        new = job.new_password.reveal()
        require_strong(settings, new, job.identity)
        return PasswordChecked(job, right=True, new_hash=hasher.hash(new))
    except WeakPassword as error:
        return PasswordChecked(job, right=True, weakness=str(error))
