"""Reading lines that a re-rating is about, in blocks; and re-ratings themselves."""

import uuid
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import func, or_, select, text
from sqlalchemy.ext.asyncio import AsyncSession

from alliance.agreements.model import AgreementRow
from alliance.rerating.model import Rerate
from alliance.rerating.rules import Billed, Unit, Why

Operation = tuple[uuid.UUID, uuid.UUID]


@dataclass(frozen=True, slots=True)
class Scope:
    """The lines of an agreement between `one` and `other` of events from `since` to before `before`.

    What points make owed later is told by the version they were granted by: of `covered` all, whenever it was. Of
    `touched` only some points are of these days, and nobody can tell which. `rerate_id` is the re-rating that is run,
    if it is more than looked at.
    """

    agreement_id: uuid.UUID
    one: uuid.UUID
    other: uuid.UUID
    since: datetime
    before: datetime
    covered: frozenset[int]
    touched: frozenset[int]
    rerate_id: uuid.UUID | None = None

    def values(self) -> dict[str, Any]:
        """As the statements name them."""
        later = sorted(self.covered | self.touched)
        return {
            "agreement": self.agreement_id,
            "one": self.one,
            "other": self.other,
            "since": self.since,
            "before": self.before,
            "later": later,
        }


# What became active later is of the day of its sale.
_OF_DAYS = """
    b.kind IN ('EARN', 'SPEND', 'EXCHANGE', 'RIGHT', 'FEE') AND b.reverses IS NULL AND coalesce(
        (SELECT o.occurred_at FROM pending_grant p JOIN operation o ON o.holder_id = p.holder_id
                                                                   AND o.id = p.operation_id
         WHERE b.kind IN ('EARN', 'FEE') AND p.holder_id = b.holder_id AND p.activated_by = b.operation_id LIMIT 1),
        b.occurred_at) BETWEEN :since AND CAST(:before AS timestamptz) - interval '1 microsecond'"""
_LATER = "b.kind IN ('FUNDING', 'BREAKAGE') AND b.agreement_version = ANY(CAST(:later AS bigint[]))"

_OWED = f"""
    SELECT b.holder_id, b.operation_id FROM obligation b
    WHERE b.cycle_id = :cycle AND b.debtor_id = {{debtor}} AND b.operation_id > :after AND b.agreement_id = :agreement
      AND (({_OF_DAYS}) OR ({_LATER}))"""  # noqa: S608
_BLOCK = text(f"""
    SELECT * FROM ({_OWED.format(debtor=":one")} UNION ALL {_OWED.format(debtor=":other")}) AS owed
    ORDER BY operation_id LIMIT :size""")  # noqa: S608

_COLUMNS = """
    b.holder_id, b.operation_id, b.seq, b.cycle_id, b.kind, b.debtor_id, b.creditor_id, b.currency, b.points, b.price,
    b.amount, b.agreement_version, b.reverses, r.rerate_id, r.price_after, r.amount_after,
    EXISTS (SELECT FROM correction c WHERE c.corrects_operation_id = b.operation_id AND c.corrects_seq = b.seq
            AND c.cause <> 'RERATE') AS corrected,
    EXISTS (SELECT FROM dispute d WHERE d.operation_id = b.operation_id AND d.seq = b.seq
            AND d.decided_at IS NULL) AS disputed"""
_LATEST = """
    LEFT JOIN LATERAL (SELECT * FROM rerate_line l WHERE l.holder_id = b.holder_id AND l.operation_id = b.operation_id
                       AND l.seq = b.seq ORDER BY l.rerate_id DESC LIMIT 1) r ON true"""

_LINES = text(f"""
    SELECT {_COLUMNS}, o.kind AS operation, b.reverses AS taken_from
    FROM unnest(CAST(:holders AS uuid[]), CAST(:operations AS uuid[])) AS asked (holder_id, operation_id)
    JOIN obligation b USING (holder_id, operation_id)
    LEFT JOIN operation o ON o.holder_id = b.holder_id AND o.id = b.operation_id {_LATEST}
    WHERE b.agreement_id = :agreement AND (({_OF_DAYS}) OR ({_LATER}))
    ORDER BY b.operation_id, b.seq""")  # noqa: S608

_EARNS = text("""
    SELECT DISTINCT p.activated_by, p.operation_id
    FROM unnest(CAST(:holders AS uuid[]), CAST(:operations AS uuid[])) AS asked (holder_id, operation_id)
    JOIN pending_grant p ON p.holder_id = asked.holder_id AND p.activated_by = asked.operation_id""")

# What gifts repay of a return lies with the giver: so not by holder.
_BACKS = text(f"""
    SELECT {_COLUMNS} FROM obligation b {_LATEST}
    WHERE b.reverses = ANY(CAST(:operations AS uuid[])) AND b.agreement_id = :agreement
      AND b.kind IN ('EARN', 'SPEND', 'EXCHANGE', 'RIGHT', 'FEE')
    ORDER BY b.booked_at, b.operation_id, b.seq""")  # noqa: S608


async def cycles(session: AsyncSession, since: int) -> list[tuple[uuid.UUID, int]]:
    """The cycles from a number on."""
    rows = await session.execute(
        text("SELECT id, number FROM settlement_cycle WHERE number >= :since ORDER BY number"), {"since": since}
    )
    return [(id_, number) for id_, number in rows]


