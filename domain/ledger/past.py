"""What past operations did, read back for the engine: entries, lots, returns, what waits, what was earned."""

from collections import defaultdict
from collections.abc import Collection, Sequence
from typing import Any
from uuid import UUID

import asyncpg

from domain.ledger.aliases import all_of
from domain.ledger.funding import funding_of
from domain.ledger.model import PendingGrant
from domain.ledger.request import Books, DebtState, EntryState, PastOperation, Period
from domain.ledger.returns import return_of
from domain.ledger.rules import LotState, PendingState, Sliding

LOT = """lot.holder_id, lot.id, lot.currency, lot.operation_id, lot.issuer_id, lot.funder_id, lot.price,
          lot.granted, lot.remaining, lot.granted_at, lot.expires_at,
          lot.source_holder_id, lot.source_lot_id, lot.depth, lot.held, lot.agreement_version,
          lot.root_holder_id, lot.root_lot_id"""
_LOT_SIZE = 18
SLIDING = """sliding.id AS sliding_id, sliding.span, sliding.expires_at AS until"""
SLIDES = """LEFT JOIN sliding_expiry sliding ON sliding.holder_id = lot.holder_id AND sliding.id = lot.sliding_id"""
_PENDING_COLUMNS = ", ".join(column.name for column in PendingGrant.__table__.columns if column.name != "done")


async def load_operations(connection: asyncpg.Connection, books: Books, asked: list[tuple[UUID, UUID]]) -> None:
    """Past operations with their entries, lots, allocations, and what came back of each."""
    of = "JOIN unnest($1::uuid[], $2::uuid[]) AS asked (holder_id, operation_id) USING (holder_id, operation_id)"
    columns = turned(asked)
    for row in await connection.fetch(
        """SELECT o.holder_id, o.id, o.kind, o.merchant_id, o.store, o.channel, o.order_ref, o.reverses,
                  o.occurred_at, o.as_of, o.decisions, o.lines AS bought
           FROM unnest($1::uuid[], $2::uuid[]) AS asked (holder_id, id)
           JOIN operation o USING (holder_id, id)""",
        *columns,
    ):
        books.operations[row["holder_id"], row["id"]] = PastOperation(**dict(row))
    for row in await connection.fetch(
        f"""SELECT holder_id, operation_id, account, currency, amount, counter_holder_id, counter_account
            FROM entry {of} ORDER BY seq""",  # noqa: S608
        *columns,
    ):
        holder_id, operation_id, *entry = row
        books.operations[holder_id, operation_id].entries.append(EntryState(*entry))
    earns = {pair: pair for pair in asked} | await _load_pending(connection, books, columns)
    for row in await connection.fetch(
        f"""SELECT {LOT}, {SLIDING}, coalesce(lapsed.points, 0) AS lapsed
            FROM lot {SLIDES} JOIN unnest($1::uuid[], $2::uuid[]) AS asked (holder_id, operation_id)
              ON lot.holder_id = asked.holder_id AND lot.operation_id = asked.operation_id
            LEFT JOIN LATERAL (
              SELECT -sum(a.amount)::bigint AS points
              FROM (SELECT lot.holder_id, lot.id UNION ALL
                    SELECT carried.holder_id, carried.id FROM lot carried
                    WHERE carried.root_holder_id = lot.holder_id AND carried.root_lot_id = lot.id) AS own
              JOIN allocation a ON a.holder_id = own.holder_id AND a.lot_id = own.id
              JOIN operation o ON o.holder_id = a.holder_id AND o.id = a.operation_id
                              AND o.kind = 'EXPIRE') AS lapsed ON true
            ORDER BY lot.id""",  # noqa: S608
        *turned(list(earns)),
    ):
        lot = lot_of(books, row)
        lot.lapsed = row["lapsed"]
        books.operations[earns[lot.holder_id, lot.operation_id]].lots.append(lot)
    for row in await connection.fetch(
        f"""SELECT {LOT}, {SLIDING}, allocation.operation_id AS by, allocation.amount
            FROM unnest($1::uuid[], $2::uuid[]) AS asked (holder_id, operation_id)
            JOIN allocation USING (holder_id, operation_id)
            JOIN lot ON lot.holder_id = allocation.holder_id AND lot.id = allocation.lot_id {SLIDES}
            ORDER BY lot.id""",  # noqa: S608
        *columns,
    ):
        lot = lot_of(books, row)
        books.operations[lot.holder_id, row["by"]].allocations.append((lot, row["amount"]))
    await _load_returns(connection, books, columns)
    await _load_reversed(connection, books, asked)


