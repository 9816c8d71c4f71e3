"""Four eyes (A16): up to a limit one person acts, above it a second one approves exactly what was asked for."""

import asyncio
import uuid
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest
from sqlalchemy.ext.asyncio import AsyncSession

from alliance.approvals.commands import ACTS, About, Done, Waiting, act_or_ask, approve, refuse, withdraw
from alliance.approvals.errors import ActRefused, ApprovalClosed, SameHands
from alliance.approvals.queries import Wanted, page
from alliance.runtime import Runtime
from domain.errors import InvalidInput, NotFound, Refusal
from domain.programs.catalogue import ByHand
from tests.alliance.support import NOON, House

ONE, TWO = uuid.UUID(int=71), uuid.UUID(int=72)
ASKING = About(ONE, "a round sum", NOON)
SECOND = About(TWO, "seen", NOON)


@pytest.fixture
def done(house: House) -> Iterator[list[tuple[dict[str, Any], About]]]:
    """What the act TRIED did."""
    seen: list[tuple[dict[str, Any], About]] = []

    async def perform(session: AsyncSession, runtime: Runtime, args: dict[str, Any], about: About) -> dict[str, Any]:
        if args.get("gone"):
            raise NotFound(what="line")
        seen.append((args, about))
        return {"number": len(seen)}

    ACTS["TRIED"] = perform
    catalogue = house.runtime.catalogue
    by_hand = ByHand({"TRIED": 5_000_000}, frozenset({"FREELY"}))
    house.runtime.catalogue = replace(catalogue, alliance=replace(catalogue.alliance, by_hand=by_hand))
    yield seen
    del ACTS["TRIED"]


async def ask(house: House, amount: int | None, about: About = ASKING, **args: Any) -> Done | Waiting:
    async with house.runtime.database.transaction() as session:
        return await act_or_ask(session, house.runtime, "TRIED", args, amount=amount, about=about)


async def decide(house: House, waiting: Done | Waiting, about: About, how: Any = approve) -> Any:
    assert isinstance(waiting, Waiting)
    runtime = () if how is not approve else (house.runtime,)
    async with house.runtime.database.transaction() as session:
        return await how(session, *runtime, waiting.approval_id, about)


async def test_a16_above_the_limit_a_second_person_approves_what_was_asked(house: House, done: list[Any]) -> None:
    assert await ask(house, 5_000_000) == Done({"number": 1})
    waiting = await ask(house, -5_000_001, line=7)
    assert len(done) == 1
    with pytest.raises(SameHands):
        await decide(house, waiting, replace(SECOND, who=ONE))
    with pytest.raises(NotFound):
        await decide(house, waiting, replace(SECOND, merchant_id=house.id("fuel")))
    approved = await decide(house, waiting, SECOND)
    assert (approved.status, approved.outcome) == ("APPROVED", {"number": 2})
    assert done[1] == ({"line": 7}, replace(ASKING, approved_by=TWO))
    with pytest.raises(ApprovalClosed):
        await decide(house, waiting, SECOND)
    assert len(done) == 2


async def test_a16_without_an_amount_two_people_unless_it_is_named(house: House, done: list[Any]) -> None:
    assert isinstance(await ask(house, None), Waiting)
    with pytest.raises(InvalidInput):
        await ask(house, 1, replace(ASKING, why=" "))


async def test_a16_refused_or_withdrawn_it_is_not_done(house: House, done: list[Any]) -> None:
    first, second = await ask(house, None), await ask(house, None)
    with pytest.raises(SameHands):
        await decide(house, first, ASKING, refuse)
    assert (await decide(house, first, SECOND, refuse)).status == "REFUSED"
    with pytest.raises(NotFound):
        await decide(house, second, SECOND, withdraw)
    assert (await decide(house, second, ASKING, withdraw)).status == "WITHDRAWN"
    for waiting in (first, second):
        with pytest.raises(ApprovalClosed):
            await decide(house, waiting, SECOND)
    assert done == []


async def test_a16_what_the_act_refuses_by_then_stays_waiting(house: House, done: list[Any]) -> None:
    waiting = await ask(house, None, gone=True)
    with pytest.raises(ActRefused):
        await decide(house, waiting, SECOND)
    async with house.runtime.database.session() as session:
        [row] = await page(session, Wanted())
    assert row.status == "WAITING"


async def test_a16_two_who_approve_at_once_do_it_once(house: House, done: list[Any]) -> None:
    waiting = await ask(house, None)
    both = [decide(house, waiting, replace(SECOND, who=who)) for who in (TWO, uuid.UUID(int=73))]
    answers = await asyncio.gather(*both, return_exceptions=True)
    assert sum(isinstance(one, Refusal) for one in answers) == 1
    assert len(done) == 1
