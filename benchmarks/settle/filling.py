"""What many merchants owe each other, quickly: rows as postings at partners would have written them."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from uuid import UUID

import asyncpg

MERCHANTS = 1_000

# Everybody trades with those next to them in a ring, half of them on each side. In no order: as customers come.
_PAIRS = """
    CREATE TABLE trade AS
    SELECT (row_number() OVER (ORDER BY random()))::integer AS n, debtor.id AS debtor_id, creditor.id AS creditor_id
    FROM (SELECT n, id FROM party) AS debtor, (SELECT n, id FROM party) AS creditor
    WHERE debtor.n <> creditor.n
      AND least(abs(creditor.n - debtor.n), {merchants} - abs(creditor.n - debtor.n)) <= ({partners} + 1) / 2"""

# Points at 0.0085, so that sums do not end at a cent; one in fifty takes an earlier one back.
_OBLIGATIONS = """
    INSERT INTO obligation (holder_id, operation_id, seq, cycle_id, kind, debtor_id, creditor_id, currency, points,
                            price, amount, agreement_id, agreement_version, merchant_id, order_ref, store,
                            occurred_at, reverses)
    SELECT gen_random_uuid(), uuidv7(), 0, $1, 'SPEND', debtor_id, creditor_id, 'GRO', points, 850000, points * 8500,
           debtor_id, 1, creditor_id, '330-' || line, '330', now(), CASE WHEN points < 0 THEN gen_random_uuid() END
    FROM (SELECT line, 1 + (CASE WHEN $2 THEN line ELSE floor(random() * $3::integer)::integer END - 1) % $3 AS n,
                 CASE WHEN line % 50 = 0 THEN -1 ELSE 1 END * (1 + floor(random() * 2000))::bigint AS points
          FROM generate_series(1, $4::integer) AS line) AS drawn
    JOIN trade USING (n)"""

_OBJECTIONS = """
    INSERT INTO objection (id, cycle_id, holder_id, operation_id, seq, first_id, second_id, amount, reason, merchant_id,
                           who, raised_at)
    SELECT uuidv7(), cycle_id, holder_id, operation_id, seq, least(debtor_id, creditor_id),
           greatest(debtor_id, creditor_id), CASE WHEN creditor_id < debtor_id THEN amount ELSE -amount END,
           'UNKNOWN_KEY', debtor_id, debtor_id, now()
    FROM obligation TABLESAMPLE BERNOULLI (1) WHERE cycle_id = $1"""


async def add_pairs(connection: asyncpg.Connection, partners: int) -> int:
    """So many merchants, each with so many partners; how many debtors and creditors that makes."""
    await connection.execute(
        f"CREATE TABLE party AS SELECT n, uuidv7() AS id FROM generate_series(0, {MERCHANTS - 1}) AS n"
    )
    await connection.execute(_PAIRS.format(merchants=MERCHANTS, partners=partners))
    await connection.execute("ALTER TABLE trade ADD PRIMARY KEY (n)")
    await connection.execute("ANALYZE party, trade")
    return int(await connection.fetchval("SELECT count(*) FROM trade"))


async def add_obligations(connection: asyncpg.Connection, cycle_id: UUID, count: int, *, each: bool = False) -> None:
    """So many obligations of a cycle, anywhere among the pairs; or one for `each` pair in turn."""
    pairs = await connection.fetchval("SELECT count(*) FROM trade")
    await connection.execute(_OBLIGATIONS, cycle_id, each, pairs, count)


async def add_objections(connection: asyncpg.Connection, cycle_id: UUID) -> None:
    """One line in a hundred is objected to."""
    await connection.execute(_OBJECTIONS, cycle_id)


async def add_cycle(connection: asyncpg.Connection, number: int) -> UUID:
    """A closed cycle."""
    id_ = await connection.fetchval(
        "INSERT INTO settlement_cycle (id, number, status, opens_at, closes_at)"
        " VALUES (uuidv7(), $1, 'CLOSED', now(), now()) RETURNING id",
        number,
    )
    return UUID(str(id_))


@asynccontextmanager
async def without_indexes(connection: asyncpg.Connection) -> AsyncIterator[None]:
    """Obligations have their indexes and key again after the block: to make them for all rows at once is quicker."""
    made = await connection.fetch(
        "SELECT indexname AS name, indexdef AS made FROM pg_indexes"
        " WHERE tablename = 'obligation' AND indexname LIKE 'ix%'"
    )
    for index in made:
        await connection.execute(f"DROP INDEX {index['name']}")
    await connection.execute("ALTER TABLE obligation DROP CONSTRAINT pk_obligation")
    yield
    await connection.execute("SET maintenance_work_mem = '512MB'")
    await connection.execute(
        "ALTER TABLE obligation ADD CONSTRAINT pk_obligation PRIMARY KEY (holder_id, operation_id, seq)"
    )
    for index in made:
        await connection.execute(index["made"])
