"""How the posting engine reads and writes: set-based SQL over one connection, a statement a step."""

from collections import defaultdict
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from functools import cache
from itertools import repeat
from operator import attrgetter, itemgetter
from typing import Any
from uuid import UUID

import asyncpg
import orjson
from sqlalchemy import Table
from sqlalchemy.dialects import postgresql
from sqlalchemy.dialects.postgresql import JSONB

from domain.base import lock_key
from domain.errors import Refusal
from domain.ledger.funding import Funder
from domain.ledger.model import AccountKind, Allocation, Entry, IdempotencyKey, Lot, Operation, PendingGrant
from domain.ledger.parts import Fixed as Fixed
from domain.ledger.parts import Part, Sums
from domain.ledger.past import (
    LOT,
    SLIDES,
    SLIDING,
    load_archived,
    load_debts,
    load_earned,
    load_operations,
    lot_of,
    turned,
)
from domain.ledger.request import Books, Effect, Key, Law, Loader, Needs, Posted, Recovery
from domain.ledger.rules import HoldState, LotState, PendingState, Sliding

COPIED = 400
"""From so many rows of a table on COPY costs less than being one of the parts of a statement."""


class Merged(Exception):
    """Holders were merged into `others`, who have to be locked and loaded too: the batch begins again with them."""

    def __init__(self, others: Collection[UUID]) -> None:
        self.others = others
        super().__init__(f"merged into {len(others)} others")


async def lock(connection: asyncpg.Connection, holders: Collection[UUID], loaders: Iterable[Loader]) -> None:
    """Take the holders' advisory locks, sorted, and the loaders' locks shared, until the transaction ends.

    A statement of its own: one that locks and reads would see what was there before it waited.
    """
    shared = sorted({loader.shared_lock for loader in loaders if loader.shared_lock is not None})
    await connection.fetchval(
        """WITH holders AS MATERIALIZED (SELECT pg_advisory_xact_lock(k) FROM unnest($1::bigint[]) AS k)
           SELECT count(*) FROM holders""",
        sorted(map(lock_key, holders)),
    )
    for pair in shared:
        await connection.execute("SELECT pg_advisory_xact_lock_shared($1, $2)", *pair)


async def find_keys(connection: asyncpg.Connection, keys: Sequence[Key]) -> dict[Key, asyncpg.Record]:
    """What is remembered of these keys, with the operation's kind and decisions.

    Older ones have operation and points in their outcome.
    """
    rows = await connection.fetch(
        """SELECT s.n, s.fingerprint, s.holder_id, s.operation_id, s.points, s.outcome, o.kind, o.decisions
           FROM (SELECT k.n, fingerprint, holder_id, outcome,
                        coalesce(operation_id, (outcome ->> 'operation')::uuid) AS operation_id,
                        coalesce(points, (outcome ->> 'points')::bigint) AS points
                 FROM unnest($1::uuid[], $2::uuid[], $3::text[]) WITH ORDINALITY AS k (client_id, subject, key, n)
                 JOIN idempotency_key USING (client_id, subject, key)) AS s
           LEFT JOIN operation o ON o.holder_id = s.holder_id AND o.id = s.operation_id""",
        [key.client_id for key in keys],
        [key.subject for key in keys],
        [key.value for key in keys],
    )
    return {keys[row["n"] - 1]: row for row in rows}


