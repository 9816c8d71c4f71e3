"""What was applied, read back as the document it came from."""

from asyncio import to_thread
from collections import defaultdict
from dataclasses import dataclass, field
from datetime import datetime
from io import StringIO
from typing import Any
from zoneinfo import ZoneInfo

from ruamel.yaml import YAML
from ruamel.yaml.scalarstring import DoubleQuotedScalarString
from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import aliased

from alliance.accrual.model import FeedRow
from alliance.agreements.model import NEVER, AgreementRow, AgreementStatus, AgreementVersionRow
from alliance.file.agreement import Agreement
from alliance.file.changes import Plan, Stored, compare
from alliance.file.model import AllianceDocument
from alliance.file.reading import AllianceFile
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

NOT_EMPTY = frozenset({"kinds", "read", "write"})
"""Keys that are lists of something unless they are said to be empty."""


async def plan(session: AsyncSession, file: AllianceFile, as_of: datetime) -> Plan:
    """What applying the file now would change; writes nothing."""
    return compare(await read(session), file.document, as_of, file.line_of)


async def export(session: AsyncSession) -> str:
    """All that was applied, as the text of an alliance file. Empty before the first apply."""
    stored = await read(session)
    if stored is None:
        return ""
    yaml = YAML()
    yaml.default_flow_style = None
    yaml.width = 120
    yaml.representer.ignore_aliases = lambda _: True
    yaml.indent(mapping=2, sequence=4, offset=2)
    text = StringIO()
    yaml.dump(_tidy(_exported(stored).model_dump(exclude_none=True)), text)
    return text.getvalue()


def _exported(stored: Stored) -> AllianceDocument:
    """Without what merchants have proposed where the operator's file would put it in force."""
    document = stored.document
    if document.alliance.consent == "merchants":
        return document
    kept = [one for one in document.agreements if (tuple(sorted(one.merchants)), one.version) not in stored.proposed]
    return document.model_copy(update={"agreements": kept})


def _tidy(value: Any) -> Any:
    """Without lists that are empty by default, and with quotes where the library forgets that `?` begins a key."""
    if isinstance(value, dict):
        return {key: _tidy(inner) for key, inner in value.items() if inner != [] or key in NOT_EMPTY}
    if isinstance(value, str) and value.startswith("?"):
        return DoubleQuotedScalarString(value)
    return [_tidy(inner) for inner in value] if isinstance(value, list) else value


async def read(session: AsyncSession) -> Stored | None:
    """What was applied; None before the first apply."""
    alliance = (await session.scalars(select(AllianceRow))).one_or_none()
    if alliance is None:
        return None
    agreements = await _agreements(session, ZoneInfo(alliance.timezone))
    names = {"code": alliance.code, "name": alliance.name, "settlementCurrency": alliance.settlement_currency}
    types = await session.scalars(select(IdentifierTypeRow).order_by(IdentifierTypeRow.type))
    document = {
        "alliance": names | {"timezone": alliance.timezone} | alliance.terms,
        "identifiers": [{"type": row.type} | row.definition for row in types],
        "merchants": await _merchants(session),
        "agreements": agreements.counting,
        "feeds": await _feeds(session),
        "members": await _members(session),
    }
    return Stored(
        await to_thread(AllianceDocument.model_validate, document),
        frozenset(agreements.proposed),
        frozenset(agreements.ended),
        agreements.closed,
    )


