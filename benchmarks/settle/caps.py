"""Exchanging points of a merchant with a cap, over GraphQL, against a plain earn; by one process and by two."""

import asyncio
from contextlib import AsyncExitStack
from pathlib import Path

import asyncpg
from msgspec.structs import replace

from benchmarks import load
from benchmarks.ledger.filling import fill
from benchmarks.ledger.site import Site, connected
from benchmarks.outcome import Outcome, Result, middle, ratio
from benchmarks.requests import earn_body, exchange_body, granted_body, quote_body
from benchmarks.serving import operator_token, serving
from resolvers.ids import encode

CONNECTIONS = 64
POINTS = 100
"""Points out of an exchange."""
SAVED = 10**9
"""Points that each member has to exchange."""
A_SECOND = 6_000
"""Quotes made beforehand for a second of exchanging: more than are used."""

_RAISE = """
    UPDATE merchant SET settlement = '{"creditLimit": "900000000", "collateral": "0"}' WHERE code = 'fuel';
    UPDATE exposure SET cap = 900000000000000 WHERE merchant_id = (SELECT id FROM merchant WHERE code = 'fuel')"""

_QUOTES = """
    INSERT INTO quote (holder_id, id, out_currency, out_issuer_id, in_currency, in_issuer_id, points_out, points_in,
                       rate, clearing_value, agreement_id, agreement_version, created_at, expires_at)
    SELECT m.id, uuidv7(), 'FUE', f.id, 'GRO', g.id, $2, $2, '1', 1000000, a.id, 1, now(), now() + interval '1 day'
    FROM generate_series(0, $1 - 1) AS n
    JOIN (SELECT id, row_number() OVER (ORDER BY id) - 1 AS place, count(*) OVER () AS members FROM member) m
         ON m.place = n % m.members
    CROSS JOIN agreement a JOIN merchant f ON f.code = 'fuel' JOIN merchant g ON g.code = 'grocer'
    RETURNING holder_id, id"""


async def measure(site: Site) -> Outcome:
    """In turn, so that what disturbs the machine disturbs them all. The cap is high: what is counted is not refused."""
    database_url = await site.database()
    quotes = site.settings.home / "quotes"
    seconds = site.plan.seconds + 2
    async with connected(database_url) as connection:
        await connection.execute(_RAISE)
        await fill(connection, "FUE", lots=1, points=SAVED)
        await _make_quotes(connection, int(A_SECOND * seconds * site.plan.rounds * 2), quotes)
    rounds: dict[str, list[Result]] = {}
    async with AsyncExitStack() as stack:
        one, other = [
            (await stack.enter_async_context(serving("earn", site.settings, database_url)))[0] for _ in range(2)
        ]
        for turn in range(site.plan.rounds):
            plans = _plans(site, one, turn, str(quotes))
            for name, plan in plans.items():
                rounds.setdefault(name, []).append(await _loaded(name, [plan]))
            both = _halves(plans["exchange"], other, int(A_SECOND * seconds * (site.plan.rounds + turn)))
            rounds.setdefault("exchange_by_two", []).append(await _loaded("exchange_by_two", both))
    return Outcome(
        [middle(found) for found in rounds.values()],
        {
            "exchange_vs_earn": ratio(rounds, "exchange", "earn"),
            "quote_and_exchange_vs_earn": ratio(rounds, "quote_and_exchange", "earn"),
            "funded_earn_vs_earn": ratio(rounds, "funded_earn", "earn"),
            "exchange_by_two_vs_exchange": ratio(rounds, "exchange_by_two", "exchange"),
        },
    )


async def _make_quotes(connection: asyncpg.Connection, count: int, file: Path) -> None:
    """So many quotes, their ids in a file, one a line."""
    rows = await connection.fetch(_QUOTES, count, POINTS)
    file.write_text("\n".join(encode("Quote", row["holder_id"], row["id"]) for row in rows))  # noqa: ASYNC240


def _plans(site: Site, port: int, turn: int, quotes: str) -> dict[str, load.Plan]:
    """What is compared, by name."""
    plain = load.Plan(
        host="127.0.0.1",
        port=port,
        path="/graphql",
        body=earn_body("caps"),
        expect='"__typename":"Earned"',
        connections=CONNECTIONS,
        seconds=site.plan.seconds,
        token=operator_token(site.settings),
        members=site.plan.few,
        first=turn * 1_000_000,
    )
    exchanged = '"__typename":"Exchanged"'
    first = int(A_SECOND * (site.plan.seconds + 2) * turn)
    return {
        "earn": plain,
        "funded_earn": replace(plain, body=granted_body("caps-funded")),
        "quote": replace(plain, body=quote_body("caps-quote", POINTS), expect='"__typename":"Quoted"'),
        "exchange": replace(plain, body=exchange_body("caps-use"), expect=exchanged, values=quotes, first=first),
        "quote_and_exchange": replace(
            plain,
            body=quote_body("caps-first", POINTS),
            then=exchange_body("caps-then"),
            mark='"quote":{"id":"',
            expect=exchanged,
        ),
    }


def _halves(plan: load.Plan, port: int, first: int) -> list[load.Plan]:
    """The same load on two processes, each with half of the connections, and quotes of its own."""
    half = A_SECOND * int(plan.seconds + 2) // 2
    return [
        replace(plan, body=exchange_body("caps-one"), connections=CONNECTIONS // 2, first=first),
        replace(plan, body=exchange_body("caps-two"), connections=CONNECTIONS // 2, first=first + half, port=port),
    ]


async def _loaded(name: str, plans: list[load.Plan]) -> Result:
    """The rates of all together, and the worst of their latencies. Raises RuntimeError if any request failed."""
    loads = await asyncio.gather(*(load.measure(plan) for plan in plans))
    if failed := [one for one in loads if one.failed]:
        raise RuntimeError(f"{name}: {failed[0].failed} requests failed, the first with {failed[0].failure}")
    rate, client = sum(one.rate for one in loads), max(one.client_us for one in loads)
    p50, p99 = max(one.p50_ms for one in loads), max(one.p99_ms for one in loads)
    return Result(name, rate, p50, p99, sum(plan.connections for plan in plans), client)
