"""How members leave: what they leave behind is settled by operations, once (L4, L5, R5, R6)."""

from collections.abc import AsyncIterator
from datetime import timedelta
from typing import Any
from uuid import UUID

import pytest
from sqlalchemy import select, text

from alliance.gifts.commands import pool_request
from alliance.leaving import queries
from alliance.leaving.commands import closes_at, settle, would_leave
from alliance.leaving.model import End, Fate, Left
from alliance.runtime import Runtime
from alliance.verify import verify
from domain.ledger.errors import MemberNotActive
from domain.ledger.model import OperationKind
from domain.members import leaving
from domain.members.errors import MemberNotLeaving
from domain.members.model import Member, MemberClosing
from domain.members.reasons import CloseReason
from domain.pools.commands import add_member, create
from domain.pools.model import PoolMember, PoolRole
from tests.alliance.benefits.support import Rights
from tests.alliance.clearing.test_holds import hold
from tests.alliance.file.test_members import applied
from tests.alliance.stored_value.test_stored_value import top_up
from tests.alliance.support import NOON, House, days

GIVES = "members:\n  life:\n    close: {coolingDays: 7, points: give}\n"
WITHIN = {"as_of": NOON, "reason": CloseReason.OTHER}


@pytest.fixture
async def house(runtime: Runtime) -> AsyncIterator[House]:
    made = House(runtime)
    yield made
    async with runtime.database.session() as session:
        assert (await verify(session)).differences == []


async def ask(house: House, member: UUID, **named: Any) -> None:
    asked: dict[str, Any] = {"own_wish": False, "closes_at": NOON} | WITHIN | named
    async with house.runtime.database.transaction() as session:
        await leaving.ask(session, member, **asked)


async def settled(house: House, member: UUID) -> MemberClosing:
    """Settle, twice: the second time there is nothing to do."""
    counts = []
    for _ in range(2):
        async with house.runtime.database.transaction() as session:
            assert await settle(house.runtime, session, NOON, member, UUID(int=member.int + 1)) is None
        counts.append(await house.count("operation"))
    assert counts[0] == counts[1]
    async with house.runtime.database.session() as session:
        return await session.get_one(MemberClosing, member)


async def kinds(house: House, holder: UUID) -> list[tuple[str, str, int]]:
    query = """SELECT o.kind, e.currency, sum(e.amount)::bigint FROM operation o
               JOIN entry e ON e.holder_id = :holder AND e.operation_id = o.id
               WHERE e.account = 'POINTS' GROUP BY o.id, 1, 2 ORDER BY o.id, 2"""
    async with house.runtime.database.session() as session:
        return [tuple(row) for row in await session.execute(text(query), {"holder": holder})]  # type: ignore[misc]


async def test_all_that_is_left_is_settled_and_paid_value_is_paid_back(house: House) -> None:
    """L4: paid stored value is refundable; the bonus and the points lapse, held ones too; rights go back."""
    ann, bob = await house.member(), await house.member()
    await house.earn(ann, "grocer", 300)
    await top_up(house, ann, "20.00", "2.00")
    await hold(house, ann, "grocer", 100)
    await Rights(house).grant(ann)
    async with house.runtime.database.transaction() as session:
        pool = await create(session, merchant_id=house.id("grocer"), owner_id=ann, name="Us", as_of=NOON)
        await add_member(session, pool_id=pool, member_id=bob, role=PoolRole.SPENDER, by_id=None, as_of=NOON)
    row = MemberClosing(holder_id=ann, closes_at=NOON, own_wish=False)
    async with house.runtime.database.session() as session:
        left, ends = await would_leave(house.runtime, session, row, None)
    assert (left.holds, left.rights, left.pools) == (1, 1, 1)
    assert sorted(ends) == [
        End("GCARD", 200, Fate.LAPSED),
        End("GCARD", 2_000, Fate.REFUNDED),
        End("GRO", 300, Fate.LAPSED),
    ]
    await ask(house, ann)
    assert (await settled(house, ann)).settled_at is not None
    assert [one for one in await kinds(house, ann) if one[2] < 0] == [
        ("REFUND", "GCARD", -2_200),
        ("EXPIRE", "GRO", -300),
    ]
    async with house.runtime.database.session() as session:
        assert await queries.left(session, ann) == Left()
        roles = await session.execute(
            select(PoolMember.member_id, PoolMember.role).where(
                PoolMember.holder_id == pool, PoolMember.left_at.is_(None)
            )
        )
        assert [tuple(role) for role in roles] == [(bob, "OWNER")]
    with pytest.raises(MemberNotActive, match="CLOSED"):
        await house.earn(ann, "grocer", 1)