async def load(
    connection: asyncpg.Connection,
    needs: Needs,
    member_status: Loader | None,
    recovery: Recovery | None = None,
    law: Law | None = None,
    funder: Funder | None = None,
    *,
    simulated: bool = False,
) -> Books:
    """All that the requests said they need, and what `recovery` does where reversed earns may be recovered.

    `law` only where it protects one of the members, `funder` where points that it hears of are among the lots.
    """
    books = Books(simulated=simulated)
    if member_status is not None:
        books.statuses = await member_status.load(connection, list(needs.members))
        books.jurisdictions = {
            id_: where for id_, one in books.statuses.items() if (where := one.jurisdiction) is not None
        }
        books.law = law if books.jurisdictions else None
    owing: list[tuple[UUID, str]] = []
    for row in await connection.fetch(
        """SELECT holder_id, kind, currency, posted, held, debt, stopped FROM account WHERE holder_id = ANY($1)
           UNION ALL SELECT holder_id, NULL, NULL, 0, 0, 0, false FROM wallet_watch WHERE holder_id = ANY($1)
           UNION ALL SELECT holder_id, NULL, into_id::text, 0, 0, 0, false FROM member_alias
                     WHERE holder_id = ANY($1)""",
        list(needs.holders),
    ):
        if row["kind"] is None:
            if row["currency"] is None:
                books.watched.add(row["holder_id"])
            else:
                books.merged[row["holder_id"]] = UUID(row["currency"])
            continue
        account = (row["holder_id"], row["kind"], row["currency"])
        books.accounts[account] = row["posted"]
        if row["held"]:
            books.held[account] = row["held"]
        if row["stopped"]:
            books.stopped.add(row["holder_id"])
        if row["debt"]:
            owing.append((row["holder_id"], row["currency"]))
        if row["holder_id"] in needs.whole and row["kind"] == POINTS:
            needs.wallets.add((row["holder_id"], row["currency"]))
    if unknown := set(books.merged.values()) - needs.holders:
        raise Merged(unknown)
    if owing:
        await load_debts(connection, books, owing)
        needs.wallets.update(wallet for wallet in owing if wallet in needs.debits)
    if needs.orders:
        await _load_orders(connection, books, list(needs.orders))
    if needs.operations:
        await load_operations(connection, books, list(needs.operations))
        if gone := needs.operations - books.operations.keys():
            books.archived = await load_archived(connection, gone)
        needs.wallets.update((o.holder_id, e.currency) for o in books.operations.values() for e in o.entries)
    if needs.holds:
        await _load_holds(connection, books, list(needs.holds))
        needs.wallets.update((hold.holder_id, hold.currency) for hold in books.holds.values())
    if needs.earned:
        books.earned = await load_earned(connection, list(needs.earned))
    if books.merged:
        needs.wallets |= {(books.heir(holder_id), currency) for holder_id, currency in needs.wallets}
    if needs.wallets:
        await _load_wallets(connection, books, list(needs.wallets))
    # A wallet that owes is read whole too: what may be spent of it depends on all that it has.
    debits = [(*wallet, *asked) for wallet, asked in needs.debits.items() if wallet not in needs.wallets]
    if debits:
        await _load_debits(connection, books, debits)
    expiries = [(*wallet, as_of) for wallet, as_of in needs.expiries.items() if wallet not in needs.wallets]
    if expiries:
        await _load_expiries(connection, books, expiries)
    for lot in books.lots.values():
        books.wallets.setdefault((lot.holder_id, lot.currency), []).append(lot)
    for loader, keys in needs.others.items():
        books.others[loader] = await loader.load(connection, list(keys))
    if recovery is not None and (earns := _recoverable(books)):
        await recovery.load(connection, books, earns)
        books.recovery = recovery
    books.funded |= needs.funded
    if funder is not None and books.funded:
        await funder.load(connection, books)
        books.funder = funder
    return books


def _recoverable(books: Books) -> set[tuple[UUID, UUID]]:
    """Earns, as (holder, id), of which more may be recovered: those that debts are owed for, and those reversed."""
    owed = {debt.earn for debts in books.debts.values() for debt in debts if debt.earn is not None}
    return owed | {key for key, past in books.operations.items() if past.lots}


async def _load_orders(connection: asyncpg.Connection, books: Books, orders: list[tuple[UUID, str, str]]) -> None:
    rows = await connection.fetch(
        """SELECT merchant_id, order_ref, kind, operation_id FROM order_reference
           JOIN unnest($1::uuid[], $2::text[], $3::text[]) AS asked (merchant_id, order_ref, kind)
           USING (merchant_id, order_ref, kind)""",
        *turned(orders),
    )
    books.orders = {(r["merchant_id"], r["order_ref"], r["kind"]): r["operation_id"] for r in rows}


async def _load_wallets(connection: asyncpg.Connection, books: Books, wallets: list[tuple[UUID, str]]) -> None:
    rows = await connection.fetch(
        f"""SELECT {LOT}, {SLIDING} FROM lot JOIN unnest($1::uuid[], $2::text[]) AS asked (holder_id, currency)
              ON lot.holder_id = asked.holder_id AND lot.currency = asked.currency {SLIDES}
            WHERE NOT lot.spent""",  # noqa: S608
        *turned(wallets),
    )
    for row in rows:
        lot_of(books, row)


