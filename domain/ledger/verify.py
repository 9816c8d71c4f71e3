"""The proof of the books (R25, R26): what is kept beside the entries is compared with the entries themselves.

One pass over the holders, a range of them at a time: each table is read once a range, and all checks work on that.
"""

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

import asyncpg
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncSession

from domain.ledger.checks import CHECKS, TOTALS
from domain.ledger.merge_checks import CHECKS as MERGE_CHECKS

LIMIT = 1000
"""Differences that a proof keeps; it counts them all, and tells each to whoever listens."""

RANGE = 20_000
"""Entries that a range of holders has, about: what is read, sorted and joined at a time."""

Progress = Callable[[str, int, int], None]
"""Is told what is being done, how much of it is done, and of how much."""


@dataclass(frozen=True, slots=True)
class Difference:
    """One account, lot or operation whose kept figure is not what its entries prove."""

    check: str
    holder: str
    what: str
    currency: str
    kept: int
    proved: int


@dataclass(slots=True)
class Proof:
    """The verdict: how much was checked, how many figures differ (`found`), and the first of them; how many operations
    are not as they were sealed but were `repaired`; how many are `archived`, and in which files that were not read
    (`unread`).

    `listener` is told each figure that differs.
    """

    accounts: int = 0
    operations: int = 0
    found: int = 0
    repaired: int = 0
    archived: int = 0
    unread: list[str] = field(default_factory=list)
    differences: list[Difference] = field(default_factory=list)
    listener: Callable[[Difference], None] = lambda difference: None

    @property
    def balanced(self) -> bool:
        """Whether nothing differs."""
        return not self.found

    def add(self, difference: Difference) -> None:
        """Take in a figure that differs."""
        self.found += 1
        if len(self.differences) < LIMIT:
            self.differences.append(difference)
        self.listener(difference)

    def to_json(self) -> dict[str, Any]:
        """The answer of `tessera verify --json`; `found` only where not all are listed, `repaired` and `archived` where
        any are."""
        more: dict[str, Any] = {"found": self.found} if self.found > len(self.differences) else {}
        more |= {"repaired": self.repaired} if self.repaired else {}
        more |= {"archived": {"operations": self.archived, "unread": self.unread}} if self.archived else {}
        return {
            "balanced": self.balanced,
            "accounts": self.accounts,
            "operations": self.operations,
            "differences": [
                {name: getattr(difference, name) for name in Difference.__slots__} for difference in self.differences
            ],
        } | more


def quiet(step: str, done: int, total: int) -> None:
    """A `Progress` that nobody sees."""


async def verify(
    session: AsyncSession,
    more: Mapping[str, str] | None = None,
    proof: Proof | None = None,
    progress: Progress = quiet,
    *,
    whole: Mapping[str, str] | None = None,
) -> Proof:
    """Prove the ledger of the whole database, as of one instant, whatever is posted meanwhile.

    `more` are checks of other rooms, written as those in `checks.py`; `whole` those whose tables do not lie by holder:
    they are asked once, of all rows.
    """
    await session.execute(text("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY"))
    # Leaves of the log are read by this transaction too: planned for those that are asked for.
    await session.execute(text("SET LOCAL plan_cache_mode = force_custom_plan"))
    await session.execute(text("SET LOCAL work_mem = '64MB'"))
    await session.execute(text("SET LOCAL jit = off"))
    proof = proof or Proof()
    await _by_range(session, CHECKS | MERGE_CHECKS | dict(more or {}), proof, progress)
    for done, (name, sql) in enumerate((whole or {}).items()):
        progress("checks between merchants", done, len(whole or {}))
        async for row in await session.stream(text(f"{sql} ORDER BY 1, 2, 3")):
            proof.add(_difference(name, row))
    return proof


