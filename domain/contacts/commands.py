"""Consents are recorded, and preferences set, in the caller's transaction."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from uuid import UUID
from zoneinfo import available_timezones

from sqlalchemy import func
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncSession

from domain.base import new_id
from domain.contacts.model import Consent, ContactPreference, NewConsent
from domain.errors import InvalidInput

_LANGUAGE = re.compile(r"[a-z]{2,3}(-[A-Za-z0-9]{2,8})*")


async def record(session: AsyncSession, consents: Sequence[NewConsent]) -> None:
    """Keep what members gave or withdrew, in order."""
    if consents:
        await session.execute(insert(Consent), [asdict(consent) | {"id": new_id()} for consent in consents])


async def set_preference(
    session: AsyncSession, holder_id: UUID, *, language: str | None = None, timezone: str | None = None
) -> None:
    """Keep what is named; what is None stays. Raises InvalidInput for what is no language tag or time zone."""
    check_preference(language, timezone)
    if language is not None or timezone is not None:
        await set_preferences(session, {holder_id: (language, timezone)})


def check_preference(language: str | None, timezone: str | None) -> None:
    """Raises InvalidInput for what is no language tag or time zone."""
    if language is not None and _LANGUAGE.fullmatch(language) is None:
        raise InvalidInput(reason="must be a language tag such as en or zh-CN", path=("language",))
    if timezone is not None and timezone not in available_timezones():
        raise InvalidInput(reason="must be a time zone of the IANA database", path=("timezone",))


async def set_preferences(session: AsyncSession, said: Mapping[UUID, tuple[str | None, str | None]]) -> None:
    """Keep the (language, timezone) of each of these holders; what is None stays. Both were checked."""
    if not said:
        return
    rows = [{"holder_id": id_, "language": said[id_][0], "timezone": said[id_][1]} for id_ in sorted(said)]
    row = insert(ContactPreference).values(rows)
    kept = {
        "language": func.coalesce(row.excluded.language, ContactPreference.language),
        "timezone": func.coalesce(row.excluded.timezone, ContactPreference.timezone),
    }
    await session.execute(row.on_conflict_do_update(index_elements=["holder_id"], set_=kept))
