"""Applying an alliance file: all of it or nothing, in the caller's transaction."""

import uuid
from collections import defaultdict
from collections.abc import Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import func, select, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncSession

from alliance.accrual.model import FeedRow
from alliance.agreements.model import AgreementRow, AgreementStatus, AgreementVersionRow, StepKind
from alliance.agreements.steps import Act, record
from alliance.exposure.commands import set_caps
from alliance.file.changes import Entry, Kind, Plan
from alliance.file.queries import plan
from alliance.file.reading import AllianceFile
from domain.base import Base, new_id
from domain.members.numbers import lay_out
from domain.programs.model import (
    AllianceRow,
    BenefitRow,
    CurrencyPolicyRow,
    CurrencyRow,
    EarningRuleRow,
    IdentifierTypeRow,
    MemberTermsRow,
    MerchantRow,
    StoreRow,
)
from domain.programs.numbering import number_range

APPLY_LOCK = (0x7E55, 3)
CHANNEL = "tessera_catalogue"

Entries = dict[Kind, list[Entry]]


async def apply(
    session: AsyncSession, file: AllianceFile, as_of: datetime, *, who: uuid.UUID | None = None, why: str = "file"
) -> Plan:
    """Write what the plan says, unless any of it is refused, and tell every process that the catalogue changed.

    What is done about agreements is recorded as the operator's, by whose act and why. One apply at a time: the plan is
    made under a lock that is held to the end of the transaction.
    """
    await lock(session)
    made = await plan(session, file, as_of)
    if made.changed:
        await _write(session, made, as_of, who, why)
        await publish(session)
    return made


async def lock(session: AsyncSession) -> None:
    """Change what the alliance file says alone, until the transaction ends."""
    await session.execute(select(func.pg_advisory_xact_lock(*APPLY_LOCK)))


async def publish(session: AsyncSession) -> None:
    """Tell every process that the catalogue or the agreements in force changed, when the transaction commits."""
    revision = await session.scalar(
        update(AllianceRow).values(revision=AllianceRow.revision + 1).returning(AllianceRow.revision)
    )
    await session.execute(select(func.pg_notify(CHANNEL, str(revision))))


async def _write(session: AsyncSession, made: Plan, as_of: datetime, who: uuid.UUID | None, why: str) -> None:
    entries: Entries = defaultdict(list)
    for entry in made.entries:
        entries[entry.kind].append(entry)
    ended: Entries = defaultdict(list)
    for entry in made.ended:
        ended[entry.kind].append(entry)
    await _upsert(session, AllianceRow, "code", [_alliance(entry) for entry in entries["alliance"]])
    await _upsert(session, IdentifierTypeRow, "type", [_identifier(entry) for entry in entries["identifier"]])
    await _upsert(session, MerchantRow, "code", [_merchant(entry) for entry in entries["merchant"]])
    codes = await session.execute(select(MerchantRow.code, MerchantRow.id))
    merchants = dict(codes.all())
    stores = [{"merchant_id": merchants[entry.key[0]], **entry.body} for entry in entries["store"]]
    await _upsert(session, StoreRow, "merchant_id code", stores)
    benefits = [
        {"merchant_id": merchants[entry.key[0]], "code": entry.key[1], "definition": entry.body}
        for entry in entries["benefit"]
    ]
    await _upsert(session, BenefitRow, "merchant_id code", benefits)
    await _currencies(session, entries["currency"], merchants)
    await _policies(session, entries["policy"], ended["policy"])
    await _rules(session, entries["rule"], ended["rule"], merchants)
    await _upsert(session, MemberTermsRow, "part code", [row for row in map(_member_terms, made.entries) if row])
    await _upsert(session, FeedRow, "code", [_feed(entry, merchants) for entry in entries["feed"]])
    operator = (await session.scalars(select(AllianceRow.id))).one()
    act = Act(operator, who or operator, why, as_of)
    await _agreements(session, made, entries["agreement"], ended["agreement"], merchants, act)
    ranges = {merchants[entry.key[0]]: entry.body["settings"].get("memberNumbers") for entry in entries["merchant"]}
    await lay_out(session, {merchant_id: number_range(said) for merchant_id, said in ranges.items()})
    if entries["merchant"]:  # last: postings may have to wait for it
        await set_caps(session, as_of)


async def _upsert(session: AsyncSession, table: type[Base], key: str, rows: Sequence[dict[str, Any]]) -> None:
    """Insert the rows, or set their other columns where the key is there already."""
    if not rows:
        return
    keys = key.split()
    statement = insert(table)
    columns = {name: statement.excluded[name] for name in rows[0] if name not in (*keys, "id", "revision")}
    await session.execute(statement.on_conflict_do_update(index_elements=keys, set_=columns), rows)


def _alliance(entry: Entry) -> dict[str, Any]:
    body = entry.body
    return {
        "id": new_id(),
        "code": body["code"],
        "name": body["name"],
        "settlement_currency": body["settlementCurrency"],
        "timezone": body["timezone"],
        "terms": _without(body, "code", "name", "settlementCurrency", "timezone"),
        "revision": 0,
    }


