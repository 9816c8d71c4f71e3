"""Reading pairs, and what members are compared by."""

import uuid
from collections.abc import Mapping, Sequence
from typing import Any, TypeVar

from sqlalchemy import Select, and_, func, or_, select, text, tuple_
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import aliased

from domain.duplicates.model import CandidateStatus, DuplicateCandidate, Features
from domain.duplicates.rules import plain_email, plain_name, plain_phone, plain_words
from domain.members.model import Identifier, Member, MemberStatus
from domain.members.queries import identifiers
from domain.profiles.queries import known
from domain.programs.catalogue import Catalogue
from domain.programs.duplicates import DuplicateTerms

Q = TypeVar("Q", bound=Select[*tuple[Any, ...]])
Cursor = tuple[int, uuid.UUID, uuid.UUID]
"""A probability, and a pair."""

_CUT = text("""
    SELECT id FROM (SELECT id, row_number() OVER (ORDER BY id) - 1 AS n FROM member) numbered
    WHERE n % :size = 0 ORDER BY id
""")
_STORES = text("""
    SELECT holder_id, array_agg(DISTINCT merchant_id || '/' || store) AS stores FROM operation
    WHERE holder_id = ANY(CAST(:ids AS uuid[])) AND store IS NOT NULL GROUP BY holder_id
""")


async def cut_members(session: AsyncSession, size: int) -> Sequence[uuid.UUID]:
    """The first of every `size` members, by id: where ranges begin. Those who have left are among them."""
    return (await session.scalars(_CUT, {"size": size})).all()


async def features_of(
    session: AsyncSession, catalogue: Catalogue, terms: DuplicateTerms, ids: Sequence[uuid.UUID]
) -> list[Features]:
    """What is known of these members that they can be compared by, opened: not to be kept."""
    if not ids:
        return []
    declared = catalogue.members.attributes
    looked_at = {code: declared[code] for code in terms.attributes if code in declared}
    told = await known(session, looked_at, ids) if looked_at else {}
    recognised = await identifiers(session, ids)
    stores = {row.holder_id: tuple(row.stores) for row in await session.execute(_STORES, {"ids": list(ids)})}
    spelt = {one.type: one.normalise for one in catalogue.identifier_types.values()}
    found = []
    for id_ in ids:
        values = {one.code: str(one.value) for one in told.get(id_, ())}
        found.append(
            Features(
                holder_id=id_,
                name=plain_name(values[code] for code in terms.name if code in values),
                birthday=values.get(terms.birthday or "", ""),
                phones=_spelt(recognised[id_], spelt, "e164"),
                emails=_spelt(recognised[id_], spelt, "email"),
                address=" ".join(word for code in terms.address for word in plain_words(values.get(code, ""))),
                stores=stores.get(id_, ()),
            )
        )
    return found


def _spelt(rows: Sequence[Identifier], spelt: Mapping[str, str | None], how: str) -> tuple[str, ...]:
    """Identifiers of whatever type and issuer that are spelt so, in one spelling."""
    plain = plain_phone if how == "e164" else plain_email
    return tuple(dict.fromkeys(plain(row.value) for row in rows if spelt.get(row.type) == how))


async def page(
    session: AsyncSession,
    *,
    size: int,
    status: CandidateStatus,
    after: Cursor | None = None,
    least: int | None = None,
    member_id: uuid.UUID | None = None,
) -> Sequence[DuplicateCandidate]:
    """At most `size` pairs, the most probable first; pairs of members who have left are none."""
    of = DuplicateCandidate
    query = _filtered(select(of), status, least, member_id).limit(size)
    if after is not None:
        place = tuple_(-of.probability, of.one_id, of.other_id)
        query = query.where(place > (-after[0], *after[1:]))
    return (await session.scalars(query.order_by(of.probability.desc(), of.one_id, of.other_id))).all()


async def count(
    session: AsyncSession, *, status: CandidateStatus, least: int | None = None, member_id: uuid.UUID | None = None
) -> int:
    """How many pairs a page with this filter is cut from."""
    counted = select(func.count()).select_from(DuplicateCandidate)
    return (await session.scalars(_filtered(counted, status, least, member_id))).one()


def _filtered(query: Q, status: CandidateStatus, least: int | None, member_id: uuid.UUID | None) -> Q:
    of, one, other = DuplicateCandidate, aliased(Member), aliased(Member)
    if status != CandidateStatus.MERGED:  # one of them is closed then
        query = query.join(one, and_(one.id == of.one_id, one.status != MemberStatus.CLOSED))
        query = query.join(other, and_(other.id == of.other_id, other.status != MemberStatus.CLOSED))
    query = query.where(of.status == status.value)
    if least is not None:
        query = query.where(of.probability >= least)
    if member_id is not None:
        query = query.where(or_(of.one_id == member_id, of.other_id == member_id))
    return query
