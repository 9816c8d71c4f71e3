"""Members: how fast they are enrolled by feed, and looked up by what they are recognised by, among few and among many.

The baseline of enrolling is how people would: an ORM transaction a member, sixteen at a time, on the same tables.
"""

import asyncio
import random
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime

from sqlalchemy import text

from alliance.runtime import Runtime
from benchmarks import bulk
from benchmarks.joining import Desk
from benchmarks.ledger.site import Site, connected
from benchmarks.load import percentile
from benchmarks.outcome import Outcome, Result, middle, ratio
from benchmarks.parts import Parts
from benchmarks.serving import operator_token, serving
from domain.errors import Refusal
from domain.members.commands import enrol_many
from domain.members.model import EnrolAsk, IdentifierRef, MemberRef
from domain.members.queries import resolve

ENROLMENTS_A_SECOND = 10_000
"""Lines of a feed for each second that is asked for."""
FEW = 16
"""Transactions that the baseline has open at a time; of the lines it does one in so many."""
CHUNK = 5_000


async def measure_enrolling(site: Site) -> Outcome:
    """`enrol`, new members by /ingest/members, each with a card and a telephone; and `enrol_orm`: rounds in turn."""
    count = max(2_000, int(site.plan.seconds * ENROLMENTS_A_SECOND))
    rounds: dict[str, list[Result]] = {"enrol": [], "enrol_orm": []}
    for number in range(site.plan.rounds):
        database_url = await site.database()
        rounds["enrol"].append(await _by_feed(site, database_url, count, f"round-{number}"))
        rounds["enrol_orm"].append(await _by_orm(site, database_url, count // FEW, f"orm-{number}"))
        await site.drop(database_url)
    return Outcome([*map(middle, rounds.values())], {"enrol_vs_orm": ratio(rounds, "enrol", "enrol_orm")})


async def _by_feed(site: Site, database_url: str, count: int, prefix: str) -> Result:
    async with serving("earn", site.settings, database_url) as (port, _):
        token = operator_token(site.settings)
        plan = bulk.Plan("127.0.0.1", port, token, count, count, prefix, bulk.MEMBERS)
        measured = await bulk.measure(plan)
    if measured.summary["enrolled"] != count:
        raise RuntimeError(f"{measured.summary} of {count} were enrolled")
    return Result("enrol", measured.rate, client_us=measured.client_us, more={"members": float(count)})


async def _by_orm(site: Site, database_url: str, count: int, prefix: str) -> Result:
    keys = site.settings.keys()
    async with _open(site, database_url) as runtime:
        desk = Desk(database_url, keys, runtime.catalogue)
        numbers: Iterator[int] = iter(range(count))
        took: list[float] = []

        async def work() -> None:
            for number in numbers:
                began = time.perf_counter()
                card, phone = f"{prefix}-{number}", f"+1740{number:07d}"
                await desk.enrol(f"{prefix}-{number:09d}", card, phone, datetime.now(UTC))
                took.append(time.perf_counter() - began)

        began = time.perf_counter()
        await asyncio.gather(*(work() for _ in range(FEW)))
        seconds = time.perf_counter() - began
        await desk.close()
    took.sort()
    p50, p99 = (percentile(took, share) * 1000 for share in (0.5, 0.99))
    return Result("enrol_orm", count / seconds, p50, p99, FEW, more={"members": float(count)})


async def measure_look_ups(site: Site) -> Outcome:
    """Members looked up one at a time, by card, telephone and number in turn: among few and among many."""
    sizes = {"look_up_10k": site.plan.few, "look_up_1m": site.plan.wallets}
    urls = {}
    for name, size in sizes.items():
        urls[name] = await site.database()
        await _fill(site, urls[name], size)
    rounds: dict[str, list[Result]] = {name: [] for name in sizes}
    for number in range(site.plan.rounds):
        for name, size in sizes.items():
            rounds[name].append(await _looked_up(site, name, urls[name], size, number))
    return Outcome([*map(middle, rounds.values())], {"1m_vs_10k": ratio(rounds, "look_up_1m", "look_up_10k")})


async def _fill(site: Site, database_url: str, size: int) -> None:
    """So many members, each with a card and a telephone, beside those with cards alone."""
    now = datetime.now(UTC)
    async with _open(site, database_url) as runtime:
        for first in range(0, size, CHUNK):
            asks = [
                EnrolAsk("grocer", "APP", None, (_card(number), _phone(number)), now)
                for number in range(first, min(first + CHUNK, size))
            ]
            async with runtime.database.transaction() as session:
                await session.execute(text("SET LOCAL synchronous_commit = off"))
                await enrol_many(session, runtime.catalogue, asks)
    async with connected(database_url) as connection:
        await connection.execute("VACUUM (ANALYZE)")


async def _looked_up(site: Site, name: str, database_url: str, size: int, seed: int) -> Result:
    dice = random.Random(seed)
    async with _open(site, database_url) as runtime:
        async with connected(database_url) as connection:
            rows = await connection.fetch("SELECT number FROM member ORDER BY random() LIMIT 10000")
        numbers = [row["number"] for row in rows]
        reader = runtime.database.standing()
        took: list[float] = []

        async def look_up(ref: MemberRef) -> None:
            began = time.perf_counter()
            [found] = await reader.run(lambda connection: resolve(connection, runtime.catalogue, [("grocer", ref)]))
            took.append(time.perf_counter() - began)
            if isinstance(found, Refusal):
                raise RuntimeError(f"{ref} was not found")

        await look_up(_card(0))
        took.clear()
        ends = time.perf_counter() + site.plan.seconds
        while time.perf_counter() < ends:
            for ref in (_card(dice.randrange(size)), _phone(dice.randrange(size)), dice.choice(numbers)):
                await look_up(ref)
    took.sort()
    p50, p99 = (percentile(took, share) * 1000 for share in (0.5, 0.99))
    return Result(name, len(took) / sum(took), p50, p99, 1, more={"members": float(size)})


def _card(number: int) -> IdentifierRef:
    return IdentifierRef("CARD", None, f"card-{number}")


def _phone(number: int) -> IdentifierRef:
    return IdentifierRef("PHONE", None, f"+1614{number:07d}")


@asynccontextmanager
async def _open(site: Site, database_url: str) -> AsyncIterator[Runtime]:
    async with Runtime.open(database_url, keys=site.settings.keys(), pool_size=2) as runtime:
        yield runtime


PARTS: Parts = {"enrol": measure_enrolling, "look-up": measure_look_ups}