async def load_archived(connection: asyncpg.Connection, asked: Collection[tuple[UUID, UUID]]) -> set[tuple[UUID, UUID]]:
    """Which of these operations, that are not there, were archived: the log remembers them."""
    rows = await connection.fetch(
        """SELECT holder_id, operation_id FROM log_leaf
           JOIN unnest($1::uuid[], $2::uuid[]) AS asked (holder_id, operation_id) USING (holder_id, operation_id)
           WHERE archived_by IS NOT NULL""",
        *turned(list(asked)),
    )
    return {(row["holder_id"], row["operation_id"]) for row in rows}


async def _load_reversed(connection: asyncpg.Connection, books: Books, asked: list[tuple[UUID, UUID]]) -> None:
    """Also the earns behind the lots that these operations took from, where they were reversed themselves."""
    taken = (lot for key in asked if key in books.operations for lot, _ in books.operations[key].allocations)
    behind = {(lot.holder_id, lot.operation_id) for lot in taken} - books.operations.keys()
    if not behind:
        return
    rows = await connection.fetch(
        """SELECT DISTINCT holder_id, reverses
           FROM (SELECT asked.holder_id, coalesce(p.operation_id, asked.id) AS reverses
                 FROM unnest($1::uuid[], $2::uuid[]) AS asked (holder_id, id)
                 LEFT JOIN operation a ON a.holder_id = asked.holder_id AND a.id = asked.id AND a.kind = 'ACTIVATE'
                 LEFT JOIN pending_grant p ON p.holder_id = a.holder_id AND p.activated_by = a.id) AS made
           JOIN operation USING (holder_id, reverses)""",
        *turned(list(behind)),
    )
    if earns := [key for row in rows if (key := (row["holder_id"], row["reverses"])) not in books.operations]:
        await load_operations(connection, books, earns)


async def _load_returns(connection: asyncpg.Connection, books: Books, columns: list[list[Any]]) -> None:
    """What came back of past operations; a reversal without a row of its own took the whole."""
    reversals = await connection.fetch(
        """SELECT r.holder_id, r.reverses, r.id, t.returned, t.undone, t.due, t.whole,
                  (SELECT coalesce(jsonb_object_agg(currency, points), '{}')
                   FROM (SELECT e.currency, abs(sum(e.amount))::bigint AS points FROM entry e
                         WHERE e.holder_id = r.holder_id AND e.operation_id = r.id
                           AND e.counter_account NOT IN ('EXIT', 'POINTS')
                         GROUP BY 1) AS moved) AS taken
           FROM unnest($1::uuid[], $2::uuid[]) AS asked (holder_id, reverses)
           JOIN operation r USING (holder_id, reverses)
           LEFT JOIN operation_return t ON t.holder_id = r.holder_id AND t.operation_id = r.id ORDER BY r.id""",
        *columns,
    )
    if not reversals:
        return
    restored: dict[UUID, list[tuple[UUID, int]]] = defaultdict(list)
    for row in await connection.fetch(
        """SELECT operation_id, lot_id, amount
           FROM unnest($1::uuid[], $2::uuid[]) AS asked (holder_id, operation_id)
           JOIN allocation USING (holder_id, operation_id)
           UNION ALL
           SELECT operation_id, source_lot_id, granted
           FROM unnest($1::uuid[], $2::uuid[]) AS asked (holder_id, operation_id)
           JOIN lot USING (holder_id, operation_id) WHERE source_lot_id IS NOT NULL""",
        *turned([(row["holder_id"], row["id"]) for row in reversals]),
    ):
        restored[row["operation_id"]].append((row["lot_id"], row["amount"]))
    for row in reversals:
        original = books.operations[row["holder_id"], row["reverses"]]
        if row["returned"] is None:
            original.reversed_by = row["id"]
        else:
            figures = {name: row[name] for name in ("undone", "due", "taken", "whole")}
            original.note(return_of(row["id"], row["returned"], **figures), restored[row["id"]])


