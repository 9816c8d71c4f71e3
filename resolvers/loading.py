"""Many keys, one statement. Every batch opens a session of its own; none is ever shared between tasks."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from typing import Generic, TypeVar

Key = TypeVar("Key")
Value = TypeVar("Value")


class Gatherer(Generic[Key, Value]):
    """A loader for the whole process: all that is asked for while one batch runs is the next batch. Caches nothing.

    Made for what every mutation asks: sixty-four calls at once then cost one statement, not sixty-four.
    """

    def __init__(self, load: Callable[[list[Key]], Awaitable[Sequence[Value | Exception]]], most: int = 1000) -> None:
        self._load = load
        self._most = most
        self._waiting: list[tuple[Key, asyncio.Future[Value]]] = []
        self._runner: asyncio.Task[None] | None = None

    def load(self, key: Key) -> Awaitable[Value]:
        """The value of a key. Raises what the batch answered for it, or what the batch failed with."""
        answer: asyncio.Future[Value] = asyncio.get_running_loop().create_future()
        self._waiting.append((key, answer))
        if self._runner is None or self._runner.done():
            self._runner = asyncio.create_task(self._run())
        return answer

    async def _run(self) -> None:
        while self._waiting:
            batch, self._waiting = self._waiting[: self._most], self._waiting[self._most :]
            try:
                values = await self._load([key for key, _ in batch])
            except Exception as fault:
                values = [fault] * len(batch)
            for (_, answer), value in zip(batch, values, strict=True):
                if answer.done():
                    continue
                if isinstance(value, Exception):
                    answer.set_exception(value)
                else:
                    answer.set_result(value)
