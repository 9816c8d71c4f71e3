"""Signing out everywhere, over GraphQL."""

from datetime import UTC, datetime
from typing import Any

from sqlalchemy import select

from alliance.passcodes import Passcodes
from alliance.runtime import Runtime
from domain.codes.rules import CodeKey, Codes
from domain.sessions.model import TokenRevocation
from resolvers import ids
from tests.alliance.passcodes.support import Phone
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


async def test_a_till_asks_for_the_telephone_number_and_a_code(
    grocer: Client, operator: Client, runtime: Runtime, card: str
) -> None:
    phone = Phone()
    grocer.house.passcodes = passcodes = Passcodes(runtime, phone.notifiers)
    runtime.codes = Codes([CodeKey.new(datetime.now(UTC))])
    identifier = {"type": "PHONE", "value": "+16145550179"}
    want = "... on OneTimeCodeSent { expiresAt } ... on TooManyAttempts { retryAfter }"
    asked = {"merchant": "grocer", "identifier": identifier}
    sent = await grocer.do("sendOneTimeCode", "SendOneTimeCodeInput", want, **asked)
    assert sent["expiresAt"]
    await passcodes.idle()
    assert (await grocer.do("sendOneTimeCode", "SendOneTimeCodeInput", want, **asked))["retryAfter"] > 0

    async def check(code: str) -> Any:
        said = {**asked, "code": code, "channel": "STORE", "store": "330"}
        want = "... on OneTimeCodeChecked { created member { id number } memberCode { token } }"
        return await grocer.do("checkOneTimeCode", "CheckOneTimeCodeInput", want, **said)

    assert (await check("1"))["code"] == "WRONG_ONE_TIME_CODE"
    found = await check(phone.code)
    assert found["created"]
    till = {"merchant": "grocer", "channel": "STORE", "amount": {"amount": "10.00", "currency": "USD"}}
    earned = [
        await grocer.do(
            "earn",
            "EarnInput",
            "... on Earned { operation { member { number } } }",
            **till,
            member={"token": found["memberCode"]["token"]},
        )
        for _ in range(2)
    ]
    assert earned[0]["operation"]["member"]["number"] == found["member"]["number"]
    assert earned[1]["__typename"] == "MemberCodeUsed"
    refused = await grocer.do("sendOneTimeCode", "SendOneTimeCodeInput", want, **{**asked, "merchant": "fuel"})
    assert refused["code"] == "NOT_ALLOWED"
