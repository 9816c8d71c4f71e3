"""One-time codes: good once, for who has the address, and kept nowhere."""

import asyncio
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from uuid import uuid4

import pytest
from sqlalchemy import text

from alliance.passcodes import Asker, Passcodes
from alliance.passcodes.service import SEND_HOST
from alliance.runtime import Runtime
from domain.attempts.commands import forget_counts
from domain.attempts.errors import TooManyAttempts
from domain.errors import InvalidInput
from domain.members.model import Enrolled, IdentifierRef
from domain.passcodes.commands import LIFE, TRIES, forget_codes
from domain.passcodes.errors import WrongOneTimeCode
from tests.alliance.passcodes.support import Phone

NOW = datetime(2026, 11, 22, 12, tzinfo=UTC)
PHONE = IdentifierRef("PHONE", None, "(614) 555-0177")


class House:
    """What sends and checks, and what it heard."""

    def __init__(self, runtime: Runtime) -> None:
        self.phone, self.heard = Phone(), list[str]()
        self.passcodes = Passcodes(runtime, self.phone.notifiers, lambda how, result: self.heard.append(result))
        self.asker = Asker(uuid4(), runtime.catalogue.merchants["grocer"])
        self.now = NOW

    async def sent(self, ref: IdentifierRef = PHONE, language: str = "en", **asker: object) -> str:
        await self.passcodes.send(replace(self.asker, **asker), ref, language, self.now)  # type: ignore[arg-type]
        await self.passcodes.idle()
        return self.phone.code

    async def check(self, code: str, ref: IdentifierRef = PHONE, **asker: object) -> Enrolled:
        asking = replace(self.asker, **asker)  # type: ignore[arg-type]
        return await self.passcodes.check(asking, ref, code, channel="APP", as_of=self.now)

    def later(self, more: timedelta = timedelta(seconds=31)) -> None:
        self.now += more


@pytest.fixture
def house(runtime: Runtime) -> House:
    return House(runtime)


async def test_a_code_finds_or_enrols_who_has_the_address_once(house: House, runtime: Runtime) -> None:
    code = await house.sent()
    message = house.phone.got[-1]
    assert (message.to, message.sender) == ("+16145550177", "Grocer")
    assert message.text == f"Grocer: your code is {code}. It is good for 5 minutes. Tell it to nobody."
    async with runtime.database.session() as session:
        kept = await session.scalar(text("SELECT string_agg(c::text, '') FROM one_time_code c"))
        counted = await session.scalar(text("SELECT string_agg(c::text, '') FROM attempt_count c"))
    assert code not in kept
    assert "555" not in kept + counted

    tries = await asyncio.gather(*(house.check(f" {code} ") for _ in range(TRIES)), return_exceptions=True)
    [found] = [one for one in tries if isinstance(one, Enrolled)]
    assert all(isinstance(one, Enrolled | WrongOneTimeCode) for one in tries)
    assert found.created
    with pytest.raises(WrongOneTimeCode):
        await house.check(code)
    house.later()
    chinese = await house.sent(IdentifierRef("PHONE", None, "+16145550177"), "zh-CN")
    assert "验证码" in house.phone.got[-1].text
    again = await house.check(chinese)
    assert (again.member_id, again.created, again.joined) == (found.member_id, False, False)
    assert house.heard.count("GOOD") == 2


async def test_wrong_late_and_other_codes_all_look_the_same(house: House, runtime: Runtime) -> None:
    code = await house.sent()
    wrong = f"{(int(code) + 1) % 10**6:06}"
    said = set()

    async def refused(code: str, **asker: object) -> None:
        with pytest.raises(WrongOneTimeCode) as refusal:
            await house.check(code, **asker)
        said.add((str(refusal.value), refusal.value.path))

    await refused(code, merchant=runtime.catalogue.merchants["fuel"])  # another merchant had it not sent
    await refused(code, enrols=False)  # nobody is known, and nobody may join here
    for strange in (wrong, "", "x", "٣" * 6):
        await refused(strange)
    await refused(code)  # five tries are over
    house.later()
    first = await house.sent()
    house.later()
    second = await house.sent()
    if first != second:
        await refused(first)  # one active code a destination
    house.later(LIFE)
    await refused(second)
    async with runtime.database.transaction() as session:
        await forget_codes(session, house.now + timedelta(seconds=1))
        assert await session.scalar(text("SELECT count(*) FROM one_time_code")) == 0
    assert len(said) == 1


async def test_attempts_are_limited_for_all_processes_together(house: House, runtime: Runtime) -> None:
    other = House(runtime)
    other.asker = house.asker
    await house.sent()
    with pytest.raises(TooManyAttempts) as refused:
        await other.sent()
    assert refused.value.data == {"retry_after": 30}
    assert len(house.phone.got + other.phone.got) == 1
    for n in range(4):
        [house, other][n % 2].now = NOW + (n + 1) * timedelta(seconds=31)
        await [house, other][n % 2].sent()
    other.later()
    with pytest.raises(TooManyAttempts):
        await other.sent()
    assert await house.sent(IdentifierRef("EMAIL", None, "ann@example.com")), "another address"

    for _ in range(15):
        with pytest.raises(WrongOneTimeCode):
            await house.check("0")
    with pytest.raises(TooManyAttempts):
        await other.check("0")
    for n in range(SEND_HOST.most):
        await house.sent(IdentifierRef("EMAIL", None, f"ann{n}@example.com"), host="192.0.2.1")
    with pytest.raises(TooManyAttempts):
        await other.sent(IdentifierRef("EMAIL", None, "bob@example.com"), host="192.0.2.1")
    assert {"LIMITED", "SENT", "WRONG"} <= {*house.heard, *other.heard}
    async with runtime.database.transaction() as session:
        await forget_counts(session, house.now + timedelta(hours=2))
        assert await session.scalar(text("SELECT count(*) FROM attempt_count")) == 0


async def test_what_cannot_be_sent(house: House) -> None:
    for ref in (IdentifierRef("CARD", None, "900"), IdentifierRef("PHONE", None, "12"), IdentifierRef("X", None, "1")):
        with pytest.raises(InvalidInput):
            await house.sent(ref)
    house.phone.broken = True
    await house.passcodes.send(house.asker, PHONE, "en", NOW)
    await house.passcodes.idle()
    assert house.heard == ["UNSENT"]