async def _load_debits(
    connection: asyncpg.Connection, books: Books, debits: list[tuple[UUID, str, int, datetime]]
) -> None:
    """Of each of these wallets the lots that R1 takes first, until they hold so many points at that moment.

    None of them slides: wallets of currencies whose lots may are read whole.
    """
    rows = await connection.fetch(
        f"""SELECT {LOT} FROM unnest($1::uuid[], $2::text[], $3::bigint[], $4::timestamptz[])
                               AS asked (holder_id, currency, points, as_of)
            CROSS JOIN LATERAL (
              SELECT lot.*, sum(CASE WHEN lot.expires_at <= asked.as_of THEN 0 ELSE lot.remaining - lot.held END)
                     OVER (ORDER BY lot.expires_at, lot.granted_at, lot.id
                           ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING) AS before
              FROM lot WHERE lot.holder_id = asked.holder_id AND lot.currency = asked.currency AND NOT lot.spent
            ) AS lot WHERE coalesce(lot.before, 0) < asked.points""",  # noqa: S608
        *turned(debits),
    )
    for row in rows:
        lot_of(books, row)


async def _load_expiries(
    connection: asyncpg.Connection, books: Books, expiries: list[tuple[UUID, str, datetime]]
) -> None:
    """The open lots of each of these wallets that are past their date at that moment, or slide and may not be."""
    rows = await connection.fetch(
        f"""SELECT {LOT}, {SLIDING} FROM lot
            JOIN unnest($1::uuid[], $2::text[], $3::timestamptz[]) AS asked (holder_id, currency, as_of)
              ON lot.holder_id = asked.holder_id AND lot.currency = asked.currency
              AND lot.expires_at <= asked.as_of {SLIDES}
            WHERE NOT lot.spent""",  # noqa: S608
        *turned(expiries),
    )
    for row in rows:
        lot_of(books, row)


async def _load_holds(connection: asyncpg.Connection, books: Books, asked: list[tuple[UUID, UUID]]) -> None:
    """Holds with what they have set aside; as long as they are open their lots are open too."""
    rows = await connection.fetch(
        """SELECT h.holder_id, h.id, h.currency, h.points, h.expires_at, h.status, h.captured, h.captured_by,
                  h.reserves, array_agg(a.lot_id ORDER BY a.seq) AS lots, array_agg(a.amount ORDER BY a.seq) AS amounts
           FROM unnest($1::uuid[], $2::uuid[]) AS asked (holder_id, id)
           JOIN hold h USING (holder_id, id)
           JOIN hold_allocation a ON a.holder_id = h.holder_id AND a.hold_id = h.id
           GROUP BY h.holder_id, h.id""",
        *turned(asked),
    )
    for row in rows:
        *hold, lots, amounts = row
        holder_id, id_, currency, points, expires_at, *end = hold
        parts = tuple(zip(lots, amounts, strict=True))
        books.holds[holder_id, id_] = HoldState(holder_id, id_, currency, points, expires_at, parts, *end)


@dataclass(slots=True)
class Batch:
    """What a batch has decided, to be written in one statement."""

    effects: list[Effect] = field(default_factory=list)
    keys: list[tuple[Any, ...]] = field(default_factory=list)

    def refuse(self, key: Key, holder_id: UUID, refusal: Refusal) -> None:
        """Keep that the key was refused."""
        self.keys.append((*key, holder_id, None, None, {"refusal": refusal.to_json()}))

    def remember(self, key: Key, posted: Posted) -> None:
        """Keep what the key was answered; the operation's own row says of what kind it is."""
        outcome: dict[str, Any] | None = None
        if posted.operation_id is None:
            outcome = {"kind": posted.kind, "data": posted.data}
        elif posted.data:
            outcome = {"data": posted.data}
        self.keys.append((*key, posted.holder_id, posted.operation_id, posted.points, outcome))