async def _by_range(session: AsyncSession, checks: Mapping[str, str], proof: Proof, progress: Progress) -> None:
    """All that is compared holder by holder, and the sums of it."""
    names = ["", *TOTALS, *checks]
    lying = {row.relname: row.attname for row in await session.execute(text(_BY_HOLDER))}
    queries = [_COUNTS, *TOTALS.values(), *checks.values()]
    statement = text(_statement(queries, lying, "BETWEEN :first AND :last"))
    total = (await session.execute(text("SELECT count(*) FROM operation"))).scalar_one()
    # A range is read by its keys and joined by hashing, also where nothing is known of the tables yet.
    await session.execute(text("SET LOCAL enable_seqscan = off"))
    await session.execute(text("SET LOCAL enable_nestloop = off"))
    sums: dict[tuple[str, UUID, str, str], list[int]] = {}
    first: UUID | None = _FIRST
    while first is not None:
        last = (await session.execute(_END, {"first": first, "size": RANGE})).scalar_one() or _LAST
        async for row in await session.stream(statement, {"first": first, "last": last}):
            if row.n == 0:
                proof.accounts += int(row.kept)
                proof.operations += int(row.proved)
            elif row.n <= len(TOTALS):
                summed = sums.setdefault((names[row.n], row.holder_id, row.kind, row.currency), [0, 0])
                summed[0] += int(row.kept)
                summed[1] += int(row.proved)
            else:
                proof.add(_difference(names[row.n], row))
        progress("operations", proof.operations, total)
        first = UUID(int=last.int + 1) if last < _LAST else None
    for (name, holder_id, kind, currency), (kept, proved) in sums.items():
        if kept != proved:
            proof.add(Difference(name, str(holder_id), kind, currency, kept, proved))
    await session.execute(text("SET LOCAL enable_seqscan TO DEFAULT"))
    await session.execute(text("SET LOCAL enable_nestloop TO DEFAULT"))


_FIRST, _LAST = UUID(int=0), UUID(int=(1 << 128) - 1)
_COUNTS = """
    SELECT CAST(:first AS uuid) AS holder_id, '' AS kind, '' AS currency,
           (SELECT count(*) FROM account) AS kept, (SELECT count(*) FROM operation) AS proved"""
_END = text("""
    SELECT least((SELECT holder_id FROM entry WHERE holder_id >= :first ORDER BY holder_id OFFSET :size LIMIT 1),
                 (SELECT holder_id FROM account WHERE holder_id >= :first ORDER BY holder_id OFFSET :size LIMIT 1))""")
_BY_HOLDER = """
    SELECT c.relname, a.attname
    FROM pg_class c JOIN pg_index i ON i.indrelid = c.oid AND i.indisprimary
    JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum = i.indkey[0]
    WHERE c.relnamespace = CAST(current_schema AS regnamespace)
      AND (a.attname = 'holder_id' OR (c.relname, a.attname) IN (('member', 'id'), ('pool', 'id')))"""
"""The tables whose rows lie by holder, and the column that says whose they are."""


async def examine(
    connection: asyncpg.Connection, holders: Sequence[UUID], more: Mapping[str, str] | None = None
) -> list[Difference]:
    """What differs of these holders alone, in the caller's transaction."""
    checks = CHECKS | dict(more or {})
    lying = {row["relname"]: row["attname"] for row in await connection.fetch(_BY_HOLDER)}
    await connection.execute("SET LOCAL enable_seqscan = off")
    found = await connection.fetch(_statement([*checks.values()], lying, "= ANY($1)"), holders)
    await connection.execute("SET LOCAL enable_seqscan TO DEFAULT")
    names = [*checks]
    return [
        Difference(names[n], str(holder), what, currency, int(kept), int(proved))
        for n, holder, what, currency, kept, proved in found
    ]


def _statement(queries: list[str], by_holder: Mapping[str, str], these: str) -> str:
    """All queries as one, numbered; those tables' names in them mean their rows of `these` holders."""
    united = " UNION ALL ".join(
        f"(SELECT {n} AS n, holder_id, kind, currency, kept::numeric, proved::numeric FROM ({query}) AS q)"  # noqa: S608
        for n, query in enumerate(queries)
    )
    words = set(re.findall(r"\w+", united))
    tables = sorted(table for table in by_holder if {table, f"all_{table}"} & words)
    rows = ", ".join([_ALL.format(table=table) for table in tables])
    ranges = ", ".join([_RANGE.format(table=table, holder=by_holder[table], these=these) for table in tables])
    return f"WITH {rows}, {ranges} {united} ORDER BY 1, 2, 3, 4"


_ALL = "all_{table} AS NOT MATERIALIZED (SELECT * FROM {table})"
_RANGE = "{table} AS MATERIALIZED (SELECT * FROM all_{table} WHERE {holder} {these})"


def _difference(name: str, row: Any) -> Difference:
    return Difference(name, str(row.holder_id), row.kind, row.currency, int(row.kept), int(row.proved))
