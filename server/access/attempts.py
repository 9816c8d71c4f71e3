"""Failures to show a client's secret: counted for all API processes together, so that guessing has to wait."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta

from domain.attempts.commands import Limit, count, wait_of
from domain.database import Database


def _now() -> datetime:
    return datetime.now(UTC)


class Attempts:
    """After `most` failures within `window` seconds of the first, one has to wait for the window's end."""

    def __init__(
        self, database: Database, *, most: int = 10, window: int = 60, clock: Callable[[], datetime] = _now
    ) -> None:
        self._database, self._clock = database, clock
        self._limit = Limit("client secret", most, timedelta(seconds=window))

    async def wait(self, who: tuple[str, str]) -> int:
        """Seconds to wait before another attempt; 0 is none."""
        async with self._database.session() as session:
            return await wait_of(session, self._limit, "\0".join(who), self._clock())

    async def failed(self, who: tuple[str, str]) -> None:
        """Count one."""
        async with self._database.transaction() as session:
            await count(session, [(self._limit, "\0".join(who))], self._clock())