async def _load_pending(
    connection: asyncpg.Connection, books: Books, asked: list[list[UUID]]
) -> dict[tuple[UUID, UUID], tuple[UUID, UUID]]:
    """What is or was pending of these operations; and which of them each activation was for."""
    activations = {}
    for row in await connection.fetch(
        f"""SELECT {_PENDING_COLUMNS} FROM pending_grant
            JOIN unnest($1::uuid[], $2::uuid[]) AS asked (holder_id, operation_id) USING (holder_id, operation_id)
            ORDER BY holder_id, operation_id, seq""",  # noqa: S608
        *asked,
    ):
        state = PendingState(*row)
        earn = (state.holder_id, state.operation_id)
        books.operations[earn].pending.append(state)
        if state.agreement_version is not None:
            books.funded.add(funding_of(state))
        if state.activated_by is not None:
            activations[state.holder_id, state.activated_by] = earn
    return activations


async def load_debts(connection: asyncpg.Connection, books: Books, owing: list[tuple[UUID, str]]) -> None:
    """What is left of the debts of these wallets, oldest first."""
    rows = await connection.fetch(
        """SELECT d.holder_id, d.operation_id, d.currency, (d.points - coalesce(p.points, 0))::bigint AS left,
                  r.reverses, d.source_holder_id, d.source_operation_id, f.issuer_id, f.funder_id, f.agreement_version
           FROM unnest($1::uuid[], $2::text[]) AS asked (holder_id, currency)
           JOIN debt d USING (holder_id, currency)
           JOIN operation r ON r.holder_id = coalesce(d.source_holder_id, d.holder_id)
                           AND r.id = coalesce(d.source_operation_id, d.operation_id)
           LEFT JOIN LATERAL (SELECT sum(points) AS points FROM debt_payment
                              WHERE holder_id = d.holder_id AND debt_id = d.operation_id
                                AND currency = d.currency) AS p ON true
           LEFT JOIN LATERAL (SELECT issuer_id, funder_id, agreement_version FROM lot
                              WHERE lot.holder_id = r.holder_id AND lot.currency = d.currency
                                AND lot.agreement_version IS NOT NULL AND lot.operation_id IN (
                                  SELECT r.reverses UNION ALL
                                  SELECT activated_by FROM pending_grant g
                                  WHERE g.holder_id = r.holder_id AND g.operation_id = r.reverses)
                              LIMIT 1) AS f ON true
           WHERE d.points > coalesce(p.points, 0) ORDER BY d.operation_id""",
        *turned(owing),
    )
    for holder_id, operation_id, currency, left, earn_id, source_holder, source_id, *funding in rows:
        source = None if source_id is None else (source_holder, source_id)
        debt = DebtState(holder_id, operation_id, currency, left, earn_id, source=source)
        if funding[-1] is not None:
            debt.funding = (funding[0], funding[1], funding[2])
            books.funded.add(debt.funding)
        books.debts.setdefault((holder_id, currency), []).append(debt)


async def load_earned(connection: asyncpg.Connection, periods: list[Period]) -> dict[Period, int]:
    """What was earned in these periods, by the clock of the call, less what was taken back of it since."""
    of_all = [period for period in periods if period[4] is None]
    of_rules = [period for period in periods if period[4] is not None]
    earned: dict[Period, int] = {}
    if of_all:
        rows = await connection.fetch(_EARNED, *turned([period[:4] for period in of_all]))
        earned |= {of_all[row["n"] - 1]: row["points"] for row in rows}
    if of_rules:
        rows = await connection.fetch(_GIVEN, *turned([(*period[:4], *(period[4] or ())) for period in of_rules]))
        earned |= {of_rules[row["n"] - 1]: row["points"] for row in rows}
    return earned


