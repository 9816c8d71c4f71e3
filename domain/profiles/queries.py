"""Reading what is known of members: many keys in, many rows out."""

from collections.abc import Mapping, Sequence
from uuid import UUID

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncSession

from domain.privacy.vault import open_many
from domain.profiles.commands import field_of
from domain.profiles.model import Known
from domain.profiles.rules import shown
from domain.programs.profiles import Attribute

_KNOWN = text("""
    SELECT holder_id, code, value::text, sealed, merchant_id, set_at FROM member_attribute
    WHERE holder_id = ANY(CAST(:holders AS uuid[])) AND code = ANY(CAST(:codes AS text[]))
    ORDER BY holder_id, code
""")


async def known(
    session: AsyncSession, attributes: Mapping[str, Attribute], holders: Sequence[UUID]
) -> dict[UUID, list[Known]]:
    """What is known of these members, of these attributes; what was sealed under a key that is destroyed is left out.

    One statement, and one more where anything is sealed.
    """
    rows = (await session.execute(_KNOWN, {"holders": list(holders), "codes": list(attributes)})).all()
    sealed = [row for row in rows if row.sealed is not None]
    items = [(row.holder_id, field_of(row.code), row.sealed) for row in sealed]
    texts = await open_many(session, items)
    opened = {(row.holder_id, row.code): said for row, said in zip(sealed, texts, strict=True)}
    found: dict[UUID, list[Known]] = {id_: [] for id_ in holders}
    for row in rows:
        said = row.value if row.sealed is None else opened[row.holder_id, row.code]
        if said is not None:
            value = shown(attributes[row.code], said)
            found[row.holder_id].append(Known(row.code, value, row.merchant_id, row.set_at))
    return found
