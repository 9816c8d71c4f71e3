"""Reading members: many keys in, many rows out. `merchant_id` limits an answer to who has joined that merchant."""

import uuid
from collections.abc import Sequence
from datetime import datetime
from typing import Any, TypeVar

from sqlalchemy import ARRAY, ColumnElement, Select, Uuid, any_, cast, func, outerjoin, select, text
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncSession
from sqlalchemy.orm import InstrumentedAttribute

from domain.errors import InvalidInput, NotFound, Refusal
from domain.ledger.aliases import MemberAlias, absorbed
from domain.members import rules
from domain.members.model import (
    Identifier,
    Member,
    MemberIdentifier,
    MemberNumber,
    MemberRef,
    Membership,
    Resolved,
)
from domain.members.sealing import field_of, hashed
from domain.privacy.model import MemberKey
from domain.privacy.vault import vault_of
from domain.programs.catalogue import Catalogue

_RESOLVE = text("""
    WITH found AS (
        SELECT place, merchant_id, holder_id
        FROM unnest(CAST(:places AS integer[]), CAST(:merchants AS uuid[]), CAST(:types AS text[]),
                    CAST(:issuers AS text[]), CAST(:values AS text[])) AS a (place, merchant_id, type, issuer, value)
        JOIN identifier_owner USING (type, issuer, value)
        UNION ALL
        SELECT place, merchant_id, holder_id
        FROM unnest(CAST(:number_places AS integer[]), CAST(:number_merchants AS uuid[]), CAST(:serials AS bigint[]))
            AS a (place, merchant_id, serial)
        JOIN member_number USING (serial)
        UNION ALL
        SELECT place, merchant_id, id
        FROM unnest(CAST(:id_places AS integer[]), CAST(:id_merchants AS uuid[]), CAST(:ids AS uuid[]))
            AS a (place, merchant_id, id)
        JOIN member USING (id)
    )
    SELECT place, now.holder_id, membership.holder_id IS NOT NULL AS joined
    FROM found LEFT JOIN member_alias USING (holder_id)
    CROSS JOIN LATERAL (SELECT coalesce(survivor_id, found.holder_id) AS holder_id) AS now
    LEFT JOIN membership ON membership.holder_id = now.holder_id AND membership.merchant_id = found.merchant_id
""")


async def resolve(
    session: AsyncSession | AsyncConnection, catalogue: Catalogue, asked: Sequence[tuple[str, MemberRef]]
) -> list[Resolved | Refusal]:
    """Who each (merchant code, reference) names, in order, in one statement.

    An answer is NotFound for a merchant or a member that is not there, InvalidInput for an identifier that cannot be.
    """
    answers: list[Resolved | Refusal | None] = [None] * len(asked)
    columns: dict[str, list[Any]] = {name: [] for name in (*_BY_IDENTIFIER, *_BY_NUMBER, *_BY_ID)}
    for place, (code, ref) in enumerate(asked):
        try:
            names, values = _look_up(session, catalogue, code, ref)
        except Refusal as refusal:
            answers[place] = refusal
        else:
            for name, value in zip(names, (place, *values), strict=True):
                columns[name].append(value)
    for place, holder_id, joined in await session.execute(_RESOLVE, columns):
        answers[place] = Resolved(holder_id, joined)
    return [NotFound(what="member", path=("member",)) if answer is None else answer for answer in answers]


_BY_IDENTIFIER = ("places", "merchants", "types", "issuers", "values")
_BY_NUMBER = ("number_places", "number_merchants", "serials")
_BY_ID = ("id_places", "id_merchants", "ids")


def _look_up(
    session: AsyncSession | AsyncConnection, catalogue: Catalogue, code: str, ref: MemberRef
) -> tuple[tuple[str, ...], tuple[Any, ...]]:
    """By which columns a reference is looked up, and its values there, but for its place. Raises a Refusal."""
    merchant = rules.merchant_of(catalogue, code)
    if isinstance(ref, uuid.UUID):
        return _BY_ID, (merchant.id, ref)
    if isinstance(ref, str):
        serial = rules.serial_of(ref)
        if serial is None:
            raise NotFound(what="member", path=("member",))
        return _BY_NUMBER, (merchant.id, serial)
    try:
        key = rules.identifier_key(catalogue, merchant, ref)
    except InvalidInput as refusal:
        raise refusal.at("member", "identifier") from None
    return _BY_IDENTIFIER, (merchant.id, key[0], key[1], hashed(session, key))


