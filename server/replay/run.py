"""The replay: week by week, in time order, through the API; and at the end the books."""

import time
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from importlib.resources import files
from itertools import groupby
from pathlib import Path
from typing import Any, Self
from uuid import UUID

import orjson
import uvloop
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TimeRemainingColumn

from alliance.file import apply, parse
from alliance.runtime import Runtime
from domain.database import Database
from resolvers.viewer import Scope, Viewer
from server.access.tokens import issue_token
from server.commands.common import NO, Failure
from server.replay.api import serving
from server.replay.brands import feed_line, local, purchases_of
from server.replay.client import ApiFault, Client, all_of
from server.replay.doings import Week, acting, joining, plan
from server.replay.journey import ZONE, Basket, package_is_there, read_package, read_sample
from server.replay.report import Fed, Outcome, outcome
from server.replay.settling import expire, settle
from server.settings import Settings

FIRST_MONDAY = datetime(2016, 12, 26, tzinfo=ZONE)
WHO = UUID("00000000-0000-7000-8000-7e55e7ac1e55")
TOKEN_SECONDS = 24 * 3600


def run_replay(
    settings: Settings, *, limit: int | None, brands: int, sample: bool = False, quiet: bool = False
) -> Outcome:
    """Replay all baskets there are (of the `sample` only), or the first `limit`, as so many brands.

    Goes on where an earlier one in this home was interrupted.

    Raises Failure if the home holds another alliance, or if the API gave up.
    """
    sample = sample or not package_is_there()
    source, read = ("sample", read_sample) if sample else ("full year", read_package)
    baskets = list(read())[:limit]
    try:
        return uvloop.run(_run(settings, Journey(source, baskets, brands, limit), quiet))
    except ApiFault as fault:
        message = f"{fault}; run it again to go on"
        raise Failure(message, exit_code=NO, code="INTERRUPTED") from fault


