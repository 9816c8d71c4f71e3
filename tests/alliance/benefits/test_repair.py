"""`tessera repair` sets accounts of rights to what was booked: a member's, a grantor's stock and budget (R26)."""

from typing import Any
from uuid import UUID

import pytest
from sqlalchemy import text

from alliance.proofs.repair import put_right
from alliance.verify import verify
from tests.alliance.benefits.support import Rights
from tests.alliance.benefits.test_limits import with_benefits
from tests.alliance.support import NOON, House


async def differing(house: House) -> set[tuple[str, str]]:
    """What the proof of the books finds, and of whom."""
    async with house.runtime.database.session() as session:
        return {(one.holder, one.what) for one in (await verify(session)).differences}


async def tamper(house: House, sql: str, **named: Any) -> None:
    async with house.runtime.database.transaction() as session:
        assert (await session.execute(text(sql), named)).rowcount  # type: ignore[attr-defined]


async def repaired(house: House, holder: UUID) -> int:
    """Put one holder right; how many operations were booked for it."""
    connection = await house.runtime.database.connect()
    try:
        async with connection.transaction():
            done = await put_right(connection, holder, who="bob", why="somebody was here", as_of=NOON)
        assert done.left == []
        return len(done.booked)
    finally:
        await connection.close()


@pytest.mark.parametrize("kind", ["STOCK", "BUDGET", "RIGHTS"])
async def test_r26_an_account_of_rights_is_set_to_what_was_booked(house: House, rights: Rights, kind: str) -> None:
    await with_benefits(
        house, '{code: car_wash, name: Car wash, at: [fuel], stock: 10, budget: {amount: "100.00", currency: USD}}'
    )
    right = await rights.grant(await house.member(), quantity=3)
    await rights.use(right)
    holder = right.holder_id if kind == "RIGHTS" else house.id("grocer")
    account = "account WHERE holder_id = :holder AND kind = :kind"
    named = {"holder": holder, "kind": kind}

    async def posted() -> int:
        async with house.runtime.database.session() as session:
            return int((await session.scalars(text(f"SELECT posted FROM {account}"), named)).one())

    before = await posted()
    await tamper(house, "UPDATE account SET posted = posted + 2 WHERE holder_id = :holder AND kind = :kind", **named)
    assert {found for found, _ in await differing(house)} - {str(UUID(int=0))} == {str(holder)}
    assert await repaired(house, holder) == 0, "a sum that is kept beside is set, nothing is booked"
    assert await differing(house) == set()
    assert await posted() == before
    await rights.use(await rights.again(right))
