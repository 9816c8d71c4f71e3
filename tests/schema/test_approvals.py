"""Four eyes over the endpoint (A16, A14): who may decide, what each side sees."""

from collections.abc import Iterator
from typing import Any

import pytest
from sqlalchemy.ext.asyncio import AsyncSession

from alliance.approvals.commands import ACTS, About, Waiting, act_or_ask
from alliance.exposure.errors import MerchantNotFrozen
from alliance.runtime import Runtime
from resolvers import ids
from tests.alliance.support import WHO
from tests.schema.support import NOW, Client, viewer_of

SEEN = "id act args amount { amount currency } reason status askedBy decidedBy decision outcome merchant { code }"
DECIDED = f"... on %s {{ approval {{ {SEEN} }} }}"
LISTED = f"{{ approvals {{ totalCount edges {{ node {{ {SEEN} }} }} }} }}"


@pytest.fixture(autouse=True)
def tried() -> Iterator[None]:
    """An act."""

    async def perform(session: AsyncSession, runtime: Runtime, args: dict[str, Any], about: About) -> dict[str, Any]:
        if "late" in args:
            raise MerchantNotFrozen(merchant="fuel", path=("merchant",))
        return {"by": str(about.approved_by)}

    ACTS["TRIED"] = perform
    yield
    del ACTS["TRIED"]


async def asked(runtime: Runtime, about: About, **args: Any) -> str:
    async with runtime.database.transaction() as session:
        waiting = await act_or_ask(session, runtime, "TRIED", {"line": 7} | args, amount=1_500_000, about=about)
    assert isinstance(waiting, Waiting)
    return ids.encode("Approval", waiting.approval_id)


async def test_a16_a_second_person_approves_and_the_first_may_not(runtime: Runtime, anonymous: Client) -> None:
    one, two = viewer_of("operator"), viewer_of("operator")
    first, second = (anonymous.signed_in(viewer).at(NOW) for viewer in (one, two))
    approval = await asked(runtime, About(one.subject, "agreed by telephone", NOW))
    listed = (await second.run(LISTED))["approvals"]
    assert listed["totalCount"] == 1
    shown = listed["edges"][0]["node"]
    assert shown == shown | {"id": approval, "act": "TRIED", "args": {"line": 7}, "status": "WAITING", "merchant": None}
    assert shown["amount"] == {"amount": "1.500000", "currency": "USD"}
    own = await first.do("approve", "DecideApprovalInput", DECIDED % "Approved", approval=approval)
    assert own["code"] == "SAME_HANDS"
    given = {"approval": approval, "reason": "seen", "idempotencyKey": "approve-it-1"}
    done = await second.do("approve", "DecideApprovalInput", DECIDED % "Approved", **given)
    again = await second.do("approve", "DecideApprovalInput", DECIDED % "Approved", **given)
    assert again == done
    assert done["approval"]["status"] == "APPROVED"
    assert done["approval"]["outcome"] == {"by": str(two.subject)}
    assert done["approval"]["decision"] == "seen"
    late = await second.do("refuseApproval", "DecideApprovalInput", DECIDED % "ApprovalRefused", approval=approval)
    assert late["code"] == "APPROVAL_CLOSED"


async def test_a14_approvals_are_of_ones_own_side(
    runtime: Runtime, anonymous: Client, operator: Client, grocer: Client
) -> None:
    fuel_id = runtime.catalogue.merchants["fuel"].id
    colleague = anonymous.signed_in(viewer_of("merchant", merchant_id=fuel_id))
    approval = await asked(runtime, About(WHO, "goodwill", NOW, fuel_id))
    node = f'{{ node(id: "{approval}") {{ ... on Approval {{ act merchant {{ code }} }} }} }}'
    for other in (operator, grocer):
        assert (await other.run(LISTED))["approvals"]["totalCount"] == 0
        assert (await other.run(node))["node"] is None
        refused = await other.do("approve", "DecideApprovalInput", DECIDED % "Approved", approval=approval)
        assert refused["code"] == "NOT_FOUND"
    assert (await colleague.run(node))["node"] == {"act": "TRIED", "merchant": {"code": "fuel"}}
    withdrawn = DECIDED % "ApprovalWithdrawn"
    mine = await colleague.do("withdrawApproval", "DecideApprovalInput", withdrawn, approval=approval)
    assert mine["code"] == "NOT_FOUND"
    done = await colleague.do("refuseApproval", "DecideApprovalInput", DECIDED % "ApprovalRefused", approval=approval)
    assert done["approval"]["status"] == "REFUSED"


async def test_a16_what_the_act_refuses_by_then_is_said(runtime: Runtime, operator: Client) -> None:
    approval = await asked(runtime, About(WHO, "to be restored", NOW), late=True)
    refused = await operator.do(
        "approve", "DecideApprovalInput", "... on ActRefused { act refusal }", approval=approval
    )
    assert (refused["code"], refused["act"], refused["refusal"]) == ("ACT_REFUSED", "TRIED", "MERCHANT_NOT_FROZEN")
    assert "fuel" in refused["message"]
