"""The roots of reading."""

import asyncio
from datetime import datetime
from typing import Any, cast

import strawberry

from domain.errors import InvalidInput, NotFound
from domain.ledger.errors import OperationArchived
from domain.programs import catalogue as programs
from resolvers import (
    accruals,
    agreements,
    cycles,
    duplicates,
    exposures,
    holds,
    ids,
    jobs,
    lots,
    members,
    notices,
    operations,
    pools,
    progress,
    proofs,
    reconciliation,
    rights,
    rings,
    stored_value,
    wallets,
    webhooks,
)
from resolvers import viewer as access
from resolvers.agreements import AGREEMENT_SHAPE
from resolvers.cycles import CYCLE_SHAPE
from resolvers.exposures import EXPOSURE_SHAPE
from resolvers.members import MEMBER_SHAPE
from resolvers.pages import cut, window
from schema.accruals import AccrualQueries, AccrualRun
from schema.agreements import Agreement, AgreementVersion
from schema.approvals import ApprovalQueries
from schema.breaks import BreakQueries
from schema.calendar import CalendarQueries
from schema.claims import ClaimQueries
from schema.contacts import ContactQueries
from schema.defaults import DefaultQueries
from schema.duplicates import DuplicateCandidate, DuplicateQueries
from schema.enums import ViewerKind
from schema.events import EventQueries
from schema.exposure import Exposure
from schema.holds import Hold
from schema.inputs import MemberFilter, MemberRef
from schema.invoices import InvoiceQueries
from schema.jobs import Job, JobQueries
from schema.liability import LiabilityQueries
from schema.lots import Lot
from schema.members import Member
from schema.merchants import Merchant, PointsCurrency, Store
from schema.node import FETCHED, Connection, Info, Node
from schema.notices import Notice
from schema.obligations import ObligationQueries
from schema.operations import Operation
from schema.partner_files import PartnerFileQueries
from schema.policies import DUPLICATES, JOBS, RUNS
from schema.pools import Pool
from schema.privacy import PrivacyQueries
from schema.profiles import AttributeDefinition
from schema.progress import JobGroup, ProgressQueries
from schema.proofs import ConsistencyProof, LogCheckpoint
from schema.reading import ReadingQueries
from schema.receipts import ReceiptQueries
from schema.reconciliation import Reconciliation, ReconciliationQueries
from schema.reporting import ReportQueries
from schema.rerating import RerateQueries
from schema.rights import Right, RightQueries
from schema.rings import GiftRing
from schema.scalars import CurrencyCode, LogIndex
from schema.settlement import SettlementCycle
from schema.stored_value import Deposit
from schema.terms import Terms
from schema.wallets import Wallet
from schema.webhooks import Webhook, WebhookQueries

MAX_NODES = 100


@strawberry.type(description="Who is asking.")
class Viewer:
    """As the token says."""

    kind: ViewerKind
    scopes: list[str]
    merchant: Merchant | None = strawberry.field(description="For which merchant, if for one.")
    row: strawberry.Private[access.Viewer]

    @strawberry.field(description="Which member, if one.")
    async def member(self, info: Info) -> Member | None:
        """A member's own record."""
        if self.row.member_id is None:
            return None
        found = await info.context.loaders.members.load(self.row.member_id)
        return None if found is None else Member.of(found)


@strawberry.type(description="The alliance of this house.")
class Alliance(Node):
    """One a database."""

    code: str
    name: str
    settlement_currency: CurrencyCode
    timezone: str

    @strawberry.field(description="The cycle into which obligations fall now; null before the first.")
    async def open_cycle(self, info: Info) -> SettlementCycle | None:
        """The open one."""
        found = await cycles.open_one(info.context)
        return None if found is None else SettlementCycle.of(found)

    @strawberry.field(description="What may be known of members, as far as the caller may see or set it.")
    def attributes(self, info: Info) -> list[AttributeDefinition]:
        """From the alliance file."""
        return AttributeDefinition.all(info)

    @strawberry.field(description="The terms of the alliance: what is in force as of now, and what is announced.")
    def terms(self, info: Info) -> list[Terms]:
        """From the alliance file. Those of a merchant's programme are with the merchant."""
        return Terms.all(info, None)

    @strawberry.field(description="Settlement cycles, newest first.")
    async def cycles(
        self, info: Info, first: int | None = None, after: str | None = None
    ) -> Connection[SettlementCycle] | None:
        """Forwards only."""
        page = await cycles.newest(info.context, window(CYCLE_SHAPE, first, after))
        return Connection[SettlementCycle].of(page, SettlementCycle.of)

    @classmethod
    def of(cls, row: programs.Alliance) -> "Alliance":
        """From the catalogue."""
        return cls(
            id=strawberry.ID(ids.encode("Alliance", row.id)),
            code=row.code,
            name=row.name,
            settlement_currency=CurrencyCode(row.settlement_currency),
            timezone=row.timezone.key,
        )


