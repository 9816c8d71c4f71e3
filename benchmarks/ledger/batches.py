"""The engine alone: batches of purchases against a bare COPY of such rows, and few wallets against many."""

import random
from collections.abc import Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass
from typing import Any
from uuid import UUID

import asyncpg
import orjson

from alliance.runtime import Runtime, collect_rarely
from benchmarks.ledger.filling import add_members, fill
from benchmarks.ledger.site import BATCH, Site, connected, opened, purchases, timed
from benchmarks.outcome import Outcome, Result, middle, ratio
from domain.ledger.commands import Earn
from domain.ledger.model import IdempotencyKey, Lot
from domain.ledger.request import Books, Posted


@dataclass(slots=True)
class Clock:
    """Seconds that so many purchases took."""

    count: int = 0
    seconds: float = 0.0

    def add(self, seconds: float) -> None:
        """A batch took so long."""
        self.count += BATCH
        self.seconds += seconds

    def result(self, name: str) -> Result:
        """The rate, and what one batch took on average."""
        return Result(name, self.count / self.seconds, more={"batch_ms": self.seconds / self.count * BATCH * 1000})


async def against_copy(site: Site) -> Outcome:
    """`engine`: batches posted, with all that a posting does. `copy`: the rows of such a batch into the same tables and
    indexes, in one transaction; it changes no account, looks up no key and decides nothing."""
    rounds: dict[str, list[Result]] = {"engine": [], "copy": []}
    database_url = await site.database()
    async with opened(database_url, site.settings.keys()) as (runtime, members), connected(database_url) as connection:
        await _warm(runtime, members)
        for _ in range(site.plan.rounds):
            engine, copy = Clock(), Clock()
            while engine.seconds + copy.seconds < site.plan.seconds:
                engine.add(await _post(runtime, purchases(runtime, _some(members))))
                rows = _rows(purchases(runtime, _some(members)))
                copy.add((await timed(_copy(connection, rows)))[1])
            rounds["engine"].append(engine.result("engine"))
            rounds["copy"].append(copy.result("copy"))
    return Outcome([middle(found) for found in rounds.values()], {"engine_vs_copy": ratio(rounds, "engine", "copy")})


async def against_many(site: Site) -> Outcome:
    """The same batches where there are few wallets, and where there are a hundred times as many."""
    sizes = {"wallets_few": site.plan.few, "wallets_many": site.plan.wallets}
    rounds: dict[str, list[Result]] = {name: [] for name in sizes}
    async with AsyncExitStack() as stack:
        houses = {}
        for name, size in sizes.items():
            database_url = await site.database()
            async with connected(database_url) as connection:
                await connection.execute("DELETE FROM member")
                await add_members(connection, size)
                await fill(connection, "GRO", lots=1)
            houses[name] = await stack.enter_async_context(opened(database_url, site.settings.keys()))
        for runtime, members in houses.values():
            await _warm(runtime, members)
        for _ in range(site.plan.rounds):
            clocks = {name: Clock() for name in sizes}
            while sum(clock.seconds for clock in clocks.values()) < 2 * site.plan.seconds:
                for name, (runtime, members) in houses.items():
                    clocks[name].add(await _post(runtime, purchases(runtime, _some(members))))
            for name, clock in clocks.items():
                rounds[name].append(clock.result(name))
    for name, size in sizes.items():
        for result in rounds[name]:
            result.more["wallets"] = float(size)
    return Outcome(
        [middle(found) for found in rounds.values()],
        {"wallets_1m_vs_10k": ratio(rounds, "wallets_many", "wallets_few")},
    )


def _some(members: Sequence[UUID]) -> list[UUID]:
    """A batch's members, anywhere among all."""
    return random.choices(members, k=BATCH)


async def _warm(runtime: Runtime, members: Sequence[UUID]) -> None:
    """Plans are made, and what is in memory by now stays."""
    for _ in range(8):
        await _post(runtime, purchases(runtime, _some(members)))
    collect_rarely()


async def _post(runtime: Runtime, requests: Sequence[Earn]) -> float:
    """The seconds that a batch takes. Raises RuntimeError if one of it was refused."""
    outcomes, seconds = await timed(runtime.engine.post_many(requests))
    if not all(isinstance(outcome, Posted) for outcome in outcomes):
        raise RuntimeError("a purchase was refused")
    return seconds


def _rows(requests: Sequence[Earn]) -> dict[str, tuple[list[str], list[tuple[Any, ...]]]]:
    """The rows that the posting of these writes, but for accounts: columns and tuples by table."""
    operations, entries, lots, keys = [], [], [], []
    for request in requests:
        effect = request.decide(Books())
        operation, entry, lot, key = effect.operation, effect.entries[0], effect.lots[0], request.key
        operations.append({name: _text(value) for name, value in operation.items()})
        entries.append(
            {
                "holder_id": effect.holder_id,
                "operation_id": operation["id"],
                "seq": 0,
                "account": entry.account,
                "currency": entry.currency,
                "amount": entry.amount,
                "counter_holder_id": entry.counter_holder_id,
                "counter_account": entry.counter_account,
                "balance_after": entry.amount,
            }
        )
        lots.append({name: getattr(lot, name) for name in _LOT})
        keys.append(
            dict(zip(_KEY, (*(key or ()), effect.holder_id, operation["id"], effect.points, None), strict=True))
        )
    tables = {"operation": operations, "entry": entries, "lot": lots, "idempotency_key": keys}
    return {name: (list(rows[0]), [tuple(row.values()) for row in rows]) for name, rows in tables.items()}


_LOT = [column.name for column in Lot.__table__.columns if column.name != "spent"]
_KEY = [column.name for column in IdempotencyKey.__table__.columns if column.name != "created_at"]


def _text(value: Any) -> Any:
    return orjson.dumps(value).decode() if isinstance(value, dict | list) else value


async def _copy(connection: asyncpg.Connection, rows: dict[str, tuple[list[str], list[tuple[Any, ...]]]]) -> None:
    async with connection.transaction():
        for table, (columns, records) in rows.items():
            await connection.copy_records_to_table(table, columns=columns, records=records)
