"""Opening balances: a lot as it was before, in the books as their own kind."""

from datetime import timedelta

import pytest

from domain.database import Database
from domain.errors import InvalidInput, Refusal
from domain.ledger.engine import PostingEngine
from domain.ledger.errors import BalanceLimitExceeded
from domain.ledger.queries import WalletKey, lifetime
from domain.ledger.request import Posted
from domain.money import MAX_INTEGER
from tests.ledger_support import ISSUERS, NOON, earn, key, members, opening, posted, redeem, reverse, rows

OLD = NOON - timedelta(days=200)


async def test_a_balance_keeps_its_dates_and_is_booked_against_the_issuers_opening_account(
    engine: PostingEngine, database: Database
) -> None:
    (member,) = members(1)
    done = await engine.post(opening(member, 100, OLD, expires_at=NOON + timedelta(days=9), reference="old-1"))
    (lot,) = await rows(database, "SELECT * FROM lot WHERE holder_id = $1", member)
    assert (lot["granted"], lot["granted_at"], lot["expires_at"]) == (100, OLD, NOON + timedelta(days=9))
    (entry,) = await rows(database, "SELECT * FROM entry WHERE holder_id = $1", member)
    assert (entry["amount"], entry["counter_account"], entry["counter_holder_id"]) == (100, "OPENING", ISSUERS["GRO"])
    (operation,) = await rows(database, "SELECT * FROM operation WHERE id = $1", done.operation_id)
    assert (operation["kind"], operation["order_ref"]) == ("OPENING", "old-1")
    async with database.session() as session:
        totals = (await lifetime(session, [WalletKey(member, "GRO", NOON)])).popitem()[1]
    assert (totals.opening, totals.earned) == (100, 0)


async def test_r01_an_older_grant_is_spent_first_where_dates_are_equal(
    engine: PostingEngine, database: Database
) -> None:
    (member,) = members(1)
    await engine.post(earn(member, 10))
    await engine.post(opening(member, 10, OLD))
    await engine.post(redeem(member, 10))
    left = await rows(database, "SELECT remaining FROM lot WHERE holder_id = $1 ORDER BY granted_at", member)
    assert [lot["remaining"] for lot in left] == [0, 10]


async def test_r21_a_balance_brought_in_by_mistake_is_undone(engine: PostingEngine, database: Database) -> None:
    (member,) = members(1)
    done = await engine.post(opening(member, 100, OLD))
    await engine.post(redeem(member, 30))
    back = await engine.post(reverse(member, done.operation_id))
    assert back.data == {"taken": 70, "shortfall": 30}
    assert await posted(database, [member]) == {(member, "GRO"): 0}


async def test_r27_a_refused_row_may_come_again_corrected(engine: PostingEngine) -> None:
    (member,) = members(1)
    await engine.post(opening(member, MAX_INTEGER, OLD))
    wrong = opening(member, 1, OLD, key=key("reference-1", b"one"))
    with pytest.raises(BalanceLimitExceeded):
        await engine.post(wrong)
    await engine.post(redeem(member, 10))
    again: Posted | Refusal = await engine.post(opening(member, 2, OLD, key=key("reference-1", b"two")))
    assert isinstance(again, Posted)
    with pytest.raises(InvalidInput):
        await engine.post(opening(member, 0, OLD))