def _identifier(entry: Entry) -> dict[str, Any]:
    return {"type": entry.key[0], "definition": _without(entry.body, "type")}


def _merchant(entry: Entry) -> dict[str, Any]:
    body = _without(entry.body, "partnerFiles")
    absent = {"tiers": None, "notifications": None, "invoice": None}
    return {"id": new_id(), **absent, **body, "partner_files": entry.body["partnerFiles"]}


def _feed(entry: Entry, merchants: dict[str, uuid.UUID]) -> dict[str, Any]:
    body = entry.body
    return {"id": new_id(), "code": body["code"], "merchant_id": merchants[body["merchant"]]} | {
        "definition": _without(body, "code", "merchant")
    }


def _member_terms(entry: Entry) -> dict[str, Any] | None:
    """The row of what the section `members` says; None for what is said elsewhere."""
    match entry.kind:
        case "members":
            return {"part": entry.key[0], "code": "", "definition": entry.body}
        case "attribute":
            return {"part": "attributes", "code": entry.key[0], "definition": entry.body}
        case "tag":
            return {"part": "tags", "code": "/".join(entry.key), "definition": entry.body}
        case "terms":
            return {"part": "terms", "code": f"{entry.name}/{entry.version}", "definition": entry.body}
        case _:
            return None


def _without(body: dict[str, Any], *keys: str) -> dict[str, Any]:
    return {key: value for key, value in body.items() if key not in keys}


async def _currencies(session: AsyncSession, entries: list[Entry], merchants: dict[str, uuid.UUID]) -> None:
    """A merchant has one default at a time: the old one gives way before the new one is set."""
    rows = [
        {**_without(entry.body, "merchant", "default"), "merchant_id": merchants[entry.body["merchant"]]}
        | {"is_default": entry.body["default"]}
        for entry in entries
    ]
    changing = {row["merchant_id"] for row in rows if row["is_default"]}
    await session.execute(update(CurrencyRow).where(CurrencyRow.merchant_id.in_(changing)).values(is_default=False))
    await _upsert(session, CurrencyRow, "code", rows)


def _span(entry: Entry) -> dict[str, Any]:
    valid_from, valid_to = entry.instants()
    return {"version": entry.version, "valid_from": valid_from, "valid_to": valid_to}


async def _end(session: AsyncSession, table: type[Base], rows: Sequence[dict[str, Any]]) -> None:
    """Set the end of versions that others take the place of, before these are written: spans never overlap."""
    for row in rows:
        keys = {name: value for name, value in row.items() if name not in ("valid_from", "valid_to")}
        await session.execute(update(table).filter_by(**keys).values(valid_to=row["valid_to"]))


async def _policies(session: AsyncSession, entries: list[Entry], ended: list[Entry]) -> None:
    await _end(session, CurrencyPolicyRow, [{"currency": entry.key[0], **_span(entry)} for entry in ended])
    rows = [{"currency": entry.key[0], "definition": entry.body, **_span(entry)} for entry in entries]
    await _upsert(session, CurrencyPolicyRow, "currency version", rows)


async def _rules(
    session: AsyncSession, entries: list[Entry], ended: list[Entry], merchants: dict[str, uuid.UUID]
) -> None:
    def row(entry: Entry) -> dict[str, Any]:
        return {"merchant_id": merchants[entry.key[0]], "code": entry.key[1], **_span(entry)}

    await _end(session, EarningRuleRow, [row(entry) for entry in ended])
    rows = [{**row(entry), "definition": entry.body} for entry in entries]
    await _upsert(session, EarningRuleRow, "merchant_id code version", rows)


async def _agreements(
    session: AsyncSession,
    made: Plan,
    entries: list[Entry],
    ended: list[Entry],
    merchants: dict[str, uuid.UUID],
    act: Act,
) -> None:
    def pair(entry: Entry) -> tuple[uuid.UUID, uuid.UUID]:
        a, b = sorted(merchants[code] for code in entry.key)
        return a, b

    pairs = {pair(entry) for entry in entries}
    agreements = [{"id": new_id(), "merchant_a": a, "merchant_b": b} for a, b in sorted(pairs)]
    if agreements:
        await session.execute(insert(AgreementRow).on_conflict_do_nothing(), agreements)
    known = {(row.merchant_a, row.merchant_b): row.id for row in await session.scalars(select(AgreementRow))}

    def row(entry: Entry) -> dict[str, Any]:
        return {"agreement_id": known[pair(entry)], **_span(entry)}

    def status(entry: Entry) -> AgreementStatus:
        proposed = (entry.key, entry.version) in made.proposed
        return AgreementStatus.PROPOSED if proposed else AgreementStatus.IN_FORCE

    await _end(session, AgreementVersionRow, [row(entry) for entry in ended])
    rows = [{**row(entry), "status": status(entry), "terms": entry.body} for entry in entries]
    await _upsert(session, AgreementVersionRow, "agreement_id version", rows)
    steps = {AgreementStatus.PROPOSED: StepKind.PROPOSED, AgreementStatus.IN_FORCE: StepKind.ACCEPTED}
    await record(session, [(row["agreement_id"], row["version"], steps[row["status"]]) for row in rows], act)
