"""Lines by hand over the endpoint (A16)."""

from dataclasses import replace
from typing import Any

import pytest
from sqlalchemy import text

from alliance.corrections.adjusting import ACT
from alliance.runtime import Runtime
from alliance.verify import verify
from domain.programs.catalogue import ByHand
from tests.alliance.breaks.support import spent
from tests.alliance.support import House
from tests.schema.support import NOW, Client, viewer_of

ANSWER = """... on LineAdjusted { operation { kind } approval { id status } } ... on UserError { code path }"""
LINES = """{ alliance { openCycle { obligations(first: 9) { edges { node {
    line kind amount { amount } debtor { code } reversedReference } } } } } }"""


@pytest.fixture
def few(runtime: Runtime) -> None:
    """One person adjusts up to 2.00."""
    catalogue = runtime.catalogue
    runtime.catalogue = replace(catalogue, alliance=replace(catalogue.alliance, by_hand=ByHand({ACT: 2_000_000})))


@pytest.mark.usefixtures("few")
async def test_a16_a_line_is_adjusted_by_hand_up_to_a_limit(
    runtime: Runtime, anonymous: Client, operator: Client, grocer: Client
) -> None:
    house = House(runtime)
    await spent(house)

    async def adjust(amount: str, **more: Any) -> Any:
        said: dict[str, Any] = {"amount": {"amount": amount, "currency": "USD"}, "reason": "leaflets", **more}
        return await operator.do("adjustLine", "AdjustLineInput", ANSWER, **said)

    async def lines() -> list[dict[str, Any]]:
        found = (await operator.run(LINES))["alliance"]["openCycle"]["obligations"]["edges"]
        return [edge["node"] for edge in found]

    (first,) = await lines()
    lowered = await adjust("-1.40", line=first["line"])
    assert (lowered["operation"], lowered["approval"]) == ({"kind": "CORRECTION"}, None)
    assert (await adjust("2.00", debtor="fuel", creditor="demo"))["operation"] == {"kind": "CORRECTION"}
    assert sorted((one["amount"]["amount"], one["debtor"]["code"]) for one in await lines()) == [
        ("-1.400000", "grocer"),
        ("2.000000", "fuel"),
        ("5.400000", "grocer"),
    ]
    waiting = await adjust("2.01", debtor="fuel", creditor="grocer")
    assert (waiting["operation"], waiting["approval"]["status"], len(await lines())) == (None, "WAITING", 3)
    colleague = anonymous.signed_in(viewer_of("operator")).at(NOW)
    decided = {"approval": waiting["approval"]["id"]}
    done = "... on Approved { approval { outcome } } ... on UserError { code }"
    await colleague.do("approve", "DecideApprovalInput", done, **decided)
    assert len(await lines()) == 4
    for wrong, code in (
        ({"amount": "0"}, "INVALID_INPUT"),
        ({"amount": "-1", "debtor": "fuel", "creditor": "grocer"}, "INVALID_INPUT"),
        ({"amount": "1", "debtor": "fuel", "creditor": "fuel"}, "INVALID_INPUT"),
        ({"amount": "1", "debtor": "fuel", "creditor": "nobody"}, "NOT_FOUND"),
        ({"amount": "1", "line": "nothing"}, "NOT_FOUND"),
        ({"amount": "1", "line": first["line"], "debtor": "fuel"}, "INVALID_INPUT"),
        ({"amount": "1", "debtor": "fuel", "creditor": "grocer", "reason": " "}, "INVALID_INPUT"),
    ):
        assert (await adjust(**wrong))["code"] == code
    said = {"debtor": "fuel", "creditor": "grocer", "amount": {"amount": "1", "currency": "USD"}, "reason": "so"}
    query = "mutation ($i: AdjustLineInput!) { adjustLine(input: $i) { __typename } }"
    refused = (await grocer.post(query, {"i": {"idempotencyKey": "by-a-merchant", **said}})).json()
    assert refused["errors"][0]["extensions"]["code"] == "FORBIDDEN"
    async with runtime.database.transaction() as session:
        await session.execute(text("UPDATE correction SET why = ' '"))
    async with runtime.database.session() as session:
        assert {one.check for one in (await verify(session)).differences} >= {
            "an adjustment says why, and two are not one"
        }
    async with runtime.database.transaction() as session:
        await session.execute(text("UPDATE correction SET why = 'leaflets'"))
