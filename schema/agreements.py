"""What merchants agreed on: versions, who said yes to them, and the steps that parties take."""

from datetime import date, datetime
from typing import Any, Self
from uuid import UUID

import strawberry

from alliance.agreements import model, queries
from alliance.agreements.model import AgreementStatus, StepKind
from alliance.agreements.rules import LastCycle, runs_off_to
from resolvers import agreements, ids
from resolvers.pages import cut, window
from schema.inputs import DRY_RUN, KEY, passed_as_sent
from schema.merchants import Merchant
from schema.node import Connection, Info, Node
from schema.scalars import JSON
from schema.subsidies import Subsidy

strawberry.enum(AgreementStatus, description="The states of a version. Only IN_FORCE and ENDED ones ever count.")
strawberry.enum(StepKind, name="AgreementStepKind", description="What a party did about a version.")

TERMS = "As an agreement in the alliance file, without merchants, version, from and to."
REASON = "Kept with the step, for both merchants to read."


def _merchant(info: Info, party: UUID) -> Merchant | None:
    row = info.context.runtime.catalogue.merchants_by_id.get(party)
    return None if row is None else Merchant.of(row)


@strawberry.type(description="A step of a version's history. A party that is null is the operator.")
class AgreementStep:
    """Never edited."""

    kind: StepKind
    party: Merchant | None
    reason: str
    at: datetime

    @classmethod
    def of(cls, info: Info, row: model.AgreementStep) -> Self:
        """From a row."""
        return cls(kind=StepKind(row.kind), party=_merchant(info, row.party), reason=row.why, at=row.as_of)


@strawberry.type(description="The cycle with which an agreement that ends is done, by the calendar.")
class LastSettlementCycle:
    """What is undone later falls into the cycle that is open then."""

    number: int
    closes_at: datetime
    claims_until: datetime

    @classmethod
    def of(cls, row: LastCycle) -> Self:
        """From the rules."""
        return cls(number=row.number, closes_at=row.closes_at, claims_until=row.claims_until)


@strawberry.type(description="What two merchants agreed on, or one proposes, from a day on. Never edited.")
class AgreementVersion(Node):
    """For its two merchants and the operator (rule A14)."""

    number: int
    status: AgreementStatus
    starts_at: datetime
    ends_at: datetime | None = strawberry.field(description="The first instant without it; null where no end is known.")
    terms: JSON = strawberry.field(description=TERMS)
    agreement: strawberry.Private[model.AgreementRow]
    row: strawberry.Private[model.AgreementVersionRow]

    @strawberry.field(description="Until when points are spent at the partner after it; null where another follows.")
    async def runs_off_to(self, info: Info) -> datetime | None:
        """Rule A12; null also where no end is known, and for what never counted."""
        rows = await agreements.versions(info.context, self.row.agreement_id)
        if self.ends_at is None or not queries.is_last(rows, self.row):
            return None
        return runs_off_to(self.ends_at, self.row.terms, info.context.runtime.catalogue.alliance)

    @strawberry.field(description="Where the last of it is settled; null as runsOffTo, and when it is past.")
    async def last_cycle(self, info: Info) -> LastSettlementCycle | None:
        """Rule A12."""
        if not queries.is_last(await agreements.versions(info.context, self.row.agreement_id), self.row):
            return None
        found = await agreements.last_of(info.context, self.row)
        return None if found is None else LastSettlementCycle.of(found)

    @strawberry.field(description="Who still has to accept it.")
    async def waits_for(self, info: Info) -> list[Merchant]:
        """Of its merchants."""
        taken = await agreements.steps(info.context, self.row)
        known = info.context.runtime.catalogue.merchants_by_id
        return [Merchant.of(known[party]) for party in queries.waits_for(self.agreement, self.row, taken)]

    @strawberry.field(description="Who proposed, accepted, rejected, withdrew or ended it, when and why; oldest first.")
    async def steps(self, info: Info) -> list[AgreementStep]:
        """A handful."""
        return [AgreementStep.of(info, row) for row in await agreements.steps(info.context, self.row)]

    @strawberry.field(description="What an issuer accepts to lose by it, and how much of that is used.")
    async def subsidies(self, info: Info) -> list[Subsidy]:
        """Each draws on its own budget."""
        if not (terms := self.row.terms.get("subsidies", [])):
            return []
        used = await agreements.drawn(info.context, self.row)
        return [Subsidy.of(info, item, used.get(item["of"], 0)) for item in terms]

    @classmethod
    def of(cls, agreement: model.AgreementRow, row: model.AgreementVersionRow) -> Self:
        """From rows."""
        return cls(
            id=strawberry.ID(ids.encode("AgreementVersion", row.agreement_id, str(row.version))),
            number=row.version,
            status=AgreementStatus(row.status),
            starts_at=row.valid_from,
            ends_at=row.valid_to,
            terms=JSON({key: value for key, value in row.terms.items() if key not in ("from", "to")}),
            agreement=agreement,
            row=row,
        )