async def block(
    session: AsyncSession, scope: Scope, cycle_id: uuid.UUID, after: uuid.UUID, size: int
) -> list[Operation]:
    """The next operations of a cycle, by id, that made something owed which the re-rating is about: at most `size`."""
    rows = await session.execute(_BLOCK, scope.values() | {"cycle": cycle_id, "after": after, "size": size})
    return list(dict.fromkeys((holder_id, operation_id) for holder_id, operation_id in rows))


async def units(session: AsyncSession, scope: Scope, operations: Sequence[Operation]) -> list[Unit]:
    """What these operations made owed, with what took of it back."""
    keys: dict[str, Any] = {
        "holders": [holder_id for holder_id, _ in operations],
        "operations": [operation_id for _, operation_id in operations],
    }
    found: dict[uuid.UUID, Unit] = {}
    of_days: dict[uuid.UUID, uuid.UUID] = {}
    for row in await session.execute(_LINES, scope.values() | keys):
        unit = found.setdefault(row.operation_id, Unit(row.operation == "RIGHT_NO_SHOW"))
        line = _billed(row, scope)
        unit.own.append(line)
        if line.kind not in ("FUNDING", "BREAKAGE"):
            of_days[row.operation_id] = row.operation_id
    # A return names the sale, whose points may have become active by other operations.
    for activation, earn in await session.execute(_EARNS, keys):
        if activation in of_days:
            of_days.setdefault(earn, activation)
    named = {"operations": list(of_days), "agreement": scope.agreement_id}
    for row in await session.execute(_BACKS, named):
        found[of_days[row.reverses]].backs.append(_billed(row, scope))
    return list(found.values())


def _billed(row: Any, scope: Scope) -> Billed:
    later = row.kind in ("FUNDING", "BREAKAGE") and row.agreement_version not in scope.covered
    newer = scope.rerate_id is not None and row.rerate_id is not None and row.rerate_id > scope.rerate_id
    reasons = ((later, Why.OTHER_DAYS), (newer, Why.RERATED_LATER), (row.disputed, Why.DISPUTED))
    left = next((why for is_so, why in (*reasons, (row.corrected, Why.CORRECTED)) if is_so), None)
    again = row.rerate_id is not None
    return Billed(
        place=(row.holder_id, row.operation_id, row.seq),
        cycle_id=row.cycle_id,
        kind=row.kind,
        debtor_id=row.debtor_id,
        creditor_id=row.creditor_id,
        currency=row.currency,
        points=row.points,
        price=row.price_after if again else row.price,
        amount=row.amount_after if again else row.amount,
        version=row.agreement_version,
        booked_price=row.price,
        booked=row.amount,
        left=left,
    )


@dataclass(frozen=True, slots=True)
class Corrected:
    """What a re-rating made of the lines between two parties of a cycle: they came to `before`, and come to `after`.

    Millionths, positive is what `debtor_id` owes.
    """

    debtor_id: uuid.UUID
    creditor_id: uuid.UUID
    cycle_id: uuid.UUID
    lines: int
    before: int
    after: int


_CORRECTED = text("""
    SELECT l.rerate_id, b.debtor_id, b.creditor_id, b.cycle_id, count(*) AS lines, sum(l.amount_before) AS before,
           sum(l.amount_after) AS after
    FROM rerate_line l JOIN obligation b USING (holder_id, operation_id, seq)
    WHERE l.rerate_id = ANY(:ids)
      AND (CAST(:party AS uuid) IS NULL OR CAST(:party AS uuid) IN (b.debtor_id, b.creditor_id))
    GROUP BY 1, 2, 3, 4 ORDER BY 1, 4, 2, 3""")


async def corrected(
    session: AsyncSession, ids: Collection[uuid.UUID], party: uuid.UUID | None
) -> dict[uuid.UUID, list[Corrected]]:
    """What re-ratings made of lines, of one party or of all."""
    found: dict[uuid.UUID, list[Corrected]] = {id_: [] for id_ in ids}
    for id_, debtor, creditor, cycle, lines, before, after in await session.execute(
        _CORRECTED, {"ids": list(ids), "party": party}
    ):
        found[id_].append(Corrected(debtor, creditor, cycle, lines, int(before), int(after)))
    return found


async def page(
    session: AsyncSession, party: uuid.UUID | None, first: int, before: uuid.UUID | None = None
) -> Sequence[Rerate]:
    """Re-ratings, newest first: all, or those of a merchant's agreements."""
    query = _of(party).order_by(Rerate.id.desc()).limit(first)
    return (await session.scalars(query if before is None else query.where(Rerate.id < before))).all()


async def count(session: AsyncSession, party: uuid.UUID | None) -> int:
    """How many there are."""
    return (await session.scalars(select(func.count()).select_from(_of(party).subquery()))).one()


async def by_id(session: AsyncSession, id_: uuid.UUID, party: uuid.UUID | None) -> Rerate | None:
    """The one of this id, if it is of a merchant's agreements."""
    return (await session.scalars(_of(party).where(Rerate.id == id_))).one_or_none()


def _of(party: uuid.UUID | None) -> Any:
    query = select(Rerate)
    if party is None:
        return query
    mine = select(AgreementRow.id).where(or_(AgreementRow.merchant_a == party, AgreementRow.merchant_b == party))
    return query.where(Rerate.agreement_id.in_(mine))
