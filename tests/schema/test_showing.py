"""Codes that members show: issued in the app, used up at a till, whatever is done with them."""

import asyncio
import base64
import json
import re
import uuid
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from graphql import GraphQLInputObjectType, GraphQLNamedType, GraphQLUnionType, get_named_type
from sqlalchemy import text

from alliance.runtime import Runtime
from domain.codes.commands import USES_KEPT, forget_uses
from domain.codes.rules import LIFE, CodeKey, Codes
from domain.members import life
from domain.members.reasons import FreezeReason
from resolvers import ids
from schema.build import build_schema
from tests.schema.support import NOW, Client, by_card, viewer_of

NAMES = frozenset({"MemberCodeUsed", "MemberCodeExpired"})


@pytest.fixture
def runtime_with_codes(runtime: Runtime) -> Codes:
    """The keys that this house signs with."""
    runtime.codes = Codes([CodeKey.new(datetime.now(UTC))])
    return runtime.codes


@pytest.fixture
async def member_id(operator: Client, card: str) -> uuid.UUID:
    """Who has the card, and 500 points."""
    done = await earn(operator, by_card(card), points=500)
    assert done["__typename"] == "Earned"
    (id_,) = ids.decode_as("Member", done["operation"]["member"]["id"], 1)
    return id_


async def earn(client: Client, member: Any, **input: Any) -> Any:
    """Points at the grocer."""
    want = "... on Earned { points operation { id member { id } } } ... on MemberCodeExpired { until }"
    input = {"merchant": "grocer", "channel": "STORE", "points": 10, "member": member, **input}
    return await client.do("earn", "EarnInput", want, **input)


async def linked(client: Client, member: Any, phone: str) -> Any:
    """What is no posting."""
    identifier = {"type": "PHONE", "value": phone}
    input = {"merchant": "grocer", "member": member, "identifier": identifier}
    return await client.do("linkIdentifier", "LinkIdentifierInput", "... on Linked { linked }", **input)


async def issued(client: Client) -> Any:
    """A code, from the app."""
    want = "... on MemberCode { token payload expiresAt svg: qr png: qr(format: PNG, scale: 2) }"
    return await client.do("issueMemberCode", "IssueMemberCodeInput", want)


async def test_a_code_is_issued_shown_and_used_once(
    anonymous: Client, grocer: Client, fuel: Client, runtime_with_codes: Codes, member_id: uuid.UUID
) -> None:
    app = anonymous.signed_in(viewer_of("member", member_id=member_id))
    code = await issued(app)
    assert code["svg"].startswith("data:image/svg+xml")
    head, _, png = code["png"].partition(",")
    assert head == "data:image/png;base64"
    assert base64.b64decode(png).startswith(b"\x89PNG")
    by = {"token": code["token"]}
    seen = await grocer.run("query ($by: MemberRef!) { member(by: $by) { id } }", by=by)
    assert seen["member"]["id"] == ids.encode("Member", member_id)

    # Twenty tills at once, and thieves among them: one has it, by either form.
    tries = [earn(grocer, {"token": code["token"] if n % 2 else code["payload"]}) for n in range(20)]
    done = await asyncio.gather(*tries)
    assert sorted(one["__typename"] for one in done) == ["Earned"] + ["MemberCodeUsed"] * 19
    refused = next(one for one in done if one["__typename"] == "MemberCodeUsed")
    assert (refused["code"], refused["path"]) == ("MEMBER_CODE_USED", ["member", "token"])
    stolen = await fuel.do("redeem", "RedeemInput", "", merchant="fuel", channel="STORE", points=1, member=by)
    assert stolen["__typename"] == "MemberCodeUsed"
    assert (await linked(grocer, by, "+16145550111"))["__typename"] == "MemberCodeUsed"

    # What is not posted uses a code up too.
    fresh = {"token": (await issued(app))["payload"]}
    assert (await linked(grocer, fresh, "+16145550112"))["linked"]
    assert (await earn(grocer, fresh))["__typename"] == "MemberCodeUsed"