@strawberry.type(description="A pair of merchants that agreed on something, or one of them proposes it.")
class Agreement(Node):
    """For the two and the operator (rule A14)."""

    row: strawberry.Private[model.AgreementRow]

    @strawberry.field(description="The two.")
    def merchants(self, info: Info) -> list[Merchant]:
        """From the catalogue."""
        known = info.context.runtime.catalogue.merchants_by_id
        return sorted(
            (Merchant.of(known[id_]) for id_ in (self.row.merchant_a, self.row.merchant_b)), key=lambda one: one.code
        )

    @strawberry.field(description="The version in force now; null where there is none.")
    async def current(self, info: Info) -> AgreementVersion | None:
        """At the time of the call."""
        found = queries.in_force(await agreements.versions(info.context, self.row.id), info.context.as_of)
        return None if found is None else AgreementVersion.of(self.row, found)

    @strawberry.field(description="All versions, by number: proposals, what is in force, and what was.")
    async def versions(
        self,
        info: Info,
        first: int | None = None,
        after: str | None = None,
        last: int | None = None,
        before: str | None = None,
    ) -> Connection[AgreementVersion]:
        """A page."""
        asked = window((str,), first, after, last, before)
        rows = await agreements.versions(info.context, self.row.id)
        page = cut(asked, rows, lambda row: (f"{row.version:07d}",))
        return Connection[AgreementVersion].of(page, lambda row: AgreementVersion.of(self.row, row))

    @classmethod
    def of(cls, row: model.AgreementRow) -> Self:
        """From a row."""
        return cls(id=strawberry.ID(ids.encode("Agreement", row.id)), row=row)


@passed_as_sent
@strawberry.input
class ProposeAgreementInput:
    """The next version between two merchants."""

    idempotency_key: str = strawberry.field(description=KEY)
    merchants: list[str] = strawberry.field(description="The codes of the two; a merchant is one of them.")
    from_: date = strawberry.field(name="from", description="Its first day, in the alliance's time zone.")
    to: date | None = strawberry.field(default=strawberry.UNSET, description="The first day without it.")
    terms: JSON = strawberry.field(description=TERMS)
    reason: str | None = strawberry.field(default=strawberry.UNSET, description=REASON)
    dry_run: bool | None = strawberry.field(default=False, description=DRY_RUN)


@passed_as_sent
@strawberry.input
class AgreementVersionInput:
    """A version that was proposed."""

    idempotency_key: str = strawberry.field(description=KEY)
    version: strawberry.ID
    reason: str | None = strawberry.field(default=strawberry.UNSET, description=REASON)
    dry_run: bool | None = strawberry.field(default=False, description=DRY_RUN)


