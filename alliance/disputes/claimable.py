"""What claims are about, as far as raising them needs to know: set-based."""

import uuid
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import or_, select, text, tuple_
from sqlalchemy.ext.asyncio import AsyncSession

from alliance.agreements.model import AgreementRow, AgreementVersionRow
from alliance.clearing.model import Obligation
from alliance.disputes.life import DisputeStatus
from alliance.disputes.model import Dispute
from alliance.disputes.rules import Place
from alliance.settlement.model import PairNetRow


@dataclass(frozen=True, slots=True)
class Claimable:
    """A line; `corrected` is what was added to it since, `number` the cycle in which it is settled, `settled_at` when.

    `in_dispute`: or the operator has decided on it.
    """

    cycle_id: uuid.UUID
    debtor_id: uuid.UUID
    creditor_id: uuid.UUID
    points: int
    amount: int
    terms: Mapping[str, Any]
    number: int
    settled_at: datetime | None
    corrected: int
    in_dispute: bool

    def other(self, party: uuid.UUID) -> uuid.UUID:
        """Its other party."""
        return self.creditor_id if party == self.debtor_id else self.debtor_id

    def room(self, party: uuid.UUID) -> int | None:
        """How much of it this party can have back, in millionths; None where it wants to be owed more."""
        left = self.amount + self.corrected
        cost, whole = (left, self.amount) if party == self.debtor_id else (-left, -self.amount)
        return max(cost, 0) if whole > 0 else None


async def lines(session: AsyncSession, places: Collection[Place], party: uuid.UUID) -> dict[Place, Claimable]:
    """The lines at these places to which a merchant is a party; others are left out."""
    if not places:
        return {}
    key = tuple_(Obligation.holder_id, Obligation.operation_id, Obligation.seq)
    mine = or_(Obligation.debtor_id == party, Obligation.creditor_id == party)
    rows = (await session.scalars(select(Obligation).where(key.in_(list(places)), mine))).all()
    found = [(row.holder_id, row.operation_id, row.seq) for row in rows]
    asked = {"operations": [place[1] for place in found], "seqs": [place[2] for place in found]}
    settled = {
        (operation_id, seq): (number, at)
        for operation_id, seq, number, at in await session.execute(
            text(_SETTLED), asked | {"cycles": [row.cycle_id for row in rows]}
        )
    }
    corrected = {(row.operation_id, row.seq): row for row in await session.execute(text(_CORRECTED), asked)}
    versions = {(row.agreement_id, row.agreement_version) for row in rows}
    of = tuple_(AgreementVersionRow.agreement_id, AgreementVersionRow.version)
    terms = {
        (row.agreement_id, row.version): row.terms
        for row in await session.scalars(select(AgreementVersionRow).where(of.in_(list(versions))))
    }
    result = {}
    for place, row in zip(found, rows, strict=True):
        number, at = settled[place[1:]]
        since = corrected[place[1:]]
        result[place] = Claimable(
            cycle_id=row.cycle_id,
            debtor_id=row.debtor_id,
            creditor_id=row.creditor_id,
            points=row.points,
            amount=row.amount,
            terms=terms.get((row.agreement_id, row.agreement_version), {}),
            number=number,
            settled_at=at,
            corrected=int(since.added),
            in_dispute=since.taken,
        )
    return result


# A line under objection is settled with the cycle that it opened once that was decided; one of a cycle that was given
# up, with the first after it that was not.
_SETTLED = """
SELECT asked.operation_id, asked.seq, paid.number, done.as_of
FROM unnest((:operations)::uuid[], (:seqs)::smallint[], (:cycles)::uuid[]) AS asked (operation_id, seq, cycle_id)
LEFT JOIN objection o ON o.operation_id = asked.operation_id AND o.seq = asked.seq
JOIN settlement_cycle c ON c.id = coalesce(o.released_in, asked.cycle_id)
CROSS JOIN LATERAL (SELECT id, number FROM settlement_cycle n WHERE n.number >= c.number AND n.status <> 'ABORTED'
                    ORDER BY n.number LIMIT 1) AS paid
LEFT JOIN cycle_transition done ON done.cycle_id = paid.id AND done.status = 'SETTLED'
"""

_CORRECTED = f"""
SELECT asked.operation_id, asked.seq,
       coalesce((SELECT sum(CASE WHEN b.debtor_id = l.debtor_id THEN b.amount ELSE -b.amount END)
                 FROM correction c JOIN obligation b ON b.operation_id = c.operation_id
                 JOIN obligation l ON l.holder_id = c.corrects_holder_id AND l.operation_id = c.corrects_operation_id
                                  AND l.seq = c.corrects_seq
                 WHERE b.holder_id = (SELECT id FROM alliance)
                   AND c.corrects_operation_id = asked.operation_id AND c.corrects_seq = asked.seq), 0) AS added,
       EXISTS (SELECT FROM dispute d WHERE d.operation_id = asked.operation_id AND d.seq = asked.seq
               AND (d.decided_at IS NULL OR d.status = '{DisputeStatus.DECIDED}')) AS taken
FROM unnest((:operations)::uuid[], (:seqs)::smallint[]) AS asked (operation_id, seq)
"""  # noqa: S608 - our own text


async def partners(session: AsyncSession, ids: Collection[uuid.UUID], party: uuid.UUID) -> set[uuid.UUID]:
    """Which of these merchants have, or had, to do with this one."""
    if not ids:
        return set()
    found: set[uuid.UUID] = set()
    pairs = ((AgreementRow.merchant_a, AgreementRow.merchant_b), (PairNetRow.first_id, PairNetRow.second_id))
    for one, other in pairs:
        query = select(one, other).where(or_((one == party) & other.in_(ids), (other == party) & one.in_(ids)))
        for a, b in await session.execute(query.distinct()):
            found |= {a, b}
    return found - {party}


async def by_keys(session: AsyncSession, raiser_id: uuid.UUID, keys: Collection[str]) -> dict[str, Dispute]:
    """The claims of a merchant by its keys."""
    if not keys:
        return {}
    rows = await session.scalars(select(Dispute).where(Dispute.raiser_id == raiser_id, Dispute.key.in_(keys)))
    return {row.key: row for row in rows if row.key is not None}