async def test_l05_r06_points_go_to_whom_was_named_with_their_dates_and_never_become_money(
    house: House, runtime: Runtime
) -> None:
    await applied(runtime, GIVES)
    ann, bob = await house.member(), await house.member()
    await house.earn(ann, "grocer", 300)
    await ask(house, ann, beneficiary_id=bob)
    assert (await settled(house, ann)).settled_at is not None
    (given,), (mine,) = await house.lots(bob, "GRO"), await house.lots(ann, "GRO")
    assert (given.remaining, given.issuer_id, given.expires_at, given.depth) == (
        300,
        mine.issuer_id,
        mine.expires_at,
        1,
    )
    assert (given.source_holder_id, given.source_lot_id, mine.remaining) == (ann, mine.id, 0)
    await ask(house, bob, beneficiary_id=await house.member(status="CLOSED"))
    await settled(house, bob)
    assert (await kinds(house, bob))[-1] == ("EXPIRE", "GRO", -300), "they lapse where nobody is there to take them"


async def test_r05_the_law_keeps_points_of_who_did_not_ask_to_leave(house: House) -> None:
    ann, bea = [await house.member(jurisdiction="CA-ON") for _ in range(2)]
    for member, own_wish in ((ann, False), (bea, True)):
        await house.earn(member, "grocer", 100)
        await ask(house, member, own_wish=own_wish)
    kept, gone = await settled(house, ann), await settled(house, bea)
    assert ((await house.lots(ann, "GRO"))[0].remaining, kept.kept) == (100, True)
    assert ((await house.lots(bea, "GRO"))[0].remaining, gone.kept) == (0, False)


async def test_who_asks_may_think_better_of_it(house: House, runtime: Runtime) -> None:
    await applied(runtime, GIVES)
    ann = await house.member()
    at = closes_at(runtime, NOON, own_wish=True)
    assert at == NOON + days(7)
    await ask(house, ann, own_wish=True, closes_at=at)
    await house.earn(ann, "grocer", 10)
    async with runtime.database.transaction() as session:
        assert await leaving.close_due(session, at - timedelta(seconds=1), 10) == 0
        await leaving.withdraw(session, ann)
        with pytest.raises(MemberNotLeaving):
            await leaving.withdraw(session, ann)
    await ask(house, ann, own_wish=True, closes_at=at)
    async with runtime.database.transaction() as session:
        assert [await leaving.close_due(session, at, 10) for _ in range(2)] == [1, 0]
        assert (await session.get_one(Member, ann)).status == "CLOSED"
        with pytest.raises(MemberNotLeaving):
            await leaving.withdraw(session, ann)
        assert list(await leaving.cut_unsettled(session, 10)) == [ann]
    with pytest.raises(MemberNotActive):
        await ask(house, ann)


async def test_a_pool_that_nobody_is_left_in_lapses_and_closes(house: House) -> None:
    ann = await house.member()
    await house.earn(ann, "grocer", 50)
    async with house.runtime.database.transaction() as session:
        pool = await create(session, merchant_id=house.id("grocer"), owner_id=ann, name="Me", as_of=NOON)
    put = pool_request(
        house.runtime,
        kind=OperationKind.POOL_IN,
        pool_id=pool,
        member_id=ann,
        currency="GRO",
        points=50,
        as_of=NOON,
        key=None,
        client_id=None,
    )
    await house.runtime.engine.post(put)
    await ask(house, ann)
    await settled(house, ann)
    async with house.runtime.database.session() as session:
        assert await session.scalar(text("SELECT status FROM pool WHERE id = :id"), {"id": pool}) == "CLOSED"
    assert await kinds(house, pool) == [("POOL_IN", "GRO", 50), ("EXPIRE", "GRO", -50)]