async def fetch(info: Info, global_id: str) -> Node | None:
    """The thing of a global id, or None where it is not there, out of reach, or no id of ours.

    Raises OperationArchived.
    """
    context = info.context
    catalogue = context.runtime.catalogue
    try:
        kind, rest = ids.decode(global_id)
        text = rest.decode(errors="replace")
        match kind:
            case "Member":
                member = await context.loaders.members.load(wallets.holder_of(global_id))
                return None if member is None else Member.of(member)
            case "Wallet":
                wallet = await wallets.by_global_id(context, rest)
                return None if wallet is None else Wallet.of(*wallet)
            case "Operation":
                return Operation.maybe(await operations.by_global_id(context, global_id))
            case "Hold" if access.Scope.POINTS_READ in context.signed_in.scopes:
                hold = await holds.by_global_id(context, global_id)
                return None if hold is None else Hold.of(hold, context.as_of)
            case "Right" if access.Scope.POINTS_READ in context.signed_in.scopes:
                right = await rights.by_global_id(context, global_id)
                return None if right is None else Right.of(right, info)
            case "Pool" if access.Scope.POINTS_READ in context.signed_in.scopes:
                pool = await pools.by_global_id(context, global_id)
                return None if pool is None else Pool.of(pool)
            case "Lot" if access.Scope.POINTS_READ in context.signed_in.scopes:
                lot = await lots.by_global_id(context, global_id)
                return None if lot is None else Lot.of(lot)
            case "Notice" if access.Scope.POINTS_READ in context.signed_in.scopes:
                told = await notices.by_global_id(context, global_id)
                return None if told is None else Notice.of(told)
            case "Job" if JOBS.allows(context.signed_in):
                job = await jobs.by_global_id(context, global_id)
                return None if job is None else Job.of(job)
            case _ if kind in FETCHED:
                policy, load = FETCHED[kind]
                return await load(info, global_id) if policy.allows(context.signed_in) else None
            case "DuplicateCandidate" if DUPLICATES.allows(context.signed_in):
                pair = await duplicates.load(context, *ids.decode_as("DuplicateCandidate", global_id, 2))
                return None if pair is None else DuplicateCandidate.of(pair)
            case "Reconciliation" if JOBS.allows(context.signed_in):
                proof = await reconciliation.by_global_id(context, global_id)
                return None if proof is None else Reconciliation.of(proof)
            case "JobGroup" if JOBS.allows(context.signed_in):
                group = await progress.load_group(context, *ids.decode_as("JobGroup", global_id, 1))
                return None if group is None else JobGroup.of(group)
            case "AccrualRun" if RUNS.allows(context.signed_in):
                run = await accruals.by_global_id(context, global_id)
                return None if run is None else AccrualRun.of(run)
            case "Webhook" if access.Scope.EVENTS_READ in context.signed_in.scopes:
                webhook = await webhooks.load(context, *ids.decode_as("Webhook", global_id, 1))
                return None if webhook is None else Webhook.of(webhook)
            case "Merchant" if text in catalogue.merchants:
                return Merchant.of(catalogue.merchants[text])
            case "PointsCurrency" if text in catalogue.currencies:
                return PointsCurrency.of(catalogue.currencies[text])
            case "Store":
                return _store(info, rest)
            case "SettlementCycle" if access.Scope.SETTLEMENT_READ in context.signed_in.scopes:
                cycle = await cycles.by_global_id(context, global_id)
                return None if cycle is None else SettlementCycle.of(cycle)
            case "Agreement" if access.Scope.SETTLEMENT_READ in context.signed_in.scopes:
                agreement = await agreements.by_global_id(context, global_id)
                return None if agreement is None else Agreement.of(agreement)
            case "AgreementVersion" if access.Scope.SETTLEMENT_READ in context.signed_in.scopes:
                version = await agreements.version_by_global_id(context, global_id)
                return None if version is None else AgreementVersion.of(*version)
            case "Alliance" if rest == catalogue.alliance.id.bytes:
                return Alliance.of(catalogue.alliance)
    except NotFound:
        pass
    return None