async def test_a_code_ends_after_a_minute_but_not_the_answer_to_a_key(
    operator: Client, runtime: Runtime, runtime_with_codes: Codes, member_id: uuid.UUID
) -> None:
    code = runtime_with_codes.issue(member_id, NOW)
    by, key = {"token": code.token}, uuid.uuid4().hex
    tried = await earn(operator, by, dryRun=True)
    assert tried["__typename"] == "Earned"
    done = await earn(operator, by, idempotencyKey=key)
    assert done["__typename"] == "Earned"
    late = operator.at(NOW + LIFE)
    again = await earn(late, by, idempotencyKey=key)
    assert again["operation"]["id"] == done["operation"]["id"]

    other = {"token": runtime_with_codes.issue(member_id, NOW).token}
    refused = await earn(late.speaking("zh-CN"), other)
    assert refused["code"] == "MEMBER_CODE_EXPIRED"
    assert "失效" in refused["message"]
    assert datetime.fromisoformat(refused["until"]) == NOW + LIFE
    [error] = await late.errors("query ($by: MemberRef!) { member(by: $by) { id } }", by=other)
    assert error["extensions"]["code"] == "MEMBER_CODE_EXPIRED"
    forged = await earn(operator, {"token": Codes([CodeKey.new(NOW)]).issue(member_id, NOW).token})
    assert (forged["code"], forged["path"]) == ("INVALID_INPUT", ["member", "token"])

    # A call that is refused for another reason does not use it up.
    poor = await operator.do("redeem", "RedeemInput", "", merchant="grocer", channel="STORE", points=9999, member=other)
    assert poor["__typename"] == "InsufficientPoints"
    assert (await earn(operator, other))["__typename"] == "Earned"
    async with runtime.database.transaction() as session:
        assert await forget_uses(session, NOW + USES_KEPT, 10) == 0
        assert await forget_uses(session, NOW + USES_KEPT + timedelta(seconds=1), 10) == 2
        assert await session.scalar(text("SELECT count(*) FROM member_code_use")) == 0


async def test_who_may_not_move_points_has_no_code(
    anonymous: Client, grocer: Client, runtime: Runtime, runtime_with_codes: Codes, member_id: uuid.UUID
) -> None:
    app = anonymous.signed_in(viewer_of("member", member_id=member_id))
    code = await issued(app)
    async with runtime.database.transaction() as session:
        await life.freeze(session, member_id, reason=FreezeReason.IDENTITY_CHECK, as_of=datetime.now(UTC))
    assert (await issued(app))["__typename"] == "MemberNotActive"
    assert (await earn(grocer, {"token": code["token"]}))["__typename"] == "MemberNotActive"
    [error] = await grocer.errors('mutation { issueMemberCode(input: {idempotencyKey: "12345678"}) { __typename } }')
    assert error["extensions"]["code"] == "FORBIDDEN"


async def test_the_page_says_what_an_app_does(
    anonymous: Client, runtime_with_codes: Codes, member_id: uuid.UUID
) -> None:
    page = (Path(__file__).parents[2] / "docs" / "access.md").read_text(encoding="utf-8")
    [(document, answer)] = re.findall(r"```graphql\n(.*?)```\n```json\n(.*?)```", page, re.DOTALL)
    found = await anonymous.signed_in(viewer_of("member", member_id=member_id)).run(document)
    assert found["issueMemberCode"].keys() == json.loads(answer)["issueMemberCode"].keys()


def test_every_mutation_that_names_a_member_may_say_that_a_code_is_used_or_expired() -> None:
    schema = build_schema()._schema
    assert schema.mutation_type is not None

    def names_a_member(kind: GraphQLNamedType) -> bool:
        return isinstance(kind, GraphQLInputObjectType) and any(
            get_named_type(field.type).name == "MemberRef" for field in kind.fields.values()
        )

    for name, field in schema.mutation_type.fields.items():
        if any(names_a_member(get_named_type(argument.type)) for argument in field.args.values()):
            result = get_named_type(field.type)
            assert isinstance(result, GraphQLUnionType)
            assert {one.name for one in result.types} >= NAMES, name
