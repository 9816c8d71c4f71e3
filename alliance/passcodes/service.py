"""Asking for a code, and showing it: the same for a till and for an app.

Whoever asks is answered the same, and as fast, whether or not somebody is known by the address: the code goes out
afterwards. It is in the message and nowhere else.
"""

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

import structlog

from alliance.passcodes.texts import CHANNELS, words
from alliance.runtime import Runtime
from domain.attempts.commands import Limit, count
from domain.attempts.errors import TooManyAttempts
from domain.base import new_id
from domain.errors import InvalidInput, Refusal
from domain.members import rules
from domain.members.commands import enrol
from domain.members.model import EnrolAsk, Enrolled, IdentifierRef, Resolved
from domain.members.queries import resolve
from domain.members.rules import IdentifierKey
from domain.messages.port import Notifiers, Outgoing, Sent
from domain.passcodes.commands import LIFE, attempt, destination_of, make, use
from domain.passcodes.errors import WrongOneTimeCode
from domain.programs.catalogue import Merchant

HOUR = timedelta(hours=1)
SEND = (Limit("code sent, at once", 1, timedelta(seconds=30)), Limit("code sent", 5, HOUR))
SEND_HOST, SEND_CLIENT = Limit("code sent, host", 30, HOUR), Limit("code sent, client", 5_000, HOUR)
CHECK = (Limit("code tried", 15, HOUR),)
CHECK_HOST, CHECK_CLIENT = Limit("code tried, host", 100, HOUR), Limit("code tried, client", 20_000, HOUR)

Told = Callable[[str, str], None]
"""Hears of each attempt: how, and with what result."""
HOW = "one_time_code"

log = structlog.get_logger("sign-in")


@dataclass(frozen=True, slots=True)
class Asker:
    """Through whom a code is asked for or shown; from which `host`, or by which member, where that is the person's own.

    Who `enrols` has strangers join; without, they are answered as with a wrong code.
    """

    client_id: UUID
    merchant: Merchant
    host: str | None = None
    enrols: bool = True


class Passcodes:
    """One a process."""

    def __init__(self, runtime: Runtime, notifiers: Notifiers, told: Told = lambda how, result: None) -> None:
        self._runtime, self._notifiers, self._told = runtime, notifiers, told
        self._sending: set[asyncio.Task[None]] = set()

    async def send(self, asker: Asker, ref: IdentifierRef, language: str, as_of: datetime) -> datetime:
        """Send a code to an address; until when it is good. Raises InvalidInput, TooManyAttempts."""
        key = self._key(asker, ref)
        declared = self._runtime.catalogue.identifier_types[key[0]]
        channel = CHANNELS.get(declared.normalise or "")
        if channel is None:
            raise InvalidInput(reason=f"nothing can be sent to {key[0]}", path=("identifier", "type"))
        await self._counted(asker, key, SEND, (SEND_HOST, SEND_CLIENT), as_of)
        async with self._runtime.database.transaction() as session:
            destination = destination_of(session, *key)
            code = await make(session, destination, asker.merchant.id, as_of)
        subject, text = words(language, asker.merchant.name, code)
        message = Outgoing(new_id(), channel, key[2], asker.merchant.name, language, subject, text)
        task = asyncio.create_task(self._sent(asker, destination, message))
        self._sending.add(task)
        task.add_done_callback(self._sending.discard)
        return as_of + LIFE

    async def idle(self) -> None:
        """Until all that was to be sent is."""
        await asyncio.gather(*self._sending)

    async def check(
        self, asker: Asker, ref: IdentifierRef, code: str, *, channel: str, store: str | None = None, as_of: datetime
    ) -> Enrolled:
        """The member who has the address, found or enrolled at the asker's merchant; the code is used up.

        Raises InvalidInput, TooManyAttempts, WrongOneTimeCode, MemberNotActive, NotFound.
        """
        destination = await self.tried(asker, ref, code, as_of)
        catalogue = self._runtime.catalogue
        async with self._runtime.database.transaction() as session:
            if not asker.enrols:
                [known] = await resolve(session, catalogue, [(asker.merchant.code, ref)])
                if not (isinstance(known, Resolved) and known.joined):
                    raise WrongOneTimeCode(path=("code",))
            ask = EnrolAsk(asker.merchant.code, channel, store, (ref,), as_of)
            found = await enrol(session, catalogue, ask)
            await use(session, destination, code.strip())
        self._tell(asker, destination, "GOOD")
        return found

    async def tried(self, asker: Asker, ref: IdentifierRef, code: str, as_of: datetime) -> bytes:
        """The destination to which this code was sent for the asker; it is for the caller to use it up there.

        The attempt counts. Raises InvalidInput, TooManyAttempts, WrongOneTimeCode.
        """
        key = self._key(asker, ref)
        await self._counted(asker, key, CHECK, (CHECK_HOST, CHECK_CLIENT), as_of)
        async with self._runtime.database.transaction() as session:
            destination = destination_of(session, *key)
            good = await attempt(session, destination, asker.merchant.id, code.strip(), as_of)
        if not good:
            self._tell(asker, destination, "WRONG")
            raise WrongOneTimeCode(path=("code",))
        return destination

    def _key(self, asker: Asker, ref: IdentifierRef) -> IdentifierKey:
        try:
            return rules.identifier_key(self._runtime.catalogue, asker.merchant, ref)
        except Refusal as refusal:
            raise refusal.at("identifier") from None

    async def _counted(
        self, asker: Asker, key: IdentifierKey, by_address: Sequence[Limit], others: tuple[Limit, Limit], now: datetime
    ) -> None:
        """Raises TooManyAttempts."""
        by_host, by_client = others
        limited = [(limit, "\0".join(key)) for limit in by_address] + [(by_client, str(asker.client_id))]
        if asker.host is not None:
            limited.append((by_host, asker.host))
        async with self._runtime.database.transaction() as session:
            destination = destination_of(session, *key)
            if wait := await count(session, limited, now):
                await session.rollback()
        if wait:
            self._tell(asker, destination, "LIMITED")
            raise TooManyAttempts(retry_after=wait)

    async def _sent(self, asker: Asker, destination: bytes, message: Outgoing) -> None:
        try:
            [result] = await self._notifiers[message.channel].send([message])
        except Exception as fault:
            log.error("one-time code not sent", reason=type(fault).__name__)
            self._tell(asker, destination, "UNSENT")
            return
        gone = isinstance(result, Sent) and result.delivered
        self._tell(asker, destination, "SENT" if gone else "UNSENT")

    def _tell(self, asker: Asker, destination: bytes, result: str) -> None:
        """Count it, and write it down: ids, and a hash of the address."""
        self._told(HOW, result)
        log.info("one-time code", result=result, client=str(asker.client_id), to=destination.hex()[:12])