async def by_ids(
    session: AsyncSession, ids: Sequence[uuid.UUID], merchant_id: uuid.UUID | None = None
) -> dict[uuid.UUID, Member]:
    """The members with these ids, by the id as asked: who was merged is whom they are now."""
    asked = select(func.unnest(cast(list(ids), ARRAY(Uuid()))).label("id")).subquery()
    now = func.coalesce(MemberAlias.survivor_id, asked.c.id)
    alias = asked.outerjoin(MemberAlias, MemberAlias.holder_id == asked.c.id)
    wanted = select(asked.c.id.label("asked"), Member).select_from(alias.join(Member, Member.id == now))
    return {row.asked: row.Member for row in await session.execute(within(wanted, merchant_id))}


async def by_numbers(
    session: AsyncSession, numbers: Sequence[str], merchant_id: uuid.UUID | None = None
) -> dict[str, Member]:
    """The members with these numbers, by the number as asked; mistyped ones are not found. As by ids."""
    serials = {number: serial for number in numbers if (serial := rules.serial_of(number)) is not None}
    alias = outerjoin(MemberNumber, MemberAlias, MemberAlias.holder_id == MemberNumber.holder_id)
    now = func.coalesce(MemberAlias.survivor_id, MemberNumber.holder_id)
    wanted = select(MemberNumber.serial, Member).select_from(alias.join(Member, Member.id == now))
    rows = await session.execute(within(wanted.where(MemberNumber.serial.in_(set(serials.values()))), merchant_id))
    found = {row.serial: row.Member for row in rows}
    return {number: found[serial] for number, serial in serials.items() if serial in found}


async def as_numbered(session: AsyncSession, number: str) -> uuid.UUID | None:
    """Who was given this number, whoever they are by now; None for nobody."""
    serial = rules.serial_of(number)
    held = select(MemberNumber.holder_id).where(MemberNumber.serial == serial)
    return None if serial is None else await session.scalar(held)


async def identifiers(session: AsyncSession, ids: Sequence[uuid.UUID]) -> dict[uuid.UUID, list[Identifier]]:
    """What each of these members is recognised by, oldest first, values in full (see rules.mask); also what those were
    who were merged into them."""
    vault = vault_of(session)
    became = {one: id_ for id_, others in (await absorbed(session, ids)).items() for one in others}
    holders = [*ids, *became]
    wanted = (
        select(MemberIdentifier, MemberKey.wrapped_by, MemberKey.wrapped)
        .join(MemberKey, MemberKey.holder_id == MemberIdentifier.holder_id)
        .where(_is_in(MemberIdentifier.holder_id, holders), MemberKey.wrapped.is_not(None))
    )
    found: dict[uuid.UUID, list[Identifier]] = {id_: [] for id_ in ids}
    for row, by, wrapped in await session.execute(wanted):
        assert by is not None, "what is wrapped was wrapped by something"
        assert wrapped is not None, "it was asked for"
        value = vault.open(row.holder_id, (by, wrapped), field_of(row.type, row.issuer), row.sealed)
        assert value is not None, "there is a key"
        holder_id = became.get(row.holder_id, row.holder_id)
        known_by = Identifier(holder_id, row.type, row.issuer, value, row.linked_at, row.verified_at)
        found[holder_id].append(known_by)
    for of_one in found.values():
        of_one.sort(key=lambda one: (one.linked_at, one.type, one.value))
    return found


async def memberships(
    session: AsyncSession, ids: Sequence[uuid.UUID], merchant_id: uuid.UUID | None = None
) -> dict[uuid.UUID, list[Membership]]:
    """Where each of these members has joined, first one first; only that of `merchant_id` if it is given."""
    wanted = select(Membership).where(_is_in(Membership.holder_id, ids))
    if merchant_id is not None:
        wanted = wanted.where(Membership.merchant_id == merchant_id)
    found: dict[uuid.UUID, list[Membership]] = {id_: [] for id_ in ids}
    for row in await session.scalars(wanted.order_by(Membership.joined_at, Membership.merchant_id)):
        found[row.holder_id].append(row)
    return found


Q = TypeVar("Q", bound=Select[*tuple[Any, ...]])


async def joined_at(session: AsyncSession, member_id: uuid.UUID, merchant_id: uuid.UUID) -> datetime | None:
    """When a member joined a merchant's programme, or else the alliance."""
    joined = select(Membership.joined_at).where(
        Membership.holder_id == member_id, Membership.merchant_id == merchant_id
    )
    member = select(Member.joined_at).where(Member.id == member_id)
    return await session.scalar(joined) or await session.scalar(member)


def within(query: Q, merchant_id: uuid.UUID | None) -> Q:
    """Only members who have joined this merchant."""
    if merchant_id is None:
        return query
    return query.join(Membership, Membership.holder_id == Member.id).where(Membership.merchant_id == merchant_id)


def _is_in(column: InstrumentedAttribute[uuid.UUID], ids: Sequence[uuid.UUID]) -> ColumnElement[bool]:
    """One parameter however many ids, so that the statement is prepared once."""
    return column == any_(cast(list(ids), ARRAY(Uuid())))
