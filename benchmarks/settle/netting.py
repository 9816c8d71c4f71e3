"""Netting a large cycle, from its closing to its payment plan, against a bare sum by debtor and creditor.

There are a thousand merchants, with twenty partners each or with all others. The sum counts its groups and throws them
away; netting states what each pair opened with, its lines, adjustments, net and remainder, takes one line in a hundred
out again, and plans the payments.
"""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from uuid import UUID

import asyncpg

from alliance.disputes.commands import net_again
from alliance.settlement import commands
from alliance.settlement.rules import minor_unit
from benchmarks.ledger.site import Site, connected, timed
from benchmarks.outcome import Outcome, Result, middle, ratio
from benchmarks.serving import WHO
from benchmarks.settle.filling import MERCHANTS, add_cycle, add_objections, add_obligations, add_pairs, without_indexes
from domain.database import Database
from domain.programs.catalogue import Alliance, load_catalogue

FEW, ALL = 20, MERCHANTS - 1
"""Partners of a merchant."""

_GROUP_BY = """
    SELECT count(*) FROM (SELECT debtor_id, creditor_id, sum(amount) FROM obligation WHERE cycle_id = $1
                          GROUP BY debtor_id, creditor_id) AS summed"""

_UNDO = """
    DELETE FROM pair_net WHERE cycle_id = '{cycle}'; DELETE FROM statement WHERE cycle_id = '{cycle}';
    DELETE FROM net_position WHERE cycle_id = '{cycle}'; DELETE FROM payment WHERE cycle_id = '{cycle}';
    DELETE FROM cycle_transition WHERE cycle_id = '{cycle}';
    UPDATE settlement_cycle SET status = 'CLOSED' WHERE id = '{cycle}'"""


@dataclass(slots=True)
class Books:
    """A cycle that is netted, and after it one that is closed and has `count` obligations."""

    connection: asyncpg.Connection
    database: Database
    alliance: Alliance
    cycle_id: UUID
    count: int

    async def net(self) -> float:
        """Seconds until the cycle is stated, confirmed and netted; then all that is undone."""
        _, seconds = await timed(net(self.database, self.alliance, self.cycle_id))
        await self.connection.execute(_UNDO.format(cycle=self.cycle_id))
        await self.connection.execute("VACUUM (ANALYZE) pair_net")
        return seconds

    async def sum(self) -> float:
        """Seconds that the bare sums take."""
        return (await timed(self.connection.fetchval(_GROUP_BY, self.cycle_id)))[1]


async def measure(site: Site) -> Outcome:
    """Each size in a database of its own, netted and summed in turn."""
    rounds: dict[str, list[Result]] = {}
    for name, count, partners in (
        ("", site.plan.obligations, FEW),
        ("_tenth", site.plan.obligations // 10, FEW),
        ("_all", site.plan.obligations, ALL),
    ):
        async with filled(site, count, partners) as books:
            for _ in range(site.plan.rounds):
                for what, act in (("group_by", books.sum), ("netting", books.net)):
                    result = Result(f"{what}{name}", count / await act(), more={"obligations": float(count)})
                    rounds.setdefault(result.name, []).append(result)
    return Outcome(
        [middle(found) for found in rounds.values()],
        {
            "netting_vs_group_by": ratio(rounds, "netting", "group_by"),
            "netting_all_vs_group_by_all": ratio(rounds, "netting_all", "group_by_all"),
            "netting_10m_vs_1m": ratio(rounds, "netting", "netting_tenth"),
        },
    )


async def net(database: Database, alliance: Alliance, cycle_id: UUID) -> None:
    """All steps of a closed cycle up to its payment plan, each in a transaction of its own.

    What is objected to is taken out of the stated nets at once, and not merchant by merchant.
    """
    why, as_of = "bench", datetime.now(UTC)
    async with database.transaction() as session:
        await commands.issue_statements(session, alliance, cycle_id, who=WHO, why=why, as_of=as_of)
    async with database.transaction() as session:
        await net_again(session, cycle_id, minor_unit(alliance.settlement_currency))
    async with database.transaction() as session:
        await commands.confirm_statement(session, cycle_id, early=True, who=WHO, why=why, as_of=as_of)
    async with database.transaction() as session:
        await commands.net_cycle(session, alliance, cycle_id, who=WHO, why=why, as_of=as_of)


@asynccontextmanager
async def filled(site: Site, count: int, partners: int) -> AsyncIterator[Books]:
    """Books in a database of their own, which is gone afterwards."""
    database_url = await site.database()
    database = Database(database_url)
    try:
        async with connected(database_url) as connection:
            async with database.session() as session:
                alliance = (await load_catalogue(session)).alliance
            pairs = await add_pairs(connection, partners)
            netted, closed = [await add_cycle(connection, number) for number in (1, 2)]
            async with without_indexes(connection):
                # One for each pair, so that nearly all open the next cycle with a remainder.
                await add_obligations(connection, netted, min(pairs, count // 10), each=True)
                await add_obligations(connection, closed, count)
            await add_objections(connection, closed)
            await connection.execute("VACUUM (ANALYZE) obligation, objection")
            await net(database, alliance, netted)
            yield Books(connection, database, alliance, closed, count)
    finally:
        await database.close()
        await site.drop(database_url)