async def write(connection: asyncpg.Connection, batch: Batch, books: Books, posted: dict[Any, int]) -> None:
    """Insert all rows of the batch and set the accounts and lots it changed, in one statement; many rows by COPY.

    `posted` holds the accounts' sums as they were before the batch; `books` holds them as they are now.
    """
    entries: list[tuple[Any, ...]] = []
    lots: list[tuple[Any, ...]] = []
    allocations: list[tuple[Any, ...]] = []
    others: dict[Table, list[dict[str, Any]]] = defaultdict(list)
    fresh: set[UUID] = set()
    changed: dict[tuple[UUID, UUID], LotState] = {}
    accounts: set[tuple[UUID, str, str]] = set()
    ended: dict[tuple[UUID, UUID], HoldState] = {}
    running = dict(posted)
    slidings: dict[UUID, Sliding] = {}
    matured: dict[tuple[UUID, UUID, int], PendingState] = {}
    sums: dict[Sums, dict[Any, list[int]]] = defaultdict(dict)
    for effect in batch.effects:
        operation = effect.operation
        holder_id, operation_id = operation["holder_id"], operation["id"]
        if effect.booked:
            others[_OPERATION].append(operation)
        for seq, entry in enumerate(effect.entries):
            owner_id = entry.holder_id or holder_id
            account = (owner_id, entry.account, entry.currency)
            accounts.add(account)
            balance = running[account] = running.get(account, 0) + entry.amount
            what = (entry.account, entry.currency, entry.amount, entry.counter_holder_id, entry.counter_account)
            entries.append((owner_id, operation_id, seq, *what, balance))
        for lot in effect.lots:
            fresh.add(lot.id)
            lots.append(_LOT_VALUES(lot))
        for lot, amount in effect.allocations:
            allocations.append((lot.holder_id, operation_id, lot.id, amount))
            if lot.id not in fresh:
                changed[lot.holder_id, lot.id] = lot
        for lot, _ in effect.held:
            accounts.add((holder_id, POINTS, lot.currency))
            if lot.id not in fresh:
                changed[holder_id, lot.id] = lot
        if effect.hold is not None:
            ended[holder_id, effect.hold.id] = effect.hold
        for sliding, _ in effect.slides:
            slidings[sliding.id] = sliding
        for state in effect.pending:
            others[_PENDING].append({name: getattr(state, name) for name in _PENDING_COLUMNS})
        for state, _ in effect.matured:
            matured[state.holder_id, state.operation_id, state.seq] = state
        for table, row in effect.rows:
            others[table].append(row)
        for kept, key, amounts in effect.adds:
            sums[kept][key] = [one + more for one, more in zip(sums[kept].get(key, repeat(0)), amounts, strict=False)]
    parts: list[Part] = []
    arguments: list[Sequence[Any]] = []
    inserts = [(_ENTRIES, entries), (_LOTS, lots), (_ALLOCATIONS, allocations), (_KEYS, batch.keys)]
    inserts += [(_Insert(table, tuple(rows[0])), _values(rows)) for table, rows in others.items()]
    for insert, values in inserts:
        if len(values) >= COPIED:
            await connection.copy_records_to_table(insert.table.name, columns=insert.columns, records=values)
        elif values:
            parts.append(insert)
            columns = zip(insert.columns, zip(*values, strict=True), strict=True)
            arguments.extend([*map(_json, column)] if name in insert.json else column for name, column in columns)
    if accounts:
        parts.append(_UPSERT_ACCOUNTS)
        arguments.extend(
            turned(
                [
                    (*account, books.accounts[account], books.held.get(account, 0), _debt(books, account))
                    for account in accounts
                ]
            )
        )
    if changed:
        parts.append(_UPDATE_LOTS)
        arguments.extend(turned([(lot.holder_id, lot.id, lot.remaining, lot.held) for lot in changed.values()]))
    if ended:
        parts.append(_END_HOLDS)
        arguments.extend(
            turned(
                [(*key, hold.status, hold.captured, hold.captured_by, hold.ended_as_of) for key, hold in ended.items()]
            )
        )
    if slidings:
        parts.append(_UPSERT_SLIDING)
        arguments.extend(turned([(s.holder_id, s.id, s.currency, s.span, s.expires_at) for s in slidings.values()]))
    if matured:
        parts.append(_UPDATE_PENDING)
        states = [(*place, state.remaining, state.activated_by) for place, state in matured.items()]
        arguments.extend(turned(states))
    for kept, added in sorted(sums.items(), key=lambda one: one[0].part.columns):
        parts.append(kept.part)
        arguments.extend(
            turned([(*(key if isinstance(key, tuple) else (key,)), *amounts) for key, amounts in added.items()])
        )
    if parts:
        await connection.execute(_statement(tuple(parts)), *arguments)


def _debt(books: Books, account: tuple[UUID, str, str]) -> int:
    holder_id, kind, currency = account
    return books.debt(holder_id, currency) if books.debts and kind == POINTS else 0


def _values(rows: list[dict[str, Any]]) -> list[tuple[Any, ...]]:
    """The rows, which have at least the names of the first, as tuples in its order."""
    return list(map(itemgetter(*rows[0]), rows))


@dataclass(frozen=True, slots=True)
class _Insert:
    """`INSERT ... SELECT FROM unnest`, one array a column."""

    table: Table
    columns: tuple[str, ...]
    then: tuple[str, ...] = ()

    @property
    def json(self) -> frozenset[str]:
        """The columns that are sent as text."""
        return _json_columns(self.table)

    def __call__(self, first: int) -> str:
        arrays, values = [], []
        for n, name in enumerate(self.columns):
            json = name in self.json
            type_ = "text" if json else self.table.c[name].type.compile(dialect=_DIALECT)
            arrays.append(f"${first + n}::{type_}[]")
            values.append(f"{name}::jsonb" if json else name)
        names = ", ".join(self.columns)
        return (
            f"INSERT INTO {self.table.name} ({names}) SELECT {', '.join(values)} "  # noqa: S608
            f"FROM unnest({', '.join(arrays)}) AS new ({names})"
        )


