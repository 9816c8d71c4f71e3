"""A small alliance at work: short ways to earn, spend and exchange in the sample alliance, and to read what is owed."""

import uuid
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

from sqlalchemy import insert, select, text
from sqlalchemy.dialects.postgresql import insert as upsert
from sqlalchemy.ext.asyncio import AsyncSession

from alliance.agreements.book import AgreementBook, AgreementVersion
from alliance.agreements.model import AgreementRow, AgreementVersionRow
from alliance.clearing.commands import earn_request, redeem_request, reverse_request
from alliance.clearing.model import Obligation
from alliance.exchange.commands import exchange_request, quote_request
from alliance.exchange.model import Quote
from alliance.runtime import Runtime
from alliance.settlement import commands as settlement
from alliance.settlement import paying
from alliance.settlement.closing import close_cycle, drained, open_next
from alliance.settlement.model import SettlementCycle
from domain.base import new_id
from domain.ledger.model import Lot
from domain.ledger.request import Key, Posted
from domain.members.model import Member
from domain.money import unscaled
from domain.programs.model import MerchantRow

NOON = datetime(2017, 6, 1, 16, tzinfo=UTC)
CLIENT = uuid.UUID(int=7)
WHO = uuid.UUID(int=8)


async def agreed(
    session: AsyncSession, pairs: Iterable[tuple[uuid.UUID, uuid.UUID]]
) -> dict[tuple[uuid.UUID, uuid.UUID], uuid.UUID]:
    """The agreement of each pair, of nothing in particular, where there was none; who is no merchant becomes one."""
    ordered = {(a, b): (min(a, b), max(a, b)) for a, b in pairs}
    parties = sorted({party for pair in ordered.values() for party in pair})
    columns = (MerchantRow.jurisdiction, MerchantRow.timezone, MerchantRow.settings)
    like = (await session.execute(select(*columns).where(MerchantRow.code == "grocer"))).mappings().one()
    house = {**like, "name": "House", "settlement": {"collateral": "0.00", "creditLimit": None}}
    merchants = [house | {"id": party, "code": f"house-{party}"} for party in parties]
    await session.execute(upsert(MerchantRow).on_conflict_do_nothing(), merchants)
    agreements = [{"merchant_a": a, "merchant_b": b} for a, b in sorted(set(ordered.values()))]
    await session.execute(upsert(AgreementRow).on_conflict_do_nothing(), agreements)
    rows = await session.execute(select(AgreementRow.merchant_a, AgreementRow.merchant_b, AgreementRow.id))
    known = {(a, b): id_ for a, b, id_ in rows}
    some = (await session.execute(select(AgreementVersionRow.terms).limit(1))).scalar_one()
    terms = {name: [] for name, term in some.items() if isinstance(term, list)}
    version = {"version": 1, "valid_from": datetime(2017, 1, 1, tzinfo=UTC), "status": "IN_FORCE", "terms": terms}
    versions = [version | {"agreement_id": known[pair]} for pair in sorted(set(ordered.values()))]
    await session.execute(upsert(AgreementVersionRow).on_conflict_do_nothing(), versions)
    return {pair: known[both] for pair, both in ordered.items()}


def key(value: str | None = None) -> Key:
    """A key of the test's client; a new one unless named."""
    return Key(CLIENT, CLIENT, value or uuid.uuid4().hex, b"same")


