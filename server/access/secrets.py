"""Client secrets: 256 random bits, kept as argon2id hashes."""

import secrets

from anyio import CapacityLimiter, to_thread
from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError

_HASHER = PasswordHasher(time_cost=2, memory_cost=19_456, parallelism=1)  # OWASP's second choice: 19 MiB, two passes
_NOBODY = _HASHER.hash(secrets.token_urlsafe(32))
_AT_ONCE = CapacityLimiter(2)  # each takes 19 MiB and a core


def new_secret() -> str:
    """A fresh secret, to be shown once."""
    return secrets.token_urlsafe(32)


def hash_secret(secret: str) -> str:
    """What is kept of a secret."""
    return _HASHER.hash(secret)


def is_busy() -> bool:
    """Whether so many wait for a check that another had better come back later."""
    return _AT_ONCE.statistics().tasks_waiting >= 100


async def is_secret(secret: str, hashed: str | None) -> bool:
    """Whether `secret` is the one that was hashed; as slow where there is none, so that clients cannot be guessed."""
    good = await to_thread.run_sync(_matches, secret, hashed or _NOBODY, limiter=_AT_ONCE)
    return good and hashed is not None


def _matches(secret: str, hashed: str) -> bool:
    try:
        return _HASHER.verify(hashed, secret)
    except (VerificationError, InvalidHashError):
        return False
