"""Making, trying and using one-time codes."""

import hmac
import secrets
import uuid
from datetime import datetime, timedelta

from sqlalchemy import delete, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncSession

from domain.passcodes.errors import WrongOneTimeCode
from domain.passcodes.model import OneTimeCode
from domain.privacy.vault import digest

LIFE = timedelta(minutes=5)
DIGITS = 6
TRIES = 5
"""Wrong ones after which a code is no good: of a million codes five are a chance of 1 in 200,000."""


def destination_of(session: AsyncSession, type_: str, issuer: str, value: str) -> bytes:
    """What a destination is known by here."""
    return digest(session, "one-time code: destination", "\0".join((type_, issuer, value)))


async def make(session: AsyncSession, destination: bytes, merchant_id: uuid.UUID, as_of: datetime) -> str:
    """A fresh code for a destination; one that was sent there before is no good any more."""
    code = f"{secrets.randbelow(10**DIGITS):0{DIGITS}}"
    row = {
        "code_hash": _hashed(session, destination, code),
        "merchant_id": merchant_id,
        "expires_at": as_of + LIFE,
        "attempts": 0,
    }
    made = insert(OneTimeCode).values(destination=destination, **row)
    await session.execute(made.on_conflict_do_update(index_elements=["destination"], set_=row))
    return code


async def attempt(
    session: AsyncSession, destination: bytes, merchant_id: uuid.UUID, code: str, as_of: datetime
) -> bool:
    """Whether this is the code, which is not used by that. Commit it whatever it says: the attempt counts."""
    kept = await session.scalar(
        update(OneTimeCode)
        .where(
            OneTimeCode.destination == destination,
            OneTimeCode.merchant_id == merchant_id,
            OneTimeCode.expires_at > as_of,
            OneTimeCode.attempts < TRIES,
        )
        .values(attempts=OneTimeCode.attempts + 1)
        .returning(OneTimeCode.code_hash)
    )
    return kept is not None and hmac.compare_digest(kept, _hashed(session, destination, code))


async def use(session: AsyncSession, destination: bytes, code: str) -> None:
    """Use a code up, in the transaction of what it is used for. Raises WrongOneTimeCode if another was faster."""
    kept = (OneTimeCode.destination == destination, OneTimeCode.code_hash == _hashed(session, destination, code))
    used = await session.execute(delete(OneTimeCode).where(*kept).returning(OneTimeCode.destination))
    if used.first() is None:
        raise WrongOneTimeCode(path=("code",))


async def forget_codes(session: AsyncSession, as_of: datetime) -> None:
    """Delete codes that nobody used in time."""
    await session.execute(delete(OneTimeCode).where(OneTimeCode.expires_at < as_of))


def _hashed(session: AsyncSession, destination: bytes, code: str) -> bytes:
    return digest(session, "one-time code", f"{destination.hex()} {code}")