@dataclass(slots=True)
class House:
    """The sample alliance (grocer GRO, fuel FUE) with its engine."""

    runtime: Runtime
    agreed: dict[int, AgreementVersion] = field(default_factory=dict)

    def id(self, code: str) -> uuid.UUID:
        """A merchant's id; the operator's for "operator"."""
        catalogue = self.runtime.catalogue
        return catalogue.alliance.id if code == "operator" else catalogue.merchants[code].id

    def code(self, id_: uuid.UUID) -> str:
        """The opposite of `id`."""
        merchant = self.runtime.catalogue.merchants_by_id.get(id_)
        return merchant.code if merchant else "operator"

    async def member(self, status: str = "ACTIVE", jurisdiction: str | None = None) -> uuid.UUID:
        """A new member."""
        id_ = new_id()
        row = {"id": id_, "number": id_.hex, "status": status, "joined_at": NOON, "jurisdiction": jurisdiction}
        async with self.runtime.database.transaction() as session:
            await session.execute(insert(Member).values(row))
        return id_

    async def earn(self, member: uuid.UUID, at: str, points: int, of: str = "GRO", **named: Any) -> Posted:
        """Grant explicit points."""
        request = earn_request(
            self.runtime,
            member_id=member,
            merchant=self.runtime.catalogue.merchants[at],
            points=points,
            currency=of,
            **_common(named),
        )
        return await self.runtime.engine.post(request)

    async def spend(self, member: uuid.UUID, at: str, points: int, of: str = "GRO", **named: Any) -> Posted:
        """Spend points."""
        request = redeem_request(
            self.runtime,
            member_id=member,
            merchant=self.runtime.catalogue.merchants[at],
            points=points,
            currency=of,
            **_common(named),
        )
        return await self.runtime.engine.post(request)

    async def quote(self, member: uuid.UUID, source: str = "GRO", target: str = "FUE", **named: Any) -> Quote:
        """Ask for a quote."""
        named = {"key": key(), "as_of": NOON, "client_id": CLIENT} | named
        request = quote_request(self.runtime, member_id=member, source=source, target=target, **named)
        await self.runtime.engine.post(request)
        assert request.offered is not None
        return request.offered[0]

    async def use(self, member: uuid.UUID, offered: Quote, **named: Any) -> Posted:
        """Exchange at a quote."""
        named = {"key": key(), "as_of": NOON, "client_id": CLIENT} | named
        async with self.runtime.database.session() as session:
            request = await exchange_request(session, self.runtime, member_id=member, quote_id=offered.id, **named)
        return await self.runtime.engine.post(request)

    async def reverse(self, member: uuid.UUID, posted: Posted, **named: Any) -> Posted:
        """Undo an operation."""
        assert posted.operation_id is not None
        request = reverse_request(
            self.runtime, holder_id=member, operation_id=posted.operation_id, reason="returned", **_common(named)
        )
        return await self.runtime.engine.post(request)

    async def owed(self, posted: Posted | None = None) -> list[tuple[str, str, str, int, str]]:
        """What an operation (or all) made owed: kind, debtor, creditor, points, amount."""
        query = select(Obligation).order_by(Obligation.operation_id, Obligation.seq)
        if posted is not None:
            query = query.where(Obligation.operation_id == posted.operation_id)
        async with self.runtime.database.session() as session:
            return [
                (o.kind, self.code(o.debtor_id), self.code(o.creditor_id), o.points, unscaled(o.amount, 6))
                for o in await session.scalars(query)
            ]

    async def obligations(self) -> Sequence[Obligation]:
        """All rows."""
        async with self.runtime.database.session() as session:
            return (await session.scalars(select(Obligation).order_by(Obligation.operation_id, Obligation.seq))).all()

    async def lots(self, member: uuid.UUID, currency: str) -> Sequence[Lot]:
        """A wallet's lots, oldest first."""
        async with self.runtime.database.session() as session:
            query = select(Lot).where(Lot.holder_id == member, Lot.currency == currency).order_by(Lot.id)
            return (await session.scalars(query)).all()

    async def close(self, as_of: datetime = NOON) -> SettlementCycle:
        """Close the open cycle."""
        async with self.runtime.database.transaction() as session:
            begun = await open_next(session, as_of=as_of)
        async with self.runtime.database.transaction() as session:
            await drained(session)
            return await close_cycle(session, begun.id, who=WHO, why="test", as_of=as_of)

    async def step(self, name: str, cycle: SettlementCycle, **named: Any) -> SettlementCycle:
        """Take a cycle one step on, by the name of its command."""
        command = getattr(settlement, name, None) or getattr(paying, name)
        house = (self.runtime.catalogue.alliance,) if name in ("issue_statements", "net_cycle", "abort_cycle") else ()
        early = {"early": True} if name == "confirm_statement" else {}
        named = {"who": WHO, "why": "test", "as_of": NOON} | early | named
        async with self.runtime.database.transaction() as session:
            moved: SettlementCycle = await command(session, *house, cycle.id, **named)
            return moved

    async def through(self, cycle: SettlementCycle, last: str = "record_receipts") -> SettlementCycle:
        """Take a closed cycle up to and including the step `last`."""
        for name in ("issue_statements", "confirm_statement", "net_cycle", "settle_cycle", "record_receipts"):
            cycle = await self.step(name, cycle)
            if name == last or cycle.status == "SETTLED":
                break
        return cycle

    async def count(self, table: str) -> int:
        """Rows of a table."""
        async with self.runtime.database.session() as session:
            return int(await session.scalar(text(f"SELECT count(*) FROM {table}")) or 0)

    def version(self, moment: datetime = NOON) -> AgreementVersion:
        """The agreement of grocer and fuel."""
        found = self.runtime.agreements.between(self.id("grocer"), self.id("fuel"), moment)
        assert found is not None
        return found

    def agree(self, *versions: AgreementVersion) -> None:
        """Put these versions in force between grocer and fuel, in place of the sample's."""
        pair = frozenset((self.id("grocer"), self.id("fuel")))
        self.runtime.agreements = AgreementBook({**self.runtime.agreements.pairs, pair: versions})
        self.agreed |= {version.version: version for version in versions}

    async def keep_agreed(self) -> None:
        """Write down what was put in force, so that the books can be proved by it."""
        async with self.runtime.database.transaction() as session:
            for version in self.agreed.values():
                row = {"agreement_id": version.agreement_id, "version": version.version, "terms": self._terms(version)}
                row |= {"valid_from": version.valid_from, "valid_to": version.valid_to, "status": "WITHDRAWN"}
                known = upsert(AgreementVersionRow).values(row)
                changes = {"terms": known.excluded.terms}
                await session.execute(known.on_conflict_do_update(constraint="pk_agreement_version", set_=changes))

    def _terms(self, version: AgreementVersion) -> dict[str, Any]:
        """As they are stored, what the books are proved by."""

        def money(price: int) -> dict[str, str]:
            return {"amount": unscaled(price, 8), "currency": "USD"}

        earn = [
            {
                "at": self.code(item.at),
                "of": item.currency,
                "issuePrice": money(item.owed * 100),
                "share": "1",
                "funding": "split",
                "atIssue": str(Decimal(item.at_issue) / (item.owed or 1)),
                "shortfallTo": item.shortfall_to,
            }
            | ({"breakageTo": item.breakage_to} if item.breakage_to else {})
            for item in version.earn.values()
        ]
        redeem = [
            {"at": self.code(at), "of": currency, "redemptionPrice": money(item.owed * 100)}
            for (at, currency), item in version.redeem.items()
        ]
        exchange = [
            {"from": item.source, "to": item.target, "clearingValue": money(item.owed * 100)}
            for item in version.exchange.values()
        ]
        rights = [
            {"grantor": self.code(item.grantor), "at": self.code(item.at), "kind": item.kind}
            | {"price": money(item.price * 100)}
            | ({"noShow": money(item.no_show * 100)} if item.no_show else {})
            for item in version.rights
        ]
        fees = [
            {"for": sorted(fee.events), "payer": fee.payer, "amount": money(fee.amount * 100)}
            | {"share": str(Decimal(fee.share.numerator) / fee.share.denominator)}
            for fee in version.fees
        ]
        return {"earn": earn, "redeem": redeem, "exchange": exchange, "rights": rights, "fees": fees}

    def redeeming(self, owed: int, **changes: Any) -> AgreementVersion:
        """The sample's version with `owed` millionths for a GRO point spent at fuel, and other changes."""
        version = self.version()
        place = (self.id("fuel"), "GRO")
        terms = replace(version.redeem[place], owed=owed, redemption_price=owed * 100)
        return replace(version, redeem={**version.redeem, place: terms}, **changes)


def _common(named: dict[str, Any]) -> dict[str, Any]:
    as_of = named.get("as_of", NOON)
    return {"key": key(), "client_id": CLIENT, "as_of": as_of, "occurred_at": as_of} | named


def days(count: int) -> timedelta:
    """So many days."""
    return timedelta(days=count)
