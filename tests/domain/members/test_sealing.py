"""Identifiers at rest: a hash to look them up by, and a value that opens for its member alone."""

from datetime import UTC, datetime

import pytest
from sqlalchemy import text

from domain.database import Database
from domain.members.commands import enrol_many, link_identifier
from domain.members.model import EnrolAsk, Enrolled, IdentifierRef, Resolved
from domain.members.queries import identifiers, resolve
from domain.programs.catalogue import Catalogue
from tests.keys import hashed

NOW = datetime(2026, 11, 22, 12, tzinfo=UTC)
CARD, PHONE = IdentifierRef("CARD", None, "9001"), IdentifierRef("PHONE", None, "+16145550100")


@pytest.fixture
async def anna(database: Database, catalogue: Catalogue) -> Enrolled:
    """Known by a card, and by a telephone number that came later."""
    async with database.transaction() as session:
        [answer] = await enrol_many(session, catalogue, [EnrolAsk("grocer", "STORE", None, (CARD,), NOW)])
        assert isinstance(answer, Enrolled)
        linked = {"member_id": answer.member_id, "merchant": "grocer", "ref": PHONE, "as_of": NOW}
        assert await link_identifier(session, catalogue, **linked)  # type: ignore[arg-type]
    return answer


async def test_l07_no_identifier_lies_in_the_tables_as_it_is_shown(database: Database, anna: Enrolled) -> None:
    async with database.session() as session:
        for table in ("identifier_owner", "member_identifier", "member_key"):
            told = str((await session.execute(text(f'SELECT t::text FROM "{table}" t'))).all())
            for value in ("9001", "6145550100"):
                assert value not in told
                assert value.encode().hex() not in told
        owned = "SELECT type, value, holder_id FROM identifier_owner ORDER BY type"
        assert [tuple(row) for row in await session.execute(text(owned))] == [
            ("CARD", hashed("CARD", "9001"), anna.member_id),
            ("PHONE", hashed("PHONE", "+16145550100", ""), anna.member_id),
        ]


async def test_members_are_found_by_what_they_show_and_shown_what_they_are_found_by(
    database: Database, catalogue: Catalogue, anna: Enrolled
) -> None:
    async with database.session() as session:
        asked = [("grocer", CARD), ("grocer", PHONE), ("grocer", IdentifierRef("CARD", None, "9002"))]
        found = await resolve(session, catalogue, asked)
        assert [isinstance(one, Resolved) and one.member_id == anna.member_id for one in found] == [True, True, False]
        known_by = (await identifiers(session, [anna.member_id]))[anna.member_id]
        assert [(one.type, one.value) for one in known_by] == [("CARD", "9001"), ("PHONE", "+16145550100")]


async def test_what_was_sealed_for_one_member_says_nothing_of_another(
    database: Database, catalogue: Catalogue, anna: Enrolled
) -> None:
    other = IdentifierRef("CARD", None, "9002")
    async with database.transaction() as session:
        await enrol_many(session, catalogue, [EnrolAsk("grocer", "STORE", None, (other,), NOW)])
        steal = """UPDATE member_identifier SET sealed = (SELECT sealed FROM member_identifier
                   WHERE holder_id = :anna AND type = 'CARD') WHERE holder_id <> :anna RETURNING holder_id"""
        [thief] = (await session.scalars(text(steal), {"anna": anna.member_id})).all()
        with pytest.raises(ValueError, match="not sealed by this holder"):
            await identifiers(session, [thief])
