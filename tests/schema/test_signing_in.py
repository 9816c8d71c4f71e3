"""Signing out everywhere, over GraphQL."""

from typing import Any

from sqlalchemy import select

from alliance.runtime import Runtime
from domain.sessions.model import TokenRevocation
from resolvers import ids
from tests.schema.support import Client, by_card, viewer_of


async def signed_out(client: Client, **input: Any) -> Any:
    return await client.do("signOutEverywhere", "SignOutEverywhereInput", "... on SignedOut { member }", **input)


async def test_members_sign_themselves_out_and_the_operator_anybody(
    anonymous: Client, operator: Client, grocer: Client, runtime: Runtime, card: str
) -> None:
    done = await signed_out(operator, member=by_card(card))
    assert done["__typename"] == "SignedOut"
    (member_id,) = ids.decode_as("Member", done["member"], 1)
    app = anonymous.signed_in(viewer_of("member", member_id=member_id))
    assert await signed_out(app, idempotencyKey="same key") == await signed_out(app, idempotencyKey="same key")
    async with runtime.database.session() as session:
        assert (await session.scalars(select(TokenRevocation.subject))).all() == [member_id, member_id]
    assert (await signed_out(operator))["code"] == "NOT_ALLOWED"
    assert (await signed_out(operator, member=by_card("nobody's")))["code"] == "NOT_FOUND"
    [error] = await grocer.errors('mutation { signOutEverywhere(input: {idempotencyKey: "12345678"}) { __typename } }')
    assert error["extensions"]["code"] == "FORBIDDEN"