@passed_as_sent
@strawberry.input
class EndAgreementInput:
    """With the notice that the version in force asks for."""

    idempotency_key: str = strawberry.field(description=KEY)
    agreement: strawberry.ID
    on: date | None = strawberry.field(
        default=strawberry.UNSET,
        description="The first day without it, in the alliance's time zone; default the first possible.",
    )
    reason: str | None = strawberry.field(default=strawberry.UNSET, description=REASON)
    dry_run: bool | None = strawberry.field(default=False, description=DRY_RUN)


@strawberry.type(description="What a version comes to.")
class AgreementPlan:
    """The same for a dry run."""

    number: int
    starts_at: datetime
    ends_at: datetime | None
    supersedes: int | None = strawberry.field(description="The version that ends when this one starts.")
    waits_for: list[Merchant] = strawberry.field(description="Who has to accept it before it is in force.")
    round_trips: list[str] = strawberry.field(
        description="What 1,000 points sent round each loop of exchanges of one's own move between merchants, in words."
    )

    @classmethod
    def of(cls, info: Info, outcome: dict[str, Any]) -> Self:
        """From what the step answered."""
        known = info.context.runtime.catalogue.merchants
        ends = outcome["endsAt"]
        return cls(
            number=outcome["version"],
            starts_at=datetime.fromisoformat(outcome["startsAt"]),
            ends_at=None if ends is None else datetime.fromisoformat(ends),
            supersedes=outcome["supersedes"],
            waits_for=[Merchant.of(known[code]) for code in outcome["waitsFor"]],
            round_trips=outcome["roundTrips"],
        )


async def _now(info: Info, outcome: dict[str, Any]) -> AgreementVersion | None:
    found = await agreements.version_now(info.context, outcome)
    return None if found is None else AgreementVersion.of(*found)


@strawberry.type(description="A version was proposed; where the operator consents for all, it is in force.")
class AgreementProposed:
    """To the other merchant."""

    version: AgreementVersion | None = strawberry.field(description="Null for a dry run.")
    plan: AgreementPlan

    @classmethod
    async def of(cls, info: Info, outcome: dict[str, Any]) -> Self:
        """From what the step answered."""
        return cls(version=await _now(info, outcome), plan=AgreementPlan.of(info, outcome))


@strawberry.type(description="A version was accepted; when both merchants have, it is in force from its day on.")
class AgreementAccepted:
    """See plan.waitsFor."""

    version: AgreementVersion | None = strawberry.field(description="Null for a dry run.")
    plan: AgreementPlan

    @classmethod
    async def of(cls, info: Info, outcome: dict[str, Any]) -> Self:
        """From what the step answered."""
        return cls(version=await _now(info, outcome), plan=AgreementPlan.of(info, outcome))


@strawberry.type(description="A proposal was not accepted.")
class AgreementRejected:
    """Whoever proposed it may propose another."""

    version: AgreementVersion | None = strawberry.field(description="Null for a dry run.")

    @classmethod
    async def of(cls, info: Info, outcome: dict[str, Any]) -> Self:
        """From what the step answered."""
        return cls(version=await _now(info, outcome))


@strawberry.type(description="A proposal was taken back.")
class AgreementWithdrawn:
    """By whoever proposed it."""

    version: AgreementVersion | None = strawberry.field(description="Null for a dry run.")

    @classmethod
    async def of(cls, info: Info, outcome: dict[str, Any]) -> Self:
        """From what the step answered."""
        return cls(version=await _now(info, outcome))


@strawberry.type(description="Notice was given: nothing is issued or exchanged from endsAt on, and points run off.")
class AgreementEnded:
    """Rule A12."""

    version: AgreementVersion | None = strawberry.field(description="The last one; null for a dry run.")
    ends_at: datetime
    runs_off_to: datetime = strawberry.field(description="Until then points are spent at the partner.")

    @classmethod
    async def of(cls, info: Info, outcome: dict[str, Any]) -> Self:
        """From what the step answered."""
        return cls(
            version=await _now(info, outcome),
            ends_at=datetime.fromisoformat(outcome["endsAt"]),
            runs_off_to=datetime.fromisoformat(outcome["runsOffTo"]),
        )