POINTS = AccountKind.POINTS.value
_DIALECT: Any = postgresql.dialect()  # type: ignore[no-untyped-call]
_OPERATION, *_TABLES = (
    model.metadata.tables[model.__tablename__] for model in (Operation, Entry, Lot, Allocation, IdempotencyKey)
)
# All their columns, in their order, but for those that the database makes.
_ENTRIES, _LOTS, _ALLOCATIONS, _KEYS = (
    _Insert(table, tuple(c.name for c in table.columns if c.name not in ("spent", "created_at"))) for table in _TABLES
)
_LOT_VALUES = attrgetter(*_LOTS.columns)
_PENDING = PendingGrant.metadata.tables[PendingGrant.__tablename__]
_PENDING_COLUMNS = tuple(column.name for column in _PENDING.columns if column.name != "done")
_UPSERT_SLIDING = Fixed(
    """INSERT INTO sliding_expiry (holder_id, id, currency, span, expires_at)
       SELECT * FROM unnest({0}::uuid[], {1}::uuid[], {2}::text[], {3}::text[], {4}::timestamptz[])
       ON CONFLICT (holder_id, id) DO UPDATE SET expires_at = excluded.expires_at""",
    ("holder_id", "id", "currency", "span", "expires_at"),
)
_UPDATE_PENDING = Fixed(
    """UPDATE pending_grant p SET remaining = now.remaining, activated_by = now.activated_by
       FROM unnest({0}::uuid[], {1}::uuid[], {2}::smallint[], {3}::bigint[], {4}::uuid[])
            AS now (holder_id, operation_id, seq, remaining, activated_by)
       WHERE p.holder_id = now.holder_id AND p.operation_id = now.operation_id AND p.seq = now.seq""",
    ("holder_id", "operation_id", "seq", "remaining", "activated_by"),
)
_UPSERT_ACCOUNTS = Fixed(
    """INSERT INTO account (holder_id, kind, currency, posted, held, debt)
       SELECT * FROM unnest({0}::uuid[], {1}::text[], {2}::text[], {3}::bigint[], {4}::bigint[], {5}::bigint[])
       ON CONFLICT (holder_id, kind, currency)
       DO UPDATE SET posted = excluded.posted, held = excluded.held, debt = excluded.debt""",
    ("holder_id", "kind", "currency", "posted", "held", "debt"),
)
_UPDATE_LOTS = Fixed(
    """UPDATE lot SET remaining = now.remaining, held = now.held
       FROM unnest({0}::uuid[], {1}::uuid[], {2}::bigint[], {3}::bigint[]) AS now (holder_id, id, remaining, held)
       WHERE lot.holder_id = now.holder_id AND lot.id = now.id""",
    ("holder_id", "id", "remaining", "held"),
)
_END_HOLDS = Fixed(
    """UPDATE hold SET status = now.status, captured = now.captured, captured_by = now.captured_by,
              ended_as_of = now.ended_as_of, ended_at = clock_timestamp()
       FROM unnest({0}::uuid[], {1}::uuid[], {2}::text[], {3}::bigint[], {4}::uuid[], {5}::timestamptz[])
            AS now (holder_id, id, status, captured, captured_by, ended_as_of)
       WHERE hold.holder_id = now.holder_id AND hold.id = now.id""",
    ("holder_id", "id", "status", "captured", "captured_by", "ended_as_of"),
)


@cache
def _json_columns(table: Table) -> frozenset[str]:
    return frozenset(column.name for column in table.columns if isinstance(column.type, JSONB))


def _json(value: Any) -> str | None:
    """JSON as text: an array of jsonb values that are arrays themselves would be taken for one with two dimensions."""
    return None if value is None else orjson.dumps(value).decode()


@cache
def _statement(parts: tuple[Any, ...]) -> str:
    """All parts as one statement: common table expressions that write."""
    first = 1
    texts = []
    for n, part in enumerate(parts):
        texts.append(f"w{n} AS ({part(first)})")
        texts.extend(f"w{n}_{i} AS ({text.format(w=f'w{n}')})" for i, text in enumerate(part.then))
        first += len(part.columns)
    return f"WITH {', '.join(texts)} SELECT 1"