@dataclass(frozen=True, slots=True)
class Journey:
    """What is replayed."""

    source: str
    baskets: Sequence[Basket]
    brands: int
    limit: int | None

    @property
    def name(self) -> str:
        """Tells one replay's settlement keys from another's."""
        return f"{self.source}-{self.brands}-{self.limit or 'all'}".replace(" ", "-")

    def weeks(self) -> Iterator[tuple[int, datetime, list[Basket]]]:
        """Number, end and baskets of each week; weeks turn on Mondays in the stores' zone."""
        for number, group in groupby(self.baskets, key=lambda basket: (local(basket.at) - FIRST_MONDAY).days // 7):
            end = (FIRST_MONDAY.replace(tzinfo=None) + timedelta(weeks=number + 1)).replace(tzinfo=ZONE)
            yield number, end, list(group)


class _Checkpoint:
    """Which weeks are done; only saves time: a week that is sent again is known by its keys."""

    def __init__(self, home: Path, runtime: Runtime, journey: Journey) -> None:
        self._path = home / "replay.json"
        self._said = {"alliance": str(runtime.catalogue.alliance.id), "journey": journey.name}

    def read(self) -> int:
        """The last week that is done, or -1."""
        try:
            said = orjson.loads(self._path.read_bytes())
        except (FileNotFoundError, orjson.JSONDecodeError):
            return -1
        week: int = said.pop("week", -1)
        return week if said == self._said else -1

    def write(self, week: int) -> None:
        """Note a week as done."""
        fresh = self._path.with_suffix(".new")
        fresh.write_bytes(orjson.dumps(self._said | {"week": week}))
        fresh.replace(self._path)


async def _run(settings: Settings, journey: Journey, quiet: bool) -> Outcome:
    await _apply(settings.database_url or "", journey)
    viewer = Viewer("operator", WHO, WHO, None, None, frozenset(Scope))
    token = issue_token(settings.secret("token"), viewer, lifetime=TOKEN_SECONDS)
    fed = Fed()
    started = time.monotonic()
    async with (
        serving(settings, token) as url,
        Runtime.open(settings.database_url or "", keys=settings.keys(), pool_size=2) as runtime,
        Client(url, token) as client,
    ):
        checkpoint = _Checkpoint(settings.home, runtime, journey)
        with _Bar(len(journey.baskets), quiet) as bar:
            done, visits = checkpoint.read(), Counter[int]()
            for number, ends, baskets in journey.weeks():
                week = plan(number, ends, baskets, visits, journey.brands)
                if number > done:
                    await _replay(week, runtime, client, journey, fed, bar)
                    checkpoint.write(number)
                bar.advance(len(baskets))
        fed.seconds = time.monotonic() - started
        return await outcome(runtime, journey.source, fed)


async def _apply(database_url: str, journey: Journey) -> None:
    """Apply replay.yaml, with the stores that the baskets name. Raises Failure if the home has another alliance."""
    content = (files("server.samples") / "replay.yaml").read_text()
    found: dict[str, set[int]] = {}
    for basket in journey.baskets:
        for purchase in purchases_of(basket, journey.brands):
            found.setdefault(purchase.brand.code, set()).add(basket.store)
    for code, stores in found.items():
        listed = ", ".join(f'{{code: "{store}", name: Store {store}}}' for store in sorted(stores))
        content = content.replace(f"  - code: {code}\n", f"  - code: {code}\n    stores: [{listed}]\n")
    database = Database(database_url)
    try:
        async with database.transaction() as session:
            made = await apply(session, parse(content, "replay.yaml"), FIRST_MONDAY.astimezone(UTC))
    finally:
        await database.close()
    if made.refused:
        reasons = "\n".join(made.lines())
        message = f"this home holds another alliance: name an empty one with --home.\n{reasons}"
        raise Failure(message, exit_code=NO, code="ANOTHER_ALLIANCE")


async def _replay(week: Week, runtime: Runtime, client: Client, journey: Journey, fed: Fed, bar: "_Bar") -> None:
    """A week: the new join, orders are paid in points, points exchanged, the tills report, the week is closed."""
    await all_of(joining(client, week))
    await all_of(acting(client, week))
    started = time.monotonic()
    count = 0
    async for result in client.feed(_lines(week)):
        count += 1
        fed.results[result.status] += 1
        if result.error is not None:
            fed.refused[result.error["code"]] += 1
        bar.rate(week.number + 1, count, time.monotonic() - started)
    fed.feeding += time.monotonic() - started
    fed.baskets += len({purchase.basket.id for purchase in week.purchases})
    fed.purchases += len(week.purchases)
    fed.lines += sum(len(purchase.lines) for purchase in week.purchases)
    fed.refused += week.refused
    await expire(runtime, week.ends)
    await settle(client, f"{journey.name}-{week.number}", week.ends)


def _lines(week: Week) -> Iterator[dict[str, Any]]:
    for purchase in week.purchases:
        paid = week.paid.get(f"{purchase.brand.code}-{purchase.basket.id}")
        yield feed_line(purchase) if paid is None else feed_line(purchase, paid.cents, paid.operation)


class _Bar:
    """The progress bar, on standard error; nothing where it is to be quiet."""

    def __init__(self, baskets: int, quiet: bool) -> None:
        columns = ("{task.description}", BarColumn(), MofNCompleteColumn(), "baskets", TimeRemainingColumn())
        self._progress = Progress(*columns, console=Console(stderr=True), disable=quiet)
        self._task = self._progress.add_task("starting", total=baskets)
        self._drawn = 0.0

    def __enter__(self) -> Self:
        self._progress.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._progress.stop()

    def rate(self, week: int, count: int, seconds: float) -> None:
        """So many purchases of the week are answered."""
        if count % 250 == 0:
            rate = f"{count / max(seconds, 0.001):,.0f} purchases/s"
            self._progress.update(self._task, description=f"week {week:2} of 53, {rate:>18}")

    def advance(self, baskets: int) -> None:
        """A week is done."""
        self._progress.advance(self._task, baskets)