async def _fetch_here(info: Info, global_id: str) -> Node | None:
    """As `fetch`; None for what was archived too: one of many that are asked for does not fail the others."""
    try:
        return await fetch(info, global_id)
    except OperationArchived:
        return None


def _store(info: Info, rest: bytes) -> Store | None:
    code = rest[16:].decode(errors="replace")
    for merchant in info.context.runtime.catalogue.merchants.values():
        if merchant.id.bytes == rest[:16] and code in merchant.stores:
            return Store.of(merchant, code)
    return None


@strawberry.type
class Query(
    ReportQueries,
    CalendarQueries,
    ReceiptQueries,
    ApprovalQueries,
    RerateQueries,
    ClaimQueries,
    BreakQueries,
    DefaultQueries,
    PartnerFileQueries,
    InvoiceQueries,
    LiabilityQueries,
    RightQueries,
    ObligationQueries,
    JobQueries,
    AccrualQueries,
    EventQueries,
    ContactQueries,
    PrivacyQueries,
    ReadingQueries,
    DuplicateQueries,
    ReconciliationQueries,
    WebhookQueries,
    ProgressQueries,
):
    """What can be read."""

    @strawberry.field(description="Who am I, as what, with which scopes.")
    def viewer(self, info: Info) -> Viewer:
        """As the token says."""
        row = info.context.signed_in
        house = None if row.merchant_id is None else info.context.runtime.catalogue.merchants_by_id.get(row.merchant_id)
        return Viewer(
            kind=ViewerKind(row.kind),
            scopes=sorted(row.scopes),
            merchant=None if house is None else Merchant.of(house),
            row=row,
        )

    @strawberry.field(
        description="Anything with an id; null where it is not there or out of reach. Of an operation that was archived"
        " an error says so, with the code OPERATION_ARCHIVED."
    )
    async def node(self, info: Info, id: strawberry.ID) -> Node | None:
        """Relay's refetching."""
        return await fetch(info, id)

    @strawberry.field(description="At most 100 things by id, in order; null where one is not there or out of reach.")
    async def nodes(self, info: Info, ids: list[strawberry.ID]) -> list[Node | None]:
        """Loaded together."""
        if len(ids) > MAX_NODES:
            raise InvalidInput(reason=f"at most {MAX_NODES} ids", path=("ids",))
        return list(await asyncio.gather(*(_fetch_here(info, id_) for id_ in ids)))

    @strawberry.field(description="A member, by whatever names them; null if out of reach.")
    async def member(self, info: Info, by: MemberRef) -> Member | None:
        """By id, number or identifier."""
        found = await members.find(info.context, cast("dict[str, object]", by))
        return None if found is None else Member.of(found)

    @strawberry.field(description="Members in the order of joining; a merchant sees those who joined it.")
    async def members(
        self,
        info: Info,
        filter: MemberFilter | None = None,
        first: int | None = None,
        after: str | None = None,
        last: int | None = None,
        before: str | None = None,
    ) -> Connection[Member]:
        """A page."""
        asked = window(MEMBER_SHAPE, first, after, last, before)
        page = await members.page(info.context, asked, cast("dict[str, Any]", filter or {}))
        return Connection[Member].of(page, Member.of)

    @strawberry.field(description="A merchant by its code.")
    def merchant(self, info: Info, code: str) -> Merchant | None:
        """From the catalogue."""
        found = info.context.runtime.catalogue.merchants.get(code)
        return None if found is None else Merchant.of(found)

    @strawberry.field(description="The merchants of the alliance, by code.")
    def merchants(
        self,
        info: Info,
        first: int | None = None,
        after: str | None = None,
        last: int | None = None,
        before: str | None = None,
    ) -> Connection[Merchant]:
        """A page."""
        asked = window((str,), first, after, last, before)
        rows = sorted(info.context.runtime.catalogue.merchants.values(), key=lambda row: row.code)
        return Connection[Merchant].of(cut(asked, rows, lambda row: (row.code,)), Merchant.of)

    @strawberry.field(
        description="An operation; null if out of reach. Of one that was archived an error says so, with the code"
        " OPERATION_ARCHIVED."
    )
    async def operation(self, info: Info, id: strawberry.ID) -> Operation | None:
        """By its id."""
        found = await fetch(info, id)
        return found if isinstance(found, Operation) else None

    @strawberry.field(description="The alliance.")
    def alliance(self, info: Info) -> Alliance:
        """The one of this house."""
        return Alliance.of(info.context.runtime.catalogue.alliance)

    @strawberry.field(description="A settlement cycle; a merchant sees its own side of it.")
    async def settlement_cycle(self, info: Info, id: strawberry.ID) -> SettlementCycle | None:
        """By its id."""
        found = await fetch(info, id)
        return found if isinstance(found, SettlementCycle) else None

    @strawberry.field(description="Agreements; a merchant sees its own.")
    async def agreements(
        self,
        info: Info,
        first: int | None = None,
        after: str | None = None,
        last: int | None = None,
        before: str | None = None,
    ) -> Connection[Agreement]:
        """A page."""
        page = await agreements.in_reach(info.context, window(AGREEMENT_SHAPE, first, after, last, before))
        return Connection[Agreement].of(page, Agreement.of)

    @strawberry.field(description="The agreement of two merchants, by their codes; null where there is none in reach.")
    async def agreement(self, info: Info, merchants: list[str]) -> Agreement | None:
        """In whichever order."""
        found = await agreements.between(info.context, merchants)
        return None if found is None else Agreement.of(found)

    @strawberry.field(description="The newest signed checkpoint of the log of operations; null while it is empty.")
    async def log_checkpoint(self, info: Info) -> LogCheckpoint | None:
        """For partners to keep."""
        found = await proofs.checkpoint(info.context)
        return None if found is None else LogCheckpoint.of(found)

    @strawberry.field(description="That the log only grew from `first` to `second`; null if it never had so many.")
    async def consistency_proof(self, info: Info, first: LogIndex, second: LogIndex) -> ConsistencyProof | None:
        """Between two checkpoints."""
        path = await proofs.consistency(info.context, first, second)
        return None if path is None else ConsistencyProof.of(first, second, path)

    @strawberry.field(description="What issuers hold of their members' money as stored value; a merchant sees its own.")
    async def deposits(self, info: Info, as_of: datetime | None = None, merchant: str | None = None) -> list[Deposit]:
        """At an instant, default now; one a currency of the catalogue."""
        return [Deposit.of(row) for row in await stored_value.report(info.context, as_of, merchant)]

    @strawberry.field(
        description="A merchant's cap and its position against it, by default one's own; null without a cap."
    )
    async def exposure(self, info: Info, merchant: str | None = None) -> Exposure | None:
        """As of now."""
        found = await exposures.one(info.context, merchant)
        return None if found is None else Exposure.of(info, found)

    @strawberry.field(description="All merchants with a cap, by code; a merchant sees its own.")
    async def exposures(
        self,
        info: Info,
        first: int | None = None,
        after: str | None = None,
        last: int | None = None,
        before: str | None = None,
    ) -> Connection[Exposure]:
        """A page."""
        page = await exposures.listed(info.context, window(EXPOSURE_SHAPE, first, after, last, before))
        return Connection[Exposure].of(page, lambda row: Exposure.of(info, row))

    @strawberry.field(description="Rings of gifts made from `since` to before `until`, most points round first.")
    async def gift_rings(
        self, info: Info, since: datetime, until: datetime | None = None, longest: int = 5, first: int = 20
    ) -> list[GiftRing]:
        """Of at most `longest` members; at most `first` of them."""
        return [GiftRing.of(row) for row in await rings.found(info.context, since, until, longest, first)]