_EARNED = f"""
    SELECT asked.n, coalesce(sum(e.amount), 0)::bigint AS points
    FROM unnest($1::uuid[], $2::text[], $3::timestamptz[], $4::timestamptz[])
         WITH ORDINALITY AS asked (holder_id, currency, first, before, n)
    LEFT JOIN LATERAL (
      SELECT entry.amount FROM operation o
      JOIN entry ON entry.holder_id = o.holder_id AND entry.currency = asked.currency
       AND entry.counter_account NOT IN ('EXIT', 'POINTS') AND (entry.operation_id = o.id OR entry.operation_id IN (
            SELECT r.id FROM operation r WHERE r.holder_id = o.holder_id AND r.reverses = o.id))
      WHERE o.holder_id = {all_of("asked.holder_id")} AND o.kind = 'EARN' AND o.as_of >= first AND o.as_of < before
    ) e ON true
    GROUP BY asked.n
"""  # noqa: S608

# As rules.given_by, less the part that was taken back (rules.room_taken).
_GIVEN = f"""
    SELECT asked.n, coalesce(sum(d.points), 0)::bigint AS points
    FROM unnest($1::uuid[], $2::text[], $3::timestamptz[], $4::timestamptz[], $5::uuid[], $6::text[])
         WITH ORDINALITY AS asked (holder_id, currency, first, before, merchant_id, rule, n)
    LEFT JOIN LATERAL (
      SELECT CASE WHEN moved.granted > 0 THEN ceil(given.points * moved.kept / moved.granted) ELSE given.points END
             AS points
      FROM operation o
      CROSS JOIN LATERAL (
        SELECT sum((one ->> 'points')::bigint) AS points FROM jsonb_array_elements(o.decisions) AS one
        WHERE coalesce(one ->> 'currency', asked.currency) = asked.currency
          AND (one ->> 'rule' = asked.rule OR starts_with(one ->> 'rule', 'limit:' || asked.rule || ':'))
      ) AS given
      CROSS JOIN LATERAL (
        SELECT sum(e.amount) AS kept, sum(e.amount) FILTER (WHERE e.operation_id = o.id) AS granted FROM entry e
        WHERE e.holder_id = o.holder_id AND e.currency = asked.currency
          AND e.counter_account NOT IN ('EXIT', 'POINTS') AND (e.operation_id = o.id OR e.operation_id IN (
               SELECT r.id FROM operation r WHERE r.holder_id = o.holder_id AND r.reverses = o.id))
      ) AS moved
      WHERE o.holder_id = {all_of("asked.holder_id")} AND o.kind = 'EARN' AND o.as_of >= first AND o.as_of < before
        AND o.merchant_id = asked.merchant_id AND given.points IS NOT NULL
    ) d ON true
    GROUP BY asked.n
"""  # noqa: S608


def lot_of(books: Books, row: asyncpg.Record) -> LotState:
    """The one state of this lot in these books, whoever asked for it."""
    identity = (row["holder_id"], row["id"])
    lot = books.lots.get(identity)
    if lot is None:
        lot = books.lots[identity] = LotState(*list(row)[:_LOT_SIZE])
        if row.get("sliding_id") is not None:
            lot.sliding, lot.expires_at = _sliding(books, row), row["until"]
        if lot.agreement_version is not None:
            books.funded.add(funding_of(lot))
    return lot


def _sliding(books: Books, row: asyncpg.Record) -> Sliding:
    """The one state of the date that this lot shares."""
    identity = (row["holder_id"], row["sliding_id"])
    sliding = books.slidings.get(identity)
    if sliding is None:
        sliding = books.slidings[identity] = Sliding(*identity, row["currency"], row["span"], row["until"])
    return sliding


def turned(rows: Sequence[Sequence[Any]]) -> list[list[Any]]:
    """Rows turned, for `unnest`."""
    return [list(column) for column in zip(*rows, strict=True)]