async def _merchants(session: AsyncSession) -> list[dict[str, Any]]:
    policies: dict[str, list[dict[str, Any]]] = defaultdict(list)
    for policy in await session.scalars(select(CurrencyPolicyRow).order_by(CurrencyPolicyRow.version)):
        policies[policy.currency].append({"version": policy.version} | policy.definition)
    parts: dict[Any, dict[str, list[Any]]] = defaultdict(
        lambda: {"stores": [], "currencies": [], "earning": [], "benefits": []}
    )
    for benefit in await session.scalars(select(BenefitRow).order_by(BenefitRow.code)):
        parts[benefit.merchant_id]["benefits"].append({"code": benefit.code} | benefit.definition)
    for store in await session.scalars(select(StoreRow).order_by(StoreRow.code)):
        parts[store.merchant_id]["stores"].append({"code": store.code, "name": store.name})
    for currency in await session.scalars(select(CurrencyRow).order_by(CurrencyRow.code)):
        parts[currency.merchant_id]["currencies"].append(_currency(currency, policies[currency.code]))
    for rule in await session.scalars(select(EarningRuleRow).order_by(EarningRuleRow.code, EarningRuleRow.version)):
        parts[rule.merchant_id]["earning"].append({"code": rule.code, "version": rule.version} | rule.definition)
    return [
        {
            "code": row.code,
            "name": row.name,
            "jurisdiction": row.jurisdiction,
            "timezone": row.timezone,
            "settings": row.settings,
            "settlement": row.settlement,
            "invoice": row.invoice,
            "tiers": row.tiers,
            "notifications": row.notifications,
            "partnerFiles": row.partner_files,
            **parts[row.id],
        }
        for row in await session.scalars(select(MerchantRow).order_by(MerchantRow.code))
    ]


def _currency(row: CurrencyRow, policies: list[dict[str, Any]]) -> dict[str, Any]:
    """The first version of the policy is written on the currency itself."""
    names = {"code": row.code, "kind": row.kind, "default": row.is_default, "name": row.name, "scale": row.scale}
    first = {key: value for key, value in policies[0].items() if key != "version"}
    return names | first | {"policies": policies[1:]}


async def _members(session: AsyncSession) -> dict[str, Any] | None:
    """The section `members`; None where there is none."""
    section: dict[str, Any] = {}
    for row in await session.scalars(select(MemberTermsRow).order_by(MemberTermsRow.part, MemberTermsRow.code)):
        if row.code:
            section.setdefault(row.part, []).append({"code": row.code} | row.definition)
        else:
            section[row.part] = row.definition
    return section or None


async def _feeds(session: AsyncSession) -> list[dict[str, Any]]:
    query = select(FeedRow, MerchantRow.code).join(MerchantRow, MerchantRow.id == FeedRow.merchant_id)
    rows = await session.execute(query.order_by(FeedRow.code))
    return [{"code": row.code, "merchant": merchant} | row.definition for row, merchant in rows]


Version = tuple[tuple[str, ...], int]


@dataclass(slots=True)
class _Agreements:
    """Versions as `Stored` has them; those of its document are `counting`, or will be."""

    counting: list[dict[str, Any]] = field(default_factory=list)
    proposed: set[Version] = field(default_factory=set)
    ended: set[Version] = field(default_factory=set)
    closed: dict[Version, tuple[str, dict[str, Any]]] = field(default_factory=dict)


async def _agreements(session: AsyncSession, zone: ZoneInfo) -> _Agreements:
    one, other = aliased(MerchantRow), aliased(MerchantRow)
    rows = await session.execute(
        select(one.code, other.code, AgreementVersionRow)
        .select_from(AgreementRow)
        .join(AgreementVersionRow, AgreementVersionRow.agreement_id == AgreementRow.id)
        .join(one, one.id == AgreementRow.merchant_a)
        .join(other, other.id == AgreementRow.merchant_b)
    )
    found = _Agreements()
    for a, b, row in rows:
        pair = tuple(sorted((a, b)))
        values = {"merchants": list(pair), "version": row.version} | row.terms
        match row.status:
            case status if status in NEVER or row.valid_to == row.valid_from:
                terms = Agreement.model_validate(values).dump("merchants", "version")
                found.closed[pair, row.version] = (row.status, terms)
                continue
            case AgreementStatus.PROPOSED:
                found.proposed.add((pair, row.version))
            case AgreementStatus.ENDED if row.valid_to is not None:
                found.ended.add((pair, row.version))
                values["to"] = row.valid_to.astimezone(zone).date().isoformat()
        found.counting.append(values)
    found.counting.sort(key=lambda agreement: (agreement["merchants"], agreement["version"]))
    return found
