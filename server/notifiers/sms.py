"""SMS by HTTP: a JSON object that the settings shape, posted to a provider's address."""

import asyncio
from collections.abc import Sequence
from typing import Any

import httpx
import orjson

from domain.messages.port import Outgoing, Sent, Unsent

#: What says that the message itself is no good, most of all its number; what else is refused may pass.
BAD_MESSAGE = frozenset({400, 404, 410, 413, 422})

#: Messages that are on their way at the same time.
AT_ONCE = 5

MOST_BYTES = 65_536


class SmsNotifier:
    """Posts `body` with its {to}, {text}, {sender} and {id} filled, wherever they stand in a text of it.

    Every try has the message's id as its Idempotency-Key. `answer_id` is where the provider's answer, a JSON object,
    has its own id (`data.id`). Redirects are not followed; an answer takes at most `seconds`.
    """

    def __init__(
        self, url: str, *, body: str, answer_id: str | None = None, token: str | None = None, seconds: float = 10.0
    ) -> None:
        self._url, self._body, self._answer_id, self._seconds = url, orjson.loads(body), answer_id, seconds
        self._headers = {"content-type": "application/json", "accept": "application/json"}
        if token is not None:
            self._headers["authorization"] = f"Bearer {token}"

    async def send(self, messages: Sequence[Outgoing]) -> Sequence[Sent | Unsent]:
        """What became of each; none waits for another that is slow."""
        gate = asyncio.Semaphore(AT_ONCE)
        async with httpx.AsyncClient(timeout=self._seconds, follow_redirects=False, trust_env=False) as client:

            async def one(message: Outgoing) -> Sent | Unsent:
                async with gate:
                    return await self._one(client, message)

            return await asyncio.gather(*(one(message) for message in messages))

    async def _one(self, client: httpx.AsyncClient, message: Outgoing) -> Sent | Unsent:
        gaps = {"{to}": message.to, "{text}": message.text, "{sender}": message.sender, "{id}": str(message.id)}
        content = orjson.dumps(_filled(self._body, gaps))
        headers = self._headers | {"idempotency-key": str(message.id)}
        try:
            async with (
                asyncio.timeout(self._seconds),
                client.stream("POST", self._url, content=content, headers=headers) as answer,
            ):
                if not answer.is_success:
                    code = answer.status_code
                    return Unsent(f"HTTP {code}", final=code in BAD_MESSAGE)
                return self._taken(answer.status_code, await _read(answer))
        except (httpx.HTTPError, TimeoutError) as error:
            return Unsent(type(error).__name__)

    def _taken(self, code: int, answer: bytes) -> Sent | Unsent:
        """With the provider's id, where it is known where that stands: an answer without it is not the provider's."""
        if self._answer_id is None:
            return Sent(f"HTTP {code}")
        try:
            found = orjson.loads(answer)
            for name in self._answer_id.split("."):
                found = found[name]
        except (orjson.JSONDecodeError, KeyError, TypeError):
            return Unsent("GARBLED")
        if not isinstance(found, str | int) or isinstance(found, bool):
            return Unsent("GARBLED")
        return Sent(f"HTTP {code} {str(found)[:100]}")


async def _read(answer: httpx.Response) -> bytes:
    read = b""
    async for part in answer.aiter_bytes():
        read += part
        if len(read) > MOST_BYTES:
            break
    return read


def _filled(value: Any, gaps: dict[str, str]) -> Any:
    """Texts with their gaps filled, each once: what is filled in is not looked through again."""
    if isinstance(value, str):
        for gap, text in gaps.items():
            if gap in value:
                before, _, after = value.partition(gap)
                return f"{_filled(before, gaps)}{text}{_filled(after, gaps)}"
        return value
    if isinstance(value, dict):
        return {name: _filled(what, gaps) for name, what in value.items()}
    return [_filled(what, gaps) for what in value] if isinstance(value, list) else value
